#pragma once

#include "sortie/sim/conversation.h"
#include "sortie/sim/draws.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/situation.h"
#include "sortie/suite/catalog.h"

#include <string>
#include <vector>

namespace sortie::sim {

/// Everything an answer depends on.
struct AgentInput {
  const suite::ToolCatalog& catalog;
  const Situation& situation;
  const Conversation& conversation;
  const Skill& skill;
  const LogNormal& prose_tokens;
  const TrialDraws& draws;
  bool functions = false;  // the request offers functions: commands are called, not written
};

/// What the model says, before the provider counts and cuts it.
struct AgentAnswer {
  std::string text;
  std::vector<AnsweredCall> calls;  // only with functions
};

/// The simulated model. It is a stand-in and knows the suite: it looks up the right solution and
/// departs from it as its skill says. What it knows of its own past it reads from the conversation
/// each time, so that an answer is a pure function of its input and any turn can be asked first.
[[nodiscard]] AgentAnswer answer_as_agent(const AgentInput& input);

}  // namespace sortie::sim
