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
constexpr double kOpenSecondsMax = 60;
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
  return on_way_ >= step_ ? base::Instant::max() : std::max(now, open_until_);
}

void Breaker::admit() {
  in_flight_ += 1;
  if (is_closed_) {
    peak_ = std::max(peak_, in_flight_);
  } else {
    CHECK(on_way_ < step_);
    on_way_ += 1;
  }
}

void Breaker::ended(base::Instant sent, base::Instant now, Health health, double uniform) {
  in_flight_ -= std::min<std::size_t>(1, in_flight_);
  if (is_closed_) {
    if (sent >= changed_at_) {
      ended_while_closed(now, health, uniform);
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
void Breaker::advance(base::Instant now) {
  const std::size_t half = peak_ / 2;
  std::size_t next = 2 * step_;
  if (step_ >= kDoubledMax) {
    next = step_ < half ? half : peak_;
  }
  if (next >= peak_) {
    close(now);
    return;
  }
  step_ = next;
  good_ = 0;
  bad_ = 0;
}

void Breaker::ended_while_closed(base::Instant now, Health health, double uniform) {
  if (health == Health::unknown) {
    return;
  }
  const bool failed = health == Health::failing || health == Health::unreachable;
  unreachable_ = health == Health::unreachable ? unreachable_ + 1 : 0;
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

bool Breaker::is_too_bad(base::Instant now) const {
  if (unreachable_ >= kUnreachableMax) {
    return true;
  }
  const std::int64_t oldest = second_of(now) - kWindowSeconds + 1;
  std::uint32_t requests = 0;
  std::uint32_t failures = 0;
  for (const Slice& slice : slices_) {
    if (slice.requests > 0 && slice.second >= oldest) {
      requests += slice.requests;
      failures += slice.failures;
    }
  }
  return requests >= kSamplesMin && 2 * failures >= requests;
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
