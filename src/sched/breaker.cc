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
constexpr std::uint32_t kAilingFactor = 4;  // one of so many
constexpr double kOpenSecondsMax = 20;
constexpr std::size_t kDoubledMax = 8;  // the last step that is a doubling
constexpr int kDoublingsMax = 5;        // 2·2^5 is beyond the maximum already

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

void Breaker::ended(base::Instant sent, base::Instant now, Health health, double uniform) {
  in_flight_ -= std::min<std::size_t>(1, in_flight_);
  if (is_closed_) {
    if (sent >= changed_at_) {
      ended_while_closed(sent, now, health, uniform);
    }
  } else if (on_way_ > 0 && sent >= open_until_) {
    on_way_ -= 1;
    ended_while_half_open(now, health, uniform);
  }
}

void Breaker::ended_while_half_open(base::Instant now, Health health, double uniform) {
  if (health == Health::good) {
    good_ += 1;
    if (good_ >= step_) {
      advance(now);
    }
  } else if (health == Health::failing || health == Health::unreachable) {
    bad_ += 1;
    if (2 * bad_ >= step_) {
      open(now, uniform);
    }
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

void Breaker::advance(base::Instant now) {
  if (next_step() >= peak_) {
    close(now);
    return;
  }
  step_ = next_step();
  good_ = 0;
  bad_ = 0;
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
  const bool failed = health == Health::failing || health == Health::unreachable;
  count_unreachable(sent, health);
  if (health != Health::alive) {
    const std::int64_t second = second_of(now);
    Slice& slice = slices_[static_cast<std::size_t>(((second % kWindowSeconds) + kWindowSeconds) %
                                                    kWindowSeconds)];
    if (slice.second != second) {
      slice = {.second = second};
    }
    slice.requests += 1;
    slice.failures += failed ? 1 : 0;
  }
  if (failed && is_too_bad(now)) {
    open(now, uniform);
  }
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

bool Breaker::is_too_bad(base::Instant now) const {
  if (unreachable_ >= kUnreachableMax) {
    return true;
  }
  const Slice of_late = lately(now);
  return of_late.requests >= kSamplesMin && 2 * of_late.failures >= of_late.requests;
}

bool Breaker::is_ailing(base::Instant now) const {
  const Slice of_late = lately(now);
  return is_closed_ && of_late.requests >= kSamplesMinAiling &&
         kAilingFactor * of_late.failures >= of_late.requests;
}

void Breaker::open(base::Instant now, double uniform) {
  const double usual =
      std::min(kOpenSecondsMax, std::ldexp(2.0, std::min(openings_, kDoublingsMax)));
  is_closed_ = false;
  step_ = 1;
  on_way_ = 0;
  good_ = 0;
  bad_ = 0;
  openings_ += 1;
  changed_at_ = now;
  open_until_ = now + base::from_seconds(usual * (0.8 + 0.4 * uniform));
}

void Breaker::close(base::Instant now) {
  const std::size_t in_flight = in_flight_;
  *this = Breaker();
  in_flight_ = in_flight;
  peak_ = in_flight;
  changed_at_ = now;
}

}  // namespace sortie::sched
