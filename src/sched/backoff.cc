#include "sortie/sched/backoff.h"

#include "sortie/base/time.h"

#include <algorithm>
#include <optional>

namespace sortie::sched {

namespace {

constexpr double kStretch = 0.05;

}  // namespace

std::optional<base::Duration> Backoff::next(base::Instant sent, base::Instant now, double uniform) {
  if (stepped_at_ && sent < *stepped_at_) {
    return std::nullopt;
  }
  stepped_at_ = now;
  const double first = options_.first_seconds;
  if (options_.law == Law::decorrelated) {
    const double top = std::max(first, 3 * last_seconds_);
    last_seconds_ = std::min(options_.seconds_max, first + uniform * (top - first));
    return base::from_seconds(last_seconds_);
  }
  last_seconds_ = last_seconds_ > 0 ? std::min(options_.seconds_max, 2 * last_seconds_) : first;
  return base::from_seconds(last_seconds_ * (1 + kStretch * uniform));
}

void Backoff::succeeded(base::Instant sent) {
  if (stepped_at_ && sent >= *stepped_at_) {
    last_seconds_ = 0;
  }
}

}  // namespace sortie::sched
