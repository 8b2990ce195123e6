#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// What a suite has to keep to be trusted (docs/design/benchmark.md), proved by running it.

namespace sortie::suite {

struct Finding {
  std::string task;     // its id; "" for the suite as a whole
  std::string rule;     // "solvable", "necessary", "verbatim", …
  std::string message;  // what is wrong and what was expected
  bool advice = false;  // worth knowing; the suite may be used as it is
};

struct ValidationOptions {
  bool lexicon = true;    // the texts are of the published lexicon, as those of `pilot`
  bool full_size = true;  // large and diverse enough to publish numbers from
};

/// Rules of one task.
///
/// `solvable`: its plan, with perfect luck, meets the goal without other effects. `necessary`:
/// without any one step, or with any one checked value changed or left out, the goal is missed.
/// `complete`: an exhaustive search finds no shorter solution, the plan is among the shortest, and
/// the goal asks for exactly the calls that all shortest solutions have. `needs_text`: at least
/// three other chains of calls, no longer than the plan, reach the goal's kind and miss the goal.
/// `distractors`: a tool that the task does not need works on what a step of the plan yields.
/// `verbatim`: every checked value stands in every text. `names`: a text names the plan's tools and
/// no others at very_easy, and no tool at any other level. `flaws`: an eligible task has all seven
/// at severe, each shows itself alone (flaw_detector.h), and literal execution misses the goal, of
/// redundant_operations meets it. `hash`.
///
/// Without `full_size`, `needs_text` and `distractors` are advice: a suite of few tools cannot keep
/// them, and its tasks are easier to guess.
///
/// With `lexicon` also: `decodable` (the reader of a level's lexicon turns the text into exactly
/// the goal, and in one way only), `vocabulary` (from medium on no stem of a tool name or an
/// operation).
[[nodiscard]] std::vector<Finding> validate_task(const ToolCatalog& catalog,
                                                 const Task& task,
                                                 const ValidationOptions& options = {});

/// The rules of each task, and of the suite.
///
/// `unique`: no two tasks have the same hash, and no two of a type the same text at a level once
/// the checked values are masked. With `lexicon` also `phrases` (lexicon_check.h). With `full_size`
/// also `size` (tasks per type, eligible ones), `diversity` (sequences per type, share of one),
/// `draw` (among 20 drawn tasks of a type no sequence occurs more than 3 times) and `coverage`
/// (every tool is needed).
[[nodiscard]] std::vector<Finding> validate(const Suite& suite,
                                            const ValidationOptions& options = {});

/// The rules of the suite as a whole alone, none of which runs a task.
[[nodiscard]] std::vector<Finding> validate_whole(const Suite& suite,
                                                  const ValidationOptions& options = {});

/// A text with every checked value of the task replaced by "_".
[[nodiscard]] std::string masked_text(const Task& task, const std::string& text);

/// In how many tasks of each type a tool is required: by tool, then type.
[[nodiscard]] std::map<std::string, std::map<std::string, std::size_t>> coverage(
    const Suite& suite);

/// How many tasks of a type each sequence of operations answers.
[[nodiscard]] std::map<std::string, std::size_t> sequence_counts(const Suite& suite, TaskType type);

}  // namespace sortie::suite
