#pragma once

#include <cstdint>

namespace sortie::stats {

/// A confidence interval of a share or a mean.
struct Interval {
  double low = 0;
  double high = 1;
};

/// Wilson score interval of `successes` out of `n` independent trials (Wilson 1927; Brown, Cai and
/// DasGupta 2001). For one type of a cell: for several types use stratified_score, and where trials
/// share tasks the bootstrap over tasks. n = 0 gives [0, 1].
[[nodiscard]] Interval wilson(std::uint64_t successes, std::uint64_t n, double confidence = 0.95);

}  // namespace sortie::stats
