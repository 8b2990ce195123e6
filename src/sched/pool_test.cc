#include "sortie/sched/pool.h"

#include "sortie/quota/concurrency.h"
#include "sortie/sched/test_support.h"

#include <chrono>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::at;

constexpr quota::RequestSize kSmall{.input = 1, .output = 1, .max_output = 1};

Pool unlimited() {
  return Pool({.name = "p", .limits = {}}, {});
}

std::vector<quota::Reservation> fly(Pool& pool, std::size_t count) {
  std::vector<quota::Reservation> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(pool.limiter().reserve(at(0), kSmall));
  }
  return result;
}

TEST(Pool, honours_a_hint_in_full_and_at_most_five_percent_more) {
  Pool least = unlimited();
  least.refused(at(0), at(1), seconds(20), 0);
  EXPECT_EQ(least.earliest(at(1), kSmall), at(21));
  Pool most = unlimited();
  most.refused(at(0), at(1), seconds(20), 0.999);
  EXPECT_GT(most.earliest(at(1), kSmall), at(21.9));
  EXPECT_LE(most.earliest(at(1), kSmall), at(22));
}

TEST(Pool, without_a_hint_closes_for_a_second_and_twice_as_long_each_time) {
  Pool pool = unlimited();
  pool.refused(at(0), at(0), std::nullopt, 0);
  EXPECT_EQ(pool.earliest(at(0), kSmall), at(1));
  pool.refused(at(1), at(1), std::nullopt, 0);
  EXPECT_EQ(pool.earliest(at(1), kSmall), at(3));
  pool.succeeded(at(3));
  pool.refused(at(4), at(4), std::nullopt, 0);
  EXPECT_EQ(pool.earliest(at(4), kSmall), at(5));
}

TEST(Pool, a_hint_of_nothing_is_no_hint) {
  Pool pool = unlimited();
  pool.refused(at(0), at(0), seconds(0), 0);
  EXPECT_EQ(pool.earliest(at(0), kSmall), at(1));
}

TEST(Pool, a_burst_of_refusals_is_one_episode) {
  Pool pool = unlimited();
  for (int i = 0; i < 50; ++i) {
    pool.refused(at(0), at(0.5 + 0.001 * i), std::nullopt, 0);
  }
  EXPECT_EQ(pool.earliest(at(0.6), kSmall), at(1.5));
}

TEST(Pool, when_crowded_keeps_no_more_in_flight_than_there_were) {
  Pool pool = unlimited();
  auto flights = fly(pool, 5);
  pool.limiter().release(at(1), flights[0]);
  pool.crowded(at(0), at(1), std::nullopt, 0);
  EXPECT_EQ(pool.window(), 4U);
  EXPECT_EQ(pool.earliest(at(2), kSmall), quota::kUntilFreed);
  pool.limiter().release(at(2), flights[1]);
  EXPECT_EQ(pool.earliest(at(2), kSmall), at(2));
}

TEST(Pool, when_crowded_waits_a_moment_even_if_a_slot_is_free) {
  Pool pool = unlimited();
  auto flights = fly(pool, 3);
  pool.limiter().release(at(1), flights[0]);
  pool.crowded(at(0), at(1), std::nullopt, 0);
  pool.limiter().release(at(1), flights[1]);
  EXPECT_EQ(pool.earliest(at(1), kSmall), at(1) + milliseconds(200));
}

TEST(Pool, when_crowded_by_others_alone_backs_off_and_still_sends_one) {
  Pool pool = unlimited();
  pool.crowded(at(0), at(1), std::nullopt, 0);
  EXPECT_EQ(pool.earliest(at(1), kSmall), at(2));
}

TEST(Pool, the_window_grows_slowly_with_good_answers) {
  Pool pool = unlimited();
  auto flights = fly(pool, 5);
  pool.crowded(at(0), at(1), std::nullopt, 0);
  ASSERT_EQ(pool.window(), 5U);
  for (int i = 0; i < 99; ++i) {
    pool.succeeded(at(2));
  }
  EXPECT_EQ(pool.window(), 5U);
  pool.succeeded(at(2));
  EXPECT_EQ(pool.window(), 6U);
}

TEST(Pool, exhausted_means_closed_until_the_providers_clock_or_an_hour) {
  Pool told = unlimited();
  told.exhausted(at(0), std::chrono::hours(7), 0);
  EXPECT_TRUE(told.is_exhausted(at(6 * 3600)));
  EXPECT_EQ(told.earliest(at(0), kSmall), at(7 * 3600));
  EXPECT_FALSE(told.is_exhausted(at(7 * 3600)));
  Pool untold = unlimited();
  untold.exhausted(at(0), std::nullopt, 0);
  EXPECT_EQ(untold.earliest(at(0), kSmall), at(3600));
}

TEST(Pool, an_earlier_gate_never_opens_a_later_one) {
  Pool pool = unlimited();
  pool.close(at(10));
  pool.close(at(5));
  EXPECT_EQ(pool.earliest(at(0), kSmall), at(10));
  EXPECT_EQ(pool.closed_until(), at(10));
}

}  // namespace
}  // namespace sortie::sched
