#pragma once

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/suite/trial.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A task as data: what is asked at five levels of wording, the goal, and one reference plan. Task
// files are JSON in suites/<name>/, or a user's own (declared_task.h); task content never depends
// on the model, the prompt or the time.

namespace sortie::suite {

/// One call of a plan. An argument value of the form {"$step": k} stands for the artifact that step
/// k (from 0) produces.
struct Step {
  std::string tool;
  json::Object arguments;
  std::string reason;  // shown in the plan, neutral words
};

/// A required operation: this tool, with these checked values. Inputs are positions of other
/// required operations.
struct Required {
  std::string tool;
  json::Object values;  // checked arguments, compared in canonical form with defaults filled in
  std::vector<std::size_t>
      inputs;  // required operations whose artifact this one consumes, anywhere in its lineage edge
};

/// The goal on final artifacts and effects. `required.back()` is the final operation; every
/// required operation must appear in the lineage of its artifact (or among the effects named by
/// `inputs`) with its values.
struct Goal {
  std::vector<Required> required;
};

struct Task {
  std::string id;  // "simple_task-007"
  TaskType type = TaskType::simple_task;
  std::array<std::string, kDifficulties.size()> texts;  // indexed by Difficulty
  std::vector<Step> plan;  // a shortest solution, in an admissible order
  std::vector<std::pair<std::size_t, std::size_t>> order;  // a before b, over positions of `plan`
  Goal goal;
  bool eligible = true;  // all seven flaws apply at severe
  base::Digest hash;     // of everything above, in canonical form

  /// "" where a user's task has no text at this level.
  [[nodiscard]] const std::string& text(Difficulty difficulty) const {
    return texts[static_cast<std::size_t>(difficulty)];
  }
};

}  // namespace sortie::suite
