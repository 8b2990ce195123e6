#include "sortie/stats/proportion.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <boost/math/distributions/normal.hpp>

namespace sortie::stats {

Interval wilson(std::uint64_t successes, std::uint64_t n, double confidence) {
  if (n == 0) {
    return {};
  }
  const double z =
      boost::math::quantile(boost::math::normal_distribution<double>(), 0.5 + confidence / 2);
  const auto count = static_cast<double>(n);
  const double p = static_cast<double>(successes) / count;
  const double scale = 1 + z * z / count;
  const double centre = (p + z * z / (2 * count)) / scale;
  const double half = z / scale * std::sqrt(p * (1 - p) / count + z * z / (4 * count * count));
  // At 0 and 1 the formula's limit is exact; rounding must not step over it.
  return {.low = successes == 0 ? 0 : std::max(0.0, centre - half),
          .high = successes == n ? 1 : std::min(1.0, centre + half)};
}

}  // namespace sortie::stats
