#pragma once

#include "sortie/dialogue/rules.h"
#include "sortie/dialogue/transcript.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Scripted agents: no model, a fixed way of playing a trial through the real dialogue. They are the
// yardstick rows of every table (marked as scripted) and the proof that tasks can be solved by
// reading them, and cannot be solved without. All make one call per answer and repeat a call after
// an injected failure.

namespace sortie::score {

enum class Agent : std::uint8_t {
  perfect,      // the right calls from the first answer on, whatever is shown
  plan_copier,  // carries out the plan in view, each step once, in the order shown; has none
                // without
  text_blind,   // never reads what is to be done: makes the calls that most tasks of the type need,
                // with the values of this task wherever it has one for them
  reader,  // knows only the task's text: reads it by the lexicon of its level, searches for each
           // tool with the words of `easy`, looks at its description, calls it
  direct,  // policies of reference.h: the right calls,
  search,  // … after one search for each tool,
  lookup,  // … after one search and one look at the description for each tool
};

/// The rows that tables carry.
inline constexpr Agent kTableAgents[] = {Agent::perfect, Agent::plan_copier, Agent::text_blind};

[[nodiscard]] std::string_view to_string(Agent agent);

/// What an agent without eyes expects: per type the plan of the first task among those with the
/// type's most frequent sequence of operations. Built once per suite.
class CommonPlans {
 public:
  explicit CommonPlans(const suite::Suite& suite);

  /// nullptr for a type without tasks.
  [[nodiscard]] const std::vector<suite::Step>* of(suite::TaskType type) const;

 private:
  std::map<suite::TaskType, std::vector<suite::Step>> plans_;
};

/// What every play shares; the parts must outlive it.
struct Stage {
  const dialogue::Rules* rules = nullptr;
  const CommonPlans* common = nullptr;  // text_blind only
};

/// The whole dialogue of one agent; a pure function of its arguments. The prompt's flaw has to
/// apply to the task.
[[nodiscard]] dialogue::Transcript play(Agent agent,
                                        const Stage& stage,
                                        const suite::Task& task,
                                        const suite::TrialParams& params);

/// The words of `easy` for a tool's operation, without its values: what `reader` searches with.
/// `wording` counts from 0; nullopt for a tool that is not of the lexicon.
[[nodiscard]] std::optional<std::string> easy_words(std::string_view tool, std::size_t wording);

/// What an agent searches with for a tool of the catalog: the first words of `easy`, or the tool's
/// description where it is of no lexicon, as a user's tools are.
[[nodiscard]] std::string query_for(const suite::ToolCatalog& catalog, const std::string& tool);

}  // namespace sortie::score
