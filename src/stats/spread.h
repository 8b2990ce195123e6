#pragma once

#include "sortie/stats/proportion.h"

#include <cstdint>
#include <optional>
#include <span>

namespace sortie::stats {

/// Sample standard deviation (divisor n - 1). nullopt for fewer than two values.
[[nodiscard]] std::optional<double> standard_deviation(std::span<const double> values);

struct LossCounts {
  std::uint64_t successes = 0;
  std::uint64_t scored = 0;
  std::uint64_t lost = 0;  // trials without a score
};

/// The success rate if every lost trial had failed, and if every one had succeeded: whatever
/// decides which trials are lost, the rate that all of them would have given lies between. Without
/// trials: [0, 1].
[[nodiscard]] Interval loss_bounds(const LossCounts& counts);

}  // namespace sortie::stats
