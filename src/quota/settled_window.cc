#include "sortie/quota/settled_window.h"

#include "sortie/base/time.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sortie::quota {

namespace {

constexpr double kRounding = 1e-6;  // units
constexpr double kDeviations = 4;
// Before anything was settled: of what is expected of the request.
constexpr double kPriorDeviation = 0.25;
constexpr double kPriorAnswers = 4;            // that the prior is worth
constexpr double kForgetting = 1 - 1.0 / 500;  // as the estimator of outputs forgets

}  // namespace

double UnsettledCosts::shortfall(double expected, std::size_t in_flight) const {
  const double share = answers_ / (answers_ + kPriorAnswers);
  const double mean = weight_ > 0 ? short_ / weight_ : 0;
  const double seen = weight_ > 0 ? std::max(0.0, short_square_ / weight_ - mean * mean) : 0;
  const double variance = share * seen + (1 - share) * std::pow(kPriorDeviation * expected, 2);
  const auto count = static_cast<double>(std::max<std::size_t>(in_flight, 1));
  return std::max(0.0, share * mean * count + kDeviations * std::sqrt(variance * count));
}

void UnsettledCosts::settled(double seconds, double expected, double used) {
  const double more = used - expected;
  weight_ = kForgetting * weight_ + seconds;
  short_ = kForgetting * short_ + seconds * more;
  short_square_ = kForgetting * short_square_ + seconds * more * more;
  answers_ = kForgetting * answers_ + 1;
}

// The ring has one slice more than the window: the oldest may still reach into it.
SettledWindow::SettledWindow(base::Duration window, double quota)
    : quota_(quota),
      slice_(std::max(base::Duration(1), window / (kSlices - 2) + base::Duration(1))),
      units_(static_cast<std::size_t>(kSlices)) {}

base::Instant SettledWindow::earliest(base::Instant now, double units) const {
  double excess = sum_ + std::min(units, quota_) - quota_;
  if (excess <= kRounding) {
    return now;  // the usual case, without a look into the ring
  }
  std::int64_t oldest = std::max<std::int64_t>(0, newest_ - kSlices + 1);
  // What has left the window since the last addition, and then what has to leave it.
  const std::int64_t gone = slice_of(now) - kSlices + 1;
  for (; oldest < gone && oldest <= newest_; ++oldest) {
    excess -= units_in(oldest);
  }
  base::Instant at = now;
  for (; excess > kRounding && oldest <= newest_; ++oldest) {
    excess -= units_in(oldest);
    at = base::Instant() + (oldest + kSlices) * slice_;
  }
  return std::max(at, now);
}

void SettledWindow::add(base::Instant now, base::Instant at, double units) {
  const std::int64_t current = slice_of(now);
  // At most one round over the ring, however long the silence was.
  const std::int64_t first = std::max<std::int64_t>(0, current - kSlices + 1);
  for (std::int64_t i = std::max(newest_ + 1, first); i <= current; ++i) {
    sum_ -= units_in(i);
    units_in(i) = 0;
  }
  newest_ = std::max(newest_, current);
  const std::int64_t slice = slice_of(at);
  if (slice > newest_ - kSlices && slice <= newest_ && slice >= 0) {
    units_in(slice) += units;
    sum_ += units;
  }
}

}  // namespace sortie::quota
