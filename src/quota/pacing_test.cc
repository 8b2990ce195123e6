#include "sortie/quota/pacing.h"

#include "sortie/quota/limit.h"

#include <chrono>
#include <limits>

#include <gtest/gtest.h>

namespace sortie::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Limit requests(double quota, base::Duration window, base::Duration enforced_over = {}) {
  return {.kind = LimitKind::requests,
          .quota = quota,
          .window = window,
          .enforced_over = enforced_over};
}

Limit tokens(double quota, base::Duration window, base::Duration enforced_over = {}) {
  return {
      .kind = LimitKind::tokens, .quota = quota, .window = window, .enforced_over = enforced_over};
}

TEST(PaceFor, leaves_one_percent_of_600_a_minute_enforced_each_second) {
  const Pace pace = pace_for(requests(600, minutes(1), seconds(1)), 0.010);
  EXPECT_DOUBLE_EQ(pace.rate, 9.9);
  EXPECT_EQ(pace.burst, 1);
}

TEST(PaceFor, stays_below_a_token_bucket_of_the_same_rate) {
  EXPECT_DOUBLE_EQ(pace_for(requests(600, minutes(1)), 0.010).rate, 9.9);
}

TEST(PaceFor, uses_a_bucket_that_is_known_to_be_one_up_to_a_thousandth) {
  Limit limit = requests(600, minutes(1));
  limit.bucket = 10;
  EXPECT_EQ(pace_for(limit, 0.010), (Pace{.rate = 9.99, .burst = 5}));
  limit.bucket = 1;  // late requests come together
  EXPECT_EQ(pace_for(limit, 0.010), (Pace{.rate = 10 / 1.1, .burst = 1}));
}

TEST(PaceFor, takes_the_burst_of_tokens_from_a_known_bucket_and_not_from_the_rate) {
  Limit limit = tokens(600'000, minutes(1));
  limit.bucket = 32'000;
  EXPECT_EQ(pace_for(limit, 0.010, 20'000), (Pace{.rate = 9'990, .burst = 20'000}));
  EXPECT_EQ(pace_for(limit, 0.010, 30'000).burst, 24'000);
  EXPECT_LT(pace_for(tokens(600'000, minutes(1)), 0.010, 20'000).rate, 9'670);
}

TEST(PaceFor, yields_to_the_window_where_delays_differ_much) {
  EXPECT_DOUBLE_EQ(pace_for(requests(60, minutes(1)), 1.0).rate, 60 / 61.0);
}

TEST(PaceFor, treats_a_fractional_share_as_a_small_bucket) {
  // A third of a request a second cannot be counted in windows of one second.
  const Pace pace = pace_for(requests(20, minutes(1), seconds(1)), 0.010);
  const double rate = 20 / 60.0;
  EXPECT_DOUBLE_EQ(pace.rate, rate * 0.99);
  // With delays that differ by two seconds, a bucket that holds one request needs more room.
  EXPECT_DOUBLE_EQ(pace_for(requests(20, minutes(1), seconds(1)), 2.0).rate, rate / (1 + 2 * rate));
}

TEST(PaceFor, counts_whole_requests_in_the_declared_window) {
  EXPECT_DOUBLE_EQ(pace_for(requests(2.9, seconds(1)), 0).rate, 2.0);
  EXPECT_DOUBLE_EQ(pace_for(requests(0.5, minutes(1)), 0).rate, 0.99 * 0.5 / 60);
}

TEST(PaceFor, trades_the_burst_of_tokens_against_the_rate) {
  const Limit limit = tokens(60'000, minutes(1));
  EXPECT_DOUBLE_EQ(pace_for(limit, 0, 1).rate, 59'999 / 60.0);
  EXPECT_DOUBLE_EQ(pace_for(limit, 0, 6'000).rate, 900);
  EXPECT_DOUBLE_EQ(pace_for(limit, 0, 6'000).burst, 6'000);
  EXPECT_DOUBLE_EQ(pace_for(limit, 0, 50'000).burst, 30'000) << "at most half";
}

TEST(PaceFor, obeys_the_tighter_of_window_and_sub_window_for_tokens) {
  const Pace pace = pace_for(tokens(60'000, minutes(1), seconds(1)), 0.010, 200);
  EXPECT_DOUBLE_EQ(pace.rate, 800 / 1.01);
}

TEST(PaceFor, ignores_a_sub_window_as_long_as_the_window) {
  EXPECT_EQ(pace_for(requests(600, minutes(1), minutes(1)), 0.010),
            pace_for(requests(600, minutes(1)), 0.010));
}

TEST(PaceFor, lets_nothing_through_without_a_usable_quota) {
  EXPECT_EQ(pace_for(requests(0, minutes(1)), 0.010), Pace{});
  EXPECT_EQ(pace_for(requests(-5, minutes(1)), 0.010), Pace{});
  EXPECT_EQ(pace_for(requests(5, milliseconds(0)), 0.010), Pace{});
  EXPECT_EQ(pace_for(requests(std::numeric_limits<double>::quiet_NaN(), minutes(1)), 0.010),
            Pace{});
  EXPECT_EQ(pace_for({.kind = LimitKind::concurrency, .quota = 5}, 0.010), Pace{});
}

}  // namespace
}  // namespace sortie::quota
