#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

// What a suite has to keep to be trusted (docs/design/benchmark.md), proved by running it.

namespace sortie::suite {

struct Finding {
  std::string task;     // its id; "" for the suite as a whole
  std::string rule;     // "solvable", "necessary", "verbatim", …
  std::string message;  // what is wrong and what was expected
};

/// Rules of one task: `solvable` (its plan, with perfect luck, meets the goal without other
/// effects), `necessary` (without any one step, or with any one checked value changed, the goal is
/// missed), `verbatim` (every checked value stands in every text), `names` (only very_easy names
/// tools), `vocabulary` (from medium on no stem of an operation), `flaws` (an eligible task has all
/// seven at severe; literal execution of each misses the goal, of redundant_operations meets it),
/// `hash`.
[[nodiscard]] std::vector<Finding> validate_task(const ToolCatalog& catalog, const Task& task);

/// The rules of each task, and of the suite: `unique` (hash; text once values are masked),
/// `diversity` (sequences per type), `coverage` (every tool is needed).
[[nodiscard]] std::vector<Finding> validate(const Suite& suite);

/// A text with every checked value of the task replaced by "_".
[[nodiscard]] std::string masked_text(const Task& task, const std::string& text);

/// In how many tasks of each type a tool is required: by tool, then type.
[[nodiscard]] std::map<std::string, std::map<std::string, std::size_t>> coverage(
    const Suite& suite);

}  // namespace sortie::suite
