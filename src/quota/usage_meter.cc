#include "sortie/quota/usage_meter.h"

#include "sortie/base/time.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace sortie::quota {

UsageMeter::UsageMeter(base::Duration window)
    : slice_(std::max(base::Duration(1), window / kSlices)) {}

std::int64_t UsageMeter::slice_of(base::Instant at) const {
  return at.time_since_epoch() / slice_;
}

void UsageMeter::add(base::Instant now, base::Instant at, double units) {
  const std::int64_t current = slice_of(now);
  // At most one round over the ring, however long the silence was.
  for (std::int64_t i = std::max(newest_ + 1, current - kSlices + 1); i <= current; ++i) {
    units_[static_cast<std::size_t>(i % kSlices)] = 0;
  }
  newest_ = std::max(newest_, current);
  const std::int64_t slice = slice_of(at);
  if (slice >= 0 && slice <= newest_ && slice > newest_ - kSlices) {
    units_[static_cast<std::size_t>(slice % kSlices)] += units;
  }
}

double UsageMeter::in_window(base::Instant now) const {
  double sum = 0;
  const std::int64_t oldest = std::max<std::int64_t>(0, slice_of(now) - kSlices + 1);
  for (std::int64_t i = std::max(oldest, newest_ - kSlices + 1); i <= newest_; ++i) {
    sum += units_[static_cast<std::size_t>(i % kSlices)];
  }
  return std::max(0.0, sum);
}

}  // namespace sortie::quota
