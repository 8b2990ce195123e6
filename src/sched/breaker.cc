#include "sortie/sched/breaker.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sortie::sched {

namespace {

constexpr int kUnreachableMax = 3;
constexpr std::uint32_t kSamplesMin = 5;
constexpr std::uint32_t kSamplesMinAiling = 10;
constexpr double kChanceMin = 1e-4;
constexpr double kOpenSecondsMax = 20;
constexpr std::size_t kDoubledMax = 8;  // the last step that is a doubling
constexpr int kDoublingsMax = 5;        // 2·2^5 is beyond the maximum already

bool is_failure(Health health) {
  return health == Health::failing || health == Health::unreachable;
}

std::int64_t second_of(base::Instant at) {
  return at.time_since_epoch() / std::chrono::seconds(1);
}

}  // namespace

base::Instant Breaker::earliest(base::Instant now) const {
  if (is_closed_) {
    return now;
  }
  return on_way_ >= allowed() ? base::Instant::max() : std::max(now, open_until_);
}

void Breaker::admit() {
  in_flight_ += 1;
  if (is_closed_) {
    peak_ = std::max(peak_, in_flight_);
  } else {
    CHECK(on_way_ < allowed());
    on_way_ += 1;
  }
}

void Breaker::began(base::Instant sent, base::Instant now) {
  if (!is_closed_ && on_way_ > 0 && sent >= open_until_) {
    answered_while_half_open(now);
  }
}

void Breaker::ended(
    base::Instant sent, base::Instant now, Health health, double uniform, bool has_begun) {
  in_flight_ -= std::min<std::size_t>(1, in_flight_);
  if (health == Health::good && sent >= open_until_) {
    openings_ = 0;
  }
  if (is_closed_) {
    if (sent >= changed_at_) {
      ended_while_closed(sent, now, health, uniform);
    }
    return;
  }
  if (on_way_ == 0 || sent < open_until_) {
    return;
  }
  on_way_ -= 1;
  if (health == Health::good && !has_begun) {
    answered_while_half_open(now);
  } else if (is_failure(health)) {
    since_rest_.requests -= has_begun ? 1 : 0;  // it was no answer after all
    failed_while_half_open(now, uniform);
  }
}

void Breaker::answered_while_half_open(base::Instant now) {
  since_rest_.requests += 1;
  good_ += 1;
  if (good_ < step_) {
    return;
  }
  if (next_step() >= peak_) {
    close(now);
    return;
  }
  step_ = next_step();
  good_ = 0;
}

void Breaker::failed_while_half_open(base::Instant now, double uniform) {
  since_rest_.requests += 1;
  since_rest_.failures += 1;
  if (since_rest_.failures == since_rest_.requests || is_half(since_rest_)) {
    open(now, uniform);
  }
}

/// 1, 2, 4, 8, half of what there was, all of it.
std::size_t Breaker::next_step() const {
  const std::size_t half = peak_ / 2;
  if (step_ < kDoubledMax) {
    return 2 * step_;
  }
  return step_ < half ? half : std::max(peak_, step_);
}

/// On their way at once: answers are waited for one by one, not for the slowest of a step.
std::size_t Breaker::allowed() const {
  return step_ + (good_ * (next_step() - step_)) / step_;
}

void Breaker::count_unreachable(base::Instant sent, Health health) {
  if (health == Health::unreachable) {
    if (unreachable_ == 0) {
      unreachable_since_ = sent;
    }
    unreachable_ += 1;
  } else if (sent >= unreachable_since_) {
    unreachable_ = 0;
  }
}

void Breaker::ended_while_closed(base::Instant sent,
                                 base::Instant now,
                                 Health health,
                                 double uniform) {
  if (health == Health::unknown) {
    return;
  }
  count_unreachable(sent, health);
  if (health != Health::alive) {
    count(now, 1, is_failure(health) ? 1 : 0);
  }
  if (is_failure(health) && (unreachable_ >= kUnreachableMax || is_half(lately(now)))) {
    open(now, uniform);
  }
}

/// In the window.
void Breaker::count(base::Instant now, std::uint32_t requests, std::uint32_t failures) {
  const std::int64_t second = second_of(now);
  Slice& slice = slices_[static_cast<std::size_t>(((second % kWindowSeconds) + kWindowSeconds) %
                                                  kWindowSeconds)];
  if (slice.second != second) {
    slice = {.second = second};
  }
  slice.requests += requests;
  slice.failures += failures;
}

/// The whole window.
Breaker::Slice Breaker::lately(base::Instant now) const {
  const std::int64_t oldest = second_of(now) - kWindowSeconds + 1;
  Slice sum{.second = oldest};
  for (const Slice& slice : slices_) {
    if (slice.requests > 0 && slice.second >= oldest) {
      sum.requests += slice.requests;
      sum.failures += slice.failures;
    }
  }
  return sum;
}

bool Breaker::is_half(const Slice& counts) {
  return counts.requests >= kSamplesMin && 2 * counts.failures >= counts.requests;
}

bool Breaker::is_ailing(base::Instant now, std::uint32_t times) const {
  const Slice of_late = lately(now);
  const std::uint32_t own = std::min(times, of_late.failures);
  const std::uint32_t others = of_late.requests - own;
  if (!is_closed_ || others < kSamplesMinAiling) {
    return false;
  }
  const double share = static_cast<double>(of_late.failures - own) / others;
  return std::pow(share, times) >= kChanceMin;
}

void Breaker::open(base::Instant now, double uniform) {
  const double usual =
      std::min(kOpenSecondsMax, std::ldexp(2.0, std::min(openings_, kDoublingsMax)));
  is_closed_ = false;
  step_ = 1;
  good_ = 0;
  on_way_ = 0;
  since_rest_ = {};
  openings_ += 1;
  changed_at_ = now;
  open_until_ = now + base::from_seconds(usual * (0.8 + 0.4 * uniform));
}

void Breaker::close(base::Instant now) {
  is_closed_ = true;
  peak_ = in_flight_;
  changed_at_ = now;
  unreachable_ = 0;
  unreachable_since_ = base::Instant::min();
  slices_ = {};
  count(now, since_rest_.requests, since_rest_.failures);
}

}  // namespace sortie::sched
