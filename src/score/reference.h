#pragma once

#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

// What an agent that makes no mistake achieves, computed and not played: the yardstick beside
// measured rates. It makes one call per answer, repeats a call after an injected failure, and needs
// no turn for finishing, since the goal holds when the last call has succeeded.

namespace sortie::score {

enum class Policy : std::uint8_t {
  direct,  // calls only
  search,  // one search for each needed tool, then the calls
  lookup,  // one search and one look at the description for each needed tool, then the calls
};

inline constexpr Policy kPolicies[] = {Policy::direct, Policy::search, Policy::lookup};

[[nodiscard]] std::string_view to_string(Policy policy);

struct ReferenceQuestion {
  std::size_t operations = 0;    // calls of the shortest solution
  std::size_t tools = 0;         // distinct ones among them
  double tool_success_rate = 1;  // of each call
  std::size_t max_turns = 30;
};

/// The exact probability of success: that so many independent calls succeed within the turns that
/// searching leaves.
[[nodiscard]] double reference_success(Policy policy, const ReferenceQuestion& question);

/// The same for a task under the factors of a cell.
[[nodiscard]] double reference_success(Policy policy,
                                       const suite::Task& task,
                                       const suite::TrialParams& params);

}  // namespace sortie::score
