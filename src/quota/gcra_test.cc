#include "sortie/quota/gcra.h"

#include "sortie/base/time.h"

#include <chrono>
#include <optional>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::quota {
namespace {

using base::Duration;
using base::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

double wait_seconds(const Gcra& gcra, Instant now, double units) {
  return base::seconds(gcra.wait(now, units).value());
}

TEST(Gcra, spaces_requests_evenly_with_a_burst_of_one) {
  Gcra gcra({.rate = 10, .burst = 1});
  EXPECT_EQ(gcra.wait(kStart, 1), Duration::zero());
  gcra.reserve(kStart, 1);
  EXPECT_EQ(gcra.wait(kStart, 1), milliseconds(100));
  EXPECT_EQ(gcra.wait(kStart + milliseconds(40), 1), milliseconds(60));
  EXPECT_EQ(gcra.wait(kStart + milliseconds(100), 1), Duration::zero());
}

TEST(Gcra, lets_a_burst_through_at_once_and_then_waits) {
  Gcra gcra({.rate = 10, .burst = 5});
  for (int i = 0; i < 5; ++i) {
    EXPECT_LE(wait_seconds(gcra, kStart, 1), 1e-8) << i;
    gcra.reserve(kStart, 1);
  }
  EXPECT_NEAR(wait_seconds(gcra, kStart, 1), 0.1, 1e-8);
}

TEST(Gcra, admits_more_than_a_burst_only_when_the_bucket_is_full) {
  Gcra gcra({.rate = 10, .burst = 5});
  EXPECT_EQ(gcra.wait(kStart, 20), Duration::zero());
  gcra.reserve(kStart, 1);
  EXPECT_NEAR(wait_seconds(gcra, kStart, 20), 0.1, 1e-8);
  gcra.reserve(kStart + milliseconds(100), 20);
  EXPECT_NEAR(wait_seconds(gcra, kStart + milliseconds(100), 1), 2.0 - 0.4, 1e-8);
}

TEST(Gcra, gives_back_what_was_not_used) {
  Gcra gcra({.rate = 10, .burst = 5});
  gcra.reserve(kStart, 5);
  gcra.settle(kStart, 5, 2);
  EXPECT_LE(wait_seconds(gcra, kStart, 3), 1e-8);
  EXPECT_NEAR(wait_seconds(gcra, kStart, 4), 0.1, 1e-8);
}

TEST(Gcra, charges_what_was_used_beyond_the_reservation) {
  Gcra gcra({.rate = 10, .burst = 5});
  gcra.reserve(kStart, 5);
  gcra.settle(kStart, 5, 8);
  EXPECT_NEAR(wait_seconds(gcra, kStart, 5), 0.8, 1e-8);
}

TEST(Gcra, remembers_an_extra_charge_after_a_long_silence) {
  Gcra gcra({.rate = 10, .burst = 5});
  gcra.reserve(kStart, 1);
  gcra.settle(kStart + seconds(100), 1, 11);
  EXPECT_NEAR(wait_seconds(gcra, kStart + seconds(100), 5), 1.0, 1e-8);
}

TEST(Gcra, a_refund_never_saves_up_more_than_a_burst) {
  Gcra gcra({.rate = 10, .burst = 5});
  gcra.reserve(kStart, 5);
  gcra.settle(kStart, 5, 0);
  gcra.settle(kStart, 1000, 0);
  gcra.reserve(kStart, 5);
  EXPECT_NEAR(wait_seconds(gcra, kStart, 5), 0.5, 1e-8);
}

TEST(Gcra, slows_down_to_the_servers_count_and_never_speeds_up) {
  Gcra gcra({.rate = 10, .burst = 5});
  gcra.sync(kStart, 100);
  EXPECT_LE(wait_seconds(gcra, kStart, 5), 1e-8);
  gcra.sync(kStart, 2);
  EXPECT_LE(wait_seconds(gcra, kStart, 2), 1e-8);
  EXPECT_NEAR(wait_seconds(gcra, kStart, 5), 0.3, 1e-8);
  gcra.sync(kStart, -5);
  EXPECT_NEAR(wait_seconds(gcra, kStart, 5), 1.0, 1e-8);
  gcra.sync(kStart, 4);
  EXPECT_NEAR(wait_seconds(gcra, kStart, 5), 1.0, 1e-8);
}

TEST(Gcra, keeps_its_debt_in_units_when_the_pace_changes) {
  Gcra gcra({.rate = 10, .burst = 5});
  gcra.reserve(kStart, 5);
  gcra.set_pace(kStart, {.rate = 5, .burst = 5});
  EXPECT_NEAR(wait_seconds(gcra, kStart, 5), 1.0, 1e-8);
  gcra.set_pace(kStart, {.rate = 5, .burst = 8});  // three more units of debt
  EXPECT_NEAR(wait_seconds(gcra, kStart, 8), 8.0 / 5, 1e-8);
}

TEST(Gcra, an_idle_bucket_pays_for_a_larger_burst_at_once) {
  Gcra gcra({.rate = 10, .burst = 5});
  gcra.set_pace(kStart, {.rate = 8, .burst = 100});
  EXPECT_EQ(gcra.wait(kStart, 100), Duration::zero());
}

TEST(Gcra, a_zero_pace_lets_nothing_through) {
  Gcra gcra(Pace{});
  EXPECT_EQ(gcra.wait(kStart, 1), std::nullopt);
  gcra.reserve(kStart, 1);
  gcra.settle(kStart, 1, 0);
  gcra.sync(kStart, 0);
  EXPECT_EQ(gcra.wait(kStart, 0), std::nullopt);
}

TEST(Gcra, survives_absurd_numbers) {
  Gcra gcra({.rate = 1e-9, .burst = 1});
  for (int i = 0; i < 100; ++i) {
    gcra.reserve(kStart, 1e18);
    gcra.settle(kStart, 0, 1e300);
    gcra.sync(kStart, -1e300);
  }
  EXPECT_GT(wait_seconds(gcra, kStart, 1), 1e9);
}

TEST(Gcra, takes_at_most_burst_plus_rate_times_time_between_any_two_instants) {
  EXPECT_TRUE(rc::check([] {
    const double rate = *rc::gen::inRange(1, 1000);
    const double burst = *rc::gen::inRange(1, 500);
    Gcra gcra({.rate = rate, .burst = burst});
    Instant now = kStart;
    double level = 0;  // fluid bucket with the same parameters
    Instant level_at = now;
    for (int i = 0; i < 50; ++i) {
      now += milliseconds(*rc::gen::inRange(0, 200));
      const double units = *rc::gen::inRange(1, static_cast<int>(burst) + 1);
      now += gcra.wait(now, units).value();
      gcra.reserve(now, units);
      level = std::max(0.0, level - rate * base::seconds(now - level_at)) + units;
      level_at = now;
      RC_ASSERT(level <= burst + 1e-6 * rate);
    }
  }));
}

TEST(Gcra, is_as_fast_as_its_rate_allows) {
  EXPECT_TRUE(rc::check([] {
    const double rate = *rc::gen::inRange(1, 1000);
    Gcra gcra({.rate = rate, .burst = 1});
    Instant now = kStart;
    for (int i = 0; i < 1000; ++i) {
      now += gcra.wait(now, 1).value();
      gcra.reserve(now, 1);
    }
    RC_ASSERT(base::seconds(now - kStart) <= 999 / rate + 1e-5);
  }));
}

}  // namespace
}  // namespace sortie::quota
