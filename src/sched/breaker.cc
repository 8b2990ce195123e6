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
constexpr int kDoublingsMax = 5;  // 2·2^5 is beyond the maximum already

std::int64_t second_of(base::Instant at) {
  return at.time_since_epoch() / std::chrono::seconds(1);
}

}  // namespace

base::Instant Breaker::earliest(base::Instant now) const {
  if (is_closed_) {
    return now;
  }
  return probe_on_its_way_ ? base::Instant::max() : std::max(now, open_until_);
}

void Breaker::admit() {
  if (!is_closed_) {
    CHECK(!probe_on_its_way_);
    probe_on_its_way_ = true;
  }
}

void Breaker::ended(base::Instant sent, base::Instant now, Health health, double uniform) {
  if (is_closed_) {
    if (sent >= changed_at_) {
      ended_while_closed(now, health, uniform);
    }
    return;
  }
  // Whatever was sent while it was not closed is the probe.
  if (!probe_on_its_way_ || sent < open_until_) {
    return;
  }
  probe_on_its_way_ = false;
  if (health == Health::good) {
    close(now);
  } else if (health == Health::failing || health == Health::unreachable) {
    open(now, uniform);
  }
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
  openings_ += 1;
  changed_at_ = now;
  open_until_ = now + base::from_seconds(usual * (0.8 + 0.4 * uniform));
}

void Breaker::close(base::Instant now) {
  *this = Breaker();
  changed_at_ = now;
}

}  // namespace sortie::sched
