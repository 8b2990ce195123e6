#include "sortie/quota/rate_limiter.h"

#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::quota {
namespace {

using base::Duration;
using base::Instant;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kStart{hours(1)};

struct Arrival {
  double at = 0;  // seconds
  double units = 0;
};

// --- Three servers that count independently of the code under test.

/// Most units in any interval (a − window, a].
double worst_sliding(const std::vector<Arrival>& arrivals, double window) {
  double worst = 0;
  double sum = 0;
  std::size_t oldest = 0;
  for (const Arrival& arrival : arrivals) {
    sum += arrival.units;
    while (arrivals[oldest].at <= arrival.at - window + 1e-9) {
      sum -= arrivals[oldest++].units;
    }
    worst = std::max(worst, sum);
  }
  return worst;
}

double worst_aligned(const std::vector<Arrival>& arrivals, double window, double phase) {
  std::map<std::int64_t, double> counters;
  double worst = 0;
  for (const Arrival& arrival : arrivals) {
    double& counter =
        counters[static_cast<std::int64_t>(std::floor((arrival.at + phase) / window))];
    counter += arrival.units;
    worst = std::max(worst, counter);
  }
  return worst;
}

/// Highest level of a leaky bucket, which is what a token bucket of that capacity must hold.
double worst_bucket(const std::vector<Arrival>& arrivals, double rate) {
  double level = 0;
  double worst = 0;
  double last = 0;
  for (const Arrival& arrival : arrivals) {
    level = std::max(0.0, level - rate * (arrival.at - last)) + arrival.units;
    last = arrival.at;
    worst = std::max(worst, level);
  }
  return worst;
}

Duration any_of(const std::vector<Duration>& choices) {
  return *rc::gen::elementOf(choices);
}

/// What a server sees of a limiter under random demand, each request delayed by up to `jitter`.
std::vector<Arrival> drive(RateLimiter& limiter, int count, Duration jitter, int units_max) {
  std::vector<Arrival> arrivals;
  Instant now = kStart;
  const auto late = static_cast<int>(jitter / microseconds(1));
  for (int i = 0; i < count; ++i) {
    if (*rc::gen::inRange(0, 4) == 0) {  // mostly saturated, sometimes idle
      now += milliseconds(*rc::gen::inRange(0, 5'000));
    }
    const double units = *rc::gen::inRange(1, units_max + 1);
    now = limiter.earliest(now, units);
    limiter.reserve(now, units);
    const Duration shift = microseconds(*rc::gen::inRange(0, late + 1));
    arrivals.push_back({.at = base::seconds((now + shift).time_since_epoch()), .units = units});
  }
  std::stable_sort(arrivals.begin(), arrivals.end(), [](const Arrival& a, const Arrival& b) {
    return a.at < b.at;
  });
  return arrivals;
}

struct Window {
  double quota;
  double seconds;
  bool is_sub_window;
};

std::vector<Window> windows_of(const Limit& limit) {
  const double window = base::seconds(limit.window);
  std::vector<Window> result = {{.quota = limit.quota, .seconds = window, .is_sub_window = false}};
  if (limit.enforced_over > Duration::zero() && limit.enforced_over < limit.window) {
    const double part = base::seconds(limit.enforced_over);
    result.push_back(
        {.quota = limit.quota * part / window, .seconds = part, .is_sub_window = true});
  }
  return result;
}

TEST(RateLimiter, never_exceeds_requests_under_any_enforcement) {
  EXPECT_TRUE(rc::check([] {
    const Limit limit{.kind = LimitKind::requests,
                      .quota = static_cast<double>(*rc::gen::inRange(1, 1500)),
                      .window = any_of({seconds(1), seconds(10), minutes(1)}),
                      .enforced_over = any_of({seconds(0), seconds(1), seconds(10)})};
    const Duration jitter =
        any_of({milliseconds(0), milliseconds(1), milliseconds(10), milliseconds(200)});
    RateLimiter limiter(limit, base::seconds(jitter));
    const std::vector<Arrival> arrivals = drive(limiter, 300, jitter, 1);
    for (const Window& window : windows_of(limit)) {
      const double whole = std::round(window.quota);
      // Only a bucket can hold a fractional share of a sub-window.
      if (std::abs(window.quota - whole) < 1e-9) {
        RC_ASSERT(worst_sliding(arrivals, window.seconds) <= whole);
        RC_ASSERT(worst_aligned(arrivals, window.seconds, *rc::gen::inRange(0, 1000) * 0.0617) <=
                  whole);
      }
      RC_ASSERT(worst_bucket(arrivals, window.quota / window.seconds) <=
                std::max(1.0, window.quota) + 1e-6);
    }
  }));
}

TEST(RateLimiter, never_exceeds_tokens_under_any_enforcement) {
  EXPECT_TRUE(rc::check([] {
    const int units_max = *rc::gen::inRange(1, 5000);
    const Limit limit{
        .kind = LimitKind::tokens,
        // From a window that holds one request of the largest size up to hundreds of them.
        .quota = static_cast<double>(units_max) * *rc::gen::inRange(100, 20'000) / 100.0,
        .window = any_of({seconds(1), seconds(10), minutes(1)}),
        .enforced_over = {}};
    const Duration jitter = any_of({milliseconds(0), milliseconds(10), milliseconds(200)});
    RateLimiter limiter(limit, base::seconds(jitter));
    const std::vector<Arrival> arrivals = drive(limiter, 200, jitter, units_max);
    const double window = base::seconds(limit.window);
    const double allowed = limit.quota * (1 + 1e-6);
    RC_ASSERT(worst_sliding(arrivals, window) <= allowed);
    RC_ASSERT(worst_aligned(arrivals, window, *rc::gen::inRange(0, 1000) * 0.0617) <= allowed);
    RC_ASSERT(worst_bucket(arrivals, limit.quota / window) <= allowed);
  }));
}

TEST(RateLimiter, never_exceeds_tokens_of_a_sub_window) {
  EXPECT_TRUE(rc::check([] {
    const int units_max = *rc::gen::inRange(1, 1000);
    const Limit limit{.kind = LimitKind::tokens,
                      .quota = 60.0 * units_max * *rc::gen::inRange(1, 20),
                      .window = minutes(1),
                      .enforced_over = seconds(1)};
    RateLimiter limiter(limit, 0.010);
    const std::vector<Arrival> arrivals = drive(limiter, 200, milliseconds(10), units_max);
    for (const Window& window : windows_of(limit)) {
      RC_ASSERT(worst_sliding(arrivals, window.seconds) <= window.quota * (1 + 1e-6));
      RC_ASSERT(worst_bucket(arrivals, window.quota / window.seconds) <= window.quota * (1 + 1e-6));
    }
  }));
}

TEST(RateLimiter, refunds_never_overdraw_a_bucket_that_gives_them_too) {
  EXPECT_TRUE(rc::check([] {
    const double quota = *rc::gen::inRange(2'000, 100'000);
    const Limit limit{
        .kind = LimitKind::tokens, .quota = quota, .window = minutes(1), .enforced_over = {}};
    RateLimiter limiter(limit, 0);
    const double rate = quota / 60;
    double level = 0;
    Instant last = kStart;
    Instant now = kStart;
    struct Open {
      Instant at;
      double units;
    };
    std::vector<Open> open;
    for (int i = 0; i < 150; ++i) {
      const double units = *rc::gen::inRange(1, 1000);
      now = limiter.earliest(now, units);
      limiter.reserve(now, units);
      level = std::max(0.0, level - rate * base::seconds(now - last)) + units;
      last = now;
      RC_ASSERT(level <= quota * (1 + 1e-6));
      open.push_back({.at = now, .units = units});
      if (*rc::gen::inRange(0, 2) == 0) {
        const Open answered = open.front();
        open.erase(open.begin());
        const double used = *rc::gen::inRange(0, static_cast<int>(answered.units * 1.5) + 1);
        now += milliseconds(*rc::gen::inRange(0, 100));
        limiter.settle(now, answered.at, answered.units, used);
        level = std::max(0.0, level - rate * base::seconds(now - last));
        level = std::max(0.0, level + used - answered.units);
        last = now;
      }
    }
  }));
}

TEST(RateLimiter, uses_nearly_the_whole_token_limit_when_requests_are_small) {
  const Limit limit{
      .kind = LimitKind::tokens, .quota = 600'000, .window = minutes(1), .enforced_over = {}};
  RateLimiter limiter(limit, 0.010);
  Instant now = kStart;
  double sent = 0;
  while (now < kStart + minutes(10)) {
    limiter.reserve(now, 3'000);
    sent += 3'000;
    now = limiter.earliest(now, 3'000);
  }
  EXPECT_GT(sent, 0.985 * 6'000'000);
}

TEST(RateLimiter, forgets_an_outlier_after_two_epochs) {
  const Limit limit{
      .kind = LimitKind::tokens, .quota = 60'000, .window = minutes(1), .enforced_over = {}};
  RateLimiter limiter(limit, 0);
  Instant now = kStart;
  limiter.reserve(now, 20'000);
  EXPECT_DOUBLE_EQ(limiter.pace().burst, 20'000);
  while (now < kStart + minutes(16)) {
    now = limiter.earliest(now, 100);
    limiter.reserve(now, 100);
  }
  EXPECT_DOUBLE_EQ(limiter.pace().burst, 100);
}

TEST(RateLimiter, a_request_beyond_the_quota_waits_for_an_empty_window) {
  const Limit limit{
      .kind = LimitKind::tokens, .quota = 6'000, .window = minutes(1), .enforced_over = {}};
  RateLimiter limiter(limit, 0);
  limiter.reserve(kStart, 1'000);
  const Instant at = limiter.earliest(kStart, 50'000);
  EXPECT_GE(at, kStart + minutes(1));
  EXPECT_LT(at, kStart + minutes(3));
  limiter.reserve(at, 50'000);
  EXPECT_GE(limiter.earliest(at, 1'000), at + minutes(7)) << "and pays for all of it";
}

TEST(RateLimiter, reports_the_earliest_instant_and_not_a_later_one) {
  const Limit limit{
      .kind = LimitKind::requests, .quota = 600, .window = minutes(1), .enforced_over = seconds(1)};
  RateLimiter limiter(limit, 0.010);
  limiter.reserve(kStart, 1);
  const Instant at = limiter.earliest(kStart, 1);
  EXPECT_EQ(at, limiter.earliest(at - milliseconds(1), 1));
  EXPECT_NEAR(base::seconds(at - kStart), 1 / 9.9, 1e-8);
}

TEST(RateLimiter, an_unusable_limit_is_blocked) {
  RateLimiter limiter({.kind = LimitKind::requests, .quota = 0}, 0.010);
  EXPECT_EQ(limiter.earliest(kStart, 1), kUntilFreed);
}

TEST(RateLimiter, an_absurd_usage_costs_at_most_one_window) {
  const Limit limit{
      .kind = LimitKind::tokens, .quota = 60'000, .window = minutes(1), .enforced_over = {}};
  RateLimiter limiter(limit, 0);
  limiter.reserve(kStart, 10);
  limiter.settle(kStart, kStart, 10, 1e15);
  EXPECT_LT(limiter.earliest(kStart, 10), kStart + seconds(62));
}

TEST(UsageMeter, sums_the_last_window) {
  UsageMeter meter(minutes(1));
  meter.add(kStart, kStart, 10);
  meter.add(kStart + seconds(30), kStart + seconds(30), 5);
  EXPECT_EQ(meter.in_window(kStart + seconds(59)), 15);
  EXPECT_EQ(meter.in_window(kStart + seconds(61)), 5);
  EXPECT_EQ(meter.in_window(kStart + hours(1)), 0);
}

TEST(UsageMeter, takes_a_refund_off_the_time_of_the_request) {
  UsageMeter meter(minutes(1));
  meter.add(kStart, kStart, 10);
  meter.add(kStart + seconds(50), kStart, -4);
  EXPECT_EQ(meter.in_window(kStart + seconds(50)), 6);
  EXPECT_EQ(meter.in_window(kStart + seconds(61)), 0);
  meter.add(kStart + minutes(5), kStart, -4);
  EXPECT_EQ(meter.in_window(kStart + minutes(5)), 0);
}

TEST(UsageMeter, is_empty_after_a_silence_of_any_length) {
  UsageMeter meter(seconds(1));
  meter.add(kStart, kStart, 10);
  meter.add(kStart + hours(10'000), kStart + hours(10'000), 1);
  EXPECT_EQ(meter.in_window(kStart + hours(10'000)), 1);
}

TEST(RateLimiter, is_never_refused_by_a_bucket_that_is_declared_as_one) {
  EXPECT_TRUE(rc::check([] {
    Limit limit{.kind = *rc::gen::element(LimitKind::requests, LimitKind::tokens),
                .quota = static_cast<double>(*rc::gen::inRange(60, 6'000))};
    limit.bucket = static_cast<double>(*rc::gen::inRange(2, 200));
    const Duration jitter = milliseconds(*rc::gen::inRange(0, 20));
    RateLimiter limiter(limit, base::seconds(jitter));
    const int most = limit.kind == LimitKind::requests ? 1 : static_cast<int>(limit.bucket);
    const auto arrivals = drive(limiter, 300, jitter, most);
    RC_ASSERT(worst_bucket(arrivals, limit.quota / 60) <= limit.bucket + 1e-6);
  }));
}

}  // namespace
}  // namespace sortie::quota
