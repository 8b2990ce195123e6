#include "sortie/quota/rate_limiter.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/gcra.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/pacing.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace sortie::quota {

namespace {

// How long a large request keeps the burst up, at least.
constexpr base::Duration kEpochMin = std::chrono::minutes(5);

}  // namespace

RateLimiter::RateLimiter(const Limit& limit, double jitter_seconds)
    : limit_(limit),
      jitter_seconds_(jitter_seconds),
      smallest_quota_(smallest_quota(limit)),
      largest_burst_(largest_burst(limit, jitter_seconds)),
      gcra_(pace_for(limit, jitter_seconds)),
      meter_(limit.window) {
  if (limit.kind != LimitKind::tokens || !is_settled(limit.cost) || limit.bucket > 0) {
    return;
  }
  const base::Duration late = base::from_seconds(std::max(0.0, jitter_seconds));
  settled_.emplace_back(limit.window + late, limit.quota);
  if (smallest_quota_ < limit.quota) {
    settled_.emplace_back(limit.enforced_over + late, smallest_quota_);
  }
}

bool RateLimiter::raises_burst(double units) const {
  return limit_.kind == LimitKind::tokens && units > gcra_.pace().burst && units <= largest_burst_;
}

base::Instant RateLimiter::earliest(base::Instant now, double units, double shortfall) const {
  const std::optional<base::Duration> wait = gcra_.wait(now, units);
  if (!wait) {
    return kUntilFreed;
  }
  base::Instant at = now + *wait;
  for (const SettledWindow& window : settled_) {
    at = std::max(at, window.earliest(now, units + shortfall));
  }
  // Beyond a burst, the bucket must have been full for as long as the excess takes. That covers
  // both cases: the growth of the burst is debt that has to be paid off first, and an oversized
  // request finds so much less used before it.
  const double excess = std::min(units, smallest_quota_) - gcra_.pace().burst;
  if (excess <= 0) {
    return at;
  }
  return std::max(at, gcra_.full_at() + base::from_seconds(excess / gcra_.pace().rate));
}

void RateLimiter::reserve(base::Instant now, double units, double shortfall) {
  CHECK(earliest(now, units, shortfall) <= now);
  if (raises_burst(units)) {
    gcra_.set_pace(now, pace_for(limit_, jitter_seconds_, units));
  }
  gcra_.reserve(now, units);
  meter_.add(now, now, units);
  for (SettledWindow& window : settled_) {
    window.add(now, now, units);
  }
  remember_cost(now, units);
}

void RateLimiter::remember_cost(base::Instant now, double units) {
  if (limit_.kind != LimitKind::tokens || units > largest_burst_) {
    return;
  }
  if (now < epoch_end_) {
    largest_now_ = std::max(largest_now_, units);
    return;
  }
  // A smaller burst is a faster rate; the debt that is left is still paid off first.
  largest_before_ = largest_now_;
  largest_now_ = units;
  epoch_end_ = now + std::max(kEpochMin, limit_.window);
  gcra_.set_pace(now, pace_for(limit_, jitter_seconds_, std::max(largest_now_, largest_before_)));
}

void RateLimiter::settle(base::Instant now,
                         base::Instant reserved_at,
                         double reserved,
                         double used) {
  const double counted = std::clamp(used, 0.0, std::max(limit_.quota, reserved));
  gcra_.settle(now, reserved, counted);
  meter_.add(now, reserved_at, counted - reserved);
  for (SettledWindow& window : settled_) {
    window.add(now, reserved_at, counted - reserved);
  }
}

void RateLimiter::sync(base::Instant now, double remaining) {
  gcra_.sync(now, remaining);
}

}  // namespace sortie::quota
