#pragma once

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <string>
#include <vector>

// What else would solve a task, and what else looks as if it did: searches that the validator needs
// (docs/design/benchmark.md).

namespace sortie::suite {

/// A tool with the arguments that are no handles.
struct CallValues {
  std::string tool;
  json::Object values;
};

/// Whether a call with these values, defaults filled in, is what a required operation asks for.
[[nodiscard]] bool carries_out(const Required& required, const CallValues& call);

/// The distinct calls of a task's plan and goal, handles aside.
[[nodiscard]] std::vector<CallValues> calls_of(const ToolCatalog& catalog, const Task& task);

/// How many sets of calls a search looks at before it gives up.
inline constexpr std::size_t kSearchedStatesMax = 100'000;

struct Solutions {
  std::vector<std::vector<Step>> shortest;  // each a set of calls, in an order in which they run
  bool finished = true;    // false: the limit of states was reached, there may be more
  std::size_t states = 0;  // sets of calls looked at
};

/// Every shortest solution of at most `length_max` calls, each call being one of `calls` with any
/// handles that fit by kind. Solutions that differ in order only are one.
///
/// Searching over calls_of() alone is exhaustive: the goal holds only where each required operation
/// was carried out by its tool with its checked values, so that every other call is at best one
/// that keeps the content and stands in between, and without it the solution is shorter. For the
/// same reason a set that lacks more required (tool, values) than it has places left is given up.
[[nodiscard]] Solutions shortest_solutions(const ToolCatalog& catalog,
                                           const Task& task,
                                           const std::vector<CallValues>& calls,
                                           std::size_t length_max,
                                           std::size_t states_max = kSearchedStatesMax);

/// How many beginnings of chains are looked at, and how many chains of the goal's kind are tried. A
/// task of `pilot/1` has its three after far fewer; a user's catalog may have no end of them.
inline constexpr std::size_t kBeginningsMax = 50'000;
inline constexpr std::size_t kChainsMax = 20'000;

struct Chains {
  std::vector<std::vector<Step>> found;
  bool finished = true;        // false: a limit was reached, there may be more
  std::size_t beginnings = 0;  // looked at
};

/// Chains of at most as many calls as the plan that run without a rejection where their source
/// exists, end with an artifact of the goal's kind and miss the goal. Tools of the task have its
/// values, others drawn ones; no tool occurs twice. The search ends at `count_max`.
[[nodiscard]] Chains other_chains(const ToolCatalog& catalog,
                                  const Task& task,
                                  std::size_t count_max);

}  // namespace sortie::suite
