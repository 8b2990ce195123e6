#include "sortie/stats/spread.h"

#include <cmath>
#include <optional>
#include <span>

namespace sortie::stats {

std::optional<double> standard_deviation(std::span<const double> values) {
  if (values.size() < 2) {
    return std::nullopt;
  }
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  const double mean = sum / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

Interval loss_bounds(const LossCounts& counts) {
  const auto n = static_cast<double>(counts.scored + counts.lost);
  if (n == 0) {
    return {};
  }
  const auto successes = static_cast<double>(counts.successes);
  return {.low = successes / n, .high = (successes + static_cast<double>(counts.lost)) / n};
}

}  // namespace sortie::stats
