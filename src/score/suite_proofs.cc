#include "sortie/score/suite_proofs.h"

#include "sortie/dialogue/rules.h"
#include "sortie/dialogue/search.h"
#include "sortie/score/agents.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::score {

namespace {

bool finds(const suite::ToolCatalog& catalog,
           const dialogue::SearchIndex& index,
           const std::string& query,
           std::string_view tool) {
  return std::ranges::any_of(index.find(query), [&](std::size_t position) {
    return catalog.tools()[position].name == tool;
  });
}

/// Nothing but reading and calling: no luck, no plan, and turns for a search, a look and a call of
/// each step, however long the plan is.
suite::TrialParams proof_params(const suite::Task& task, suite::Difficulty difficulty) {
  suite::TrialParams params{.prompt = {.style = suite::PromptStyle::baseline},
                            .tool_success_rate = 1,
                            .difficulty = difficulty};
  params.max_turns = std::max(params.max_turns, static_cast<int>(3 * task.plan.size()) + 1);
  return params;
}

void prove_by_reading(const Stage& stage,
                      const suite::Task& task,
                      std::vector<suite::Finding>& findings) {
  for (const suite::Difficulty difficulty : suite::kDifficulties) {
    if (!play(Agent::reader, stage, task, proof_params(task, difficulty)).goal_met) {
      findings.push_back(
          {.task = task.id,
           .rule = "reachable",
           .message = fmt::format("who reads the text at {} by its lexicon, searches and looks at "
                                  "descriptions misses the goal",
                                  to_string(difficulty))});
    }
  }
}

void prove_by_looking_up(const Stage& stage,
                         const dialogue::SearchIndex& index,
                         const suite::Task& task,
                         std::vector<suite::Finding>& findings) {
  const suite::ToolCatalog& catalog = stage.rules->catalog();
  if (play(Agent::lookup, stage, task, proof_params(task, suite::Difficulty::easy)).goal_met) {
    return;
  }
  const auto hidden = std::ranges::find_if(task.plan, [&](const suite::Step& step) {
    return !finds(catalog, index, query_for(catalog, step.tool), step.tool);
  });
  const bool searched = hidden == task.plan.end();
  findings.push_back(
      {.task = task.id,
       .rule = "reachable",
       .message =
           searched ? "who searches for each tool, looks at it and carries out the plan misses the "
                      "goal"
                    : fmt::format("who searches with a tool's description does not find {}",
                                  hidden->tool),
       .advice = !searched});
}

}  // namespace

std::vector<suite::Finding> prove_reachable(const suite::Suite& suite) {
  const dialogue::Rules rules(suite);
  const dialogue::SearchIndex index(suite.catalog());
  const Stage stage{.rules = &rules};
  std::vector<suite::Finding> findings;
  for (const suite::Task& task : suite.tasks()) {
    if (suite.catalog().declared()) {
      prove_by_looking_up(stage, index, task, findings);
    } else {
      prove_by_reading(stage, task, findings);
    }
  }
  return findings;
}

std::vector<suite::Finding> prove_search(const suite::Suite& suite) {
  const suite::ToolCatalog& catalog = suite.catalog();
  const dialogue::SearchIndex index(catalog);
  std::vector<suite::Finding> findings;
  const auto prove = [&](const suite::ToolSpec& tool, const std::string& query) {
    if (!finds(catalog, index, query, tool.name)) {
      findings.push_back(
          {.task = "",
           .rule = "search",
           .message = fmt::format(
               "'{}' does not find {} among the first {}", query, tool.name, dialogue::kHitsMax),
           .advice = catalog.declared()});
    }
  };
  for (const suite::ToolSpec& tool : catalog.tools()) {
    if (catalog.declared()) {
      prove(tool, query_for(catalog, tool.name));
      continue;
    }
    for (std::size_t i = 0; const auto words = easy_words(tool.name, i); ++i) {
      prove(tool, *words);
    }
  }
  return findings;
}

}  // namespace sortie::score
