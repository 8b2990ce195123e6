#pragma once

#include "sortie/sim/conversation.h"
#include "sortie/sim/draws.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/situation.h"
#include "sortie/sim/skill.h"
#include "sortie/suite/catalog.h"

#include <cstddef>
#include <string>
#include <vector>

namespace sortie::sim {

/// Everything an answer depends on.
struct AgentInput {
  const suite::ToolCatalog& catalog;
  const Situation& situation;
  const Conversation& conversation;
  const Skill& skill;
  const TrialDraws& draws;
  bool functions = false;  // the request offers functions: commands are called, not written
};

/// What the model says, before the provider counts and cuts it.
struct AgentAnswer {
  std::string text;
  std::string reasoning;            // of a reasoning field
  std::string refusal;              // instead of everything else
  std::vector<AnsweredCall> calls;  // with functions, or where nobody asked for them
  bool truncated = false;           // the token limit cut it
  std::size_t command_at = 0;       // where in the text the commands begin
};

/// Cuts an answer within its command, as a token limit does: no call of it is complete. What was
/// being thought is all there is, if anything was.
void cut(AgentAnswer& answer, double place);

/// A refusal instead of everything else.
void refuse(AgentAnswer& answer);

/// The simulated model. It is a stand-in and knows the suite: it looks up the right solution and
/// departs from it as its skill says. What it knows of its own past it reads from the conversation
/// each time, so that an answer is a pure function of its input and any turn can be asked first.
[[nodiscard]] AgentAnswer answer_as_agent(const AgentInput& input);

}  // namespace sortie::sim
