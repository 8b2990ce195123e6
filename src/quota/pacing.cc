#include "sortie/quota/pacing.h"

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

namespace sortie::quota {

namespace {

// Below a token bucket's own rate, so that clocks which differ a little never add up.
constexpr double kBucketShare = 0.99;
constexpr double kKnownBucketShare = 0.999;
// Of tokens. The rest of a bucket is for what answers in flight cost beyond what is expected.
constexpr double kBurstOfBucket = 0.75;

struct Window {
  double quota = 0;
  double seconds = 0;
};

struct Windows {
  std::array<Window, 2> items;
  std::size_t count = 1;

  [[nodiscard]] std::span<const Window> view() const { return {items.data(), count}; }
};

Windows windows_of(const Limit& limit) {
  Windows result;
  const double window = base::seconds(limit.window);
  result.items[0] = {.quota = limit.quota, .seconds = window};
  const double part = base::seconds(limit.enforced_over);
  if (part > 0 && part < window) {
    result.items[1] = {.quota = limit.quota * part / window, .seconds = part};
    result.count = 2;
  }
  return result;
}

bool is_whole(double value) {
  return std::abs(value - std::round(value)) <= 1e-9 * value;
}

Pace request_pace(const Windows& windows, double jitter) {
  const double rate = windows.items[0].quota / windows.items[0].seconds;
  double pace = kBucketShare * rate;
  bool is_sub_window = false;
  for (const Window& window : windows.view()) {
    // A counter counts whole requests; only a bucket can hold a sub-window's fractional share.
    if (is_whole(window.quota) || (!is_sub_window && window.quota > 1)) {
      const double whole =
          is_whole(window.quota) ? std::round(window.quota) : std::floor(window.quota);
      pace = std::min(pace, whole / (window.seconds + jitter));
    }
    if (std::max(1.0, window.quota) < 1 + jitter * rate) {
      pace = std::min(pace, rate / (1 + jitter * rate));
    }
    is_sub_window = true;
  }
  return {.rate = pace, .burst = 1};
}

Pace token_pace(const Windows& windows, double jitter, double burst) {
  double rate = windows.items[0].quota / windows.items[0].seconds;
  for (const Window& window : windows.view()) {
    rate = std::min(rate, (window.quota - burst) / (window.seconds + jitter));
  }
  return {.rate = rate, .burst = burst};
}

Pace bucket_pace(const Limit& limit, double jitter, double burst) {
  const double rate = limit.quota / base::seconds(limit.window);
  double pace = kKnownBucketShare * rate;
  if (limit.bucket < burst + jitter * rate) {
    pace = std::min(pace, rate / (1 + jitter * rate));  // the burst is one unit
  }
  return {.rate = pace, .burst = burst};
}

}  // namespace

double smallest_quota(const Limit& limit) {
  if (limit.bucket > 0) {
    return limit.bucket;
  }
  const double window = base::seconds(limit.window);
  const double part = base::seconds(limit.enforced_over);
  return part > 0 && part < window ? limit.quota * part / window : limit.quota;
}

double largest_burst(const Limit& limit, double jitter_seconds) {
  const double half = smallest_quota(limit) / 2;
  if (limit.bucket <= 0) {
    return half;
  }
  const double late = std::max(0.0, jitter_seconds) * limit.quota / base::seconds(limit.window);
  const double whole = limit.kind == LimitKind::requests ? half : kBurstOfBucket * limit.bucket;
  return std::min(whole, limit.bucket - late);
}

Pace pace_for(const Limit& limit, double jitter_seconds, double largest_cost) {
  const bool usable =
      limit.quota > 0 && std::isfinite(limit.quota) && limit.window > base::Duration::zero();
  if (!usable || limit.kind == LimitKind::concurrency) {
    return {};
  }
  const double jitter = std::max(0.0, jitter_seconds);
  const bool of_requests = limit.kind == LimitKind::requests;
  const double most = largest_burst(limit, jitter);
  if (limit.bucket > 0) {
    const double burst = of_requests ? std::floor(most) : std::min(largest_cost, most);
    return bucket_pace(limit, jitter, std::max(1.0, burst));
  }
  const double burst = of_requests ? 1 : std::min(std::max(largest_cost, 1.0), most);
  const Windows windows = windows_of(limit);
  return of_requests ? request_pace(windows, jitter) : token_pace(windows, jitter, burst);
}

}  // namespace sortie::quota
