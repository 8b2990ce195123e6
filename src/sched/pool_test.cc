#include "sortie/sched/pool.h"

#include "sortie/quota/concurrency.h"
#include "sortie/sched/test_support.h"

#include <chrono>
#include <cstddef>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::at;

constexpr quota::RequestSize kSmall{.input = 1, .output = 1, .max_output = 1};

Pool unlimited() {
  return Pool({.name = "p", .limits = {}}, {.learning = {.begins_with_ramp = true}});
}

/// A request of an earlier moment, released already.
quota::Reservation sent_at(Pool& pool, double seconds) {
  quota::Reservation part = pool.limiter().reserve(at(seconds), kSmall);
  pool.limiter().release(at(seconds), part);
  return part;
}

constexpr auto kRequests = quota::Dimension::requests;

TEST(Pool, honours_a_hint_in_full_and_at_most_five_percent_more) {
  Pool least = unlimited();
  least.refused(sent_at(least, 0), kRequests, at(1), seconds(20), 0);
  EXPECT_EQ(least.earliest(at(1), kSmall), at(21));
  Pool most = unlimited();
  most.refused(sent_at(most, 0), kRequests, at(1), seconds(20), 0.999);
  EXPECT_GT(most.earliest(at(1), kSmall), at(21.9));
  EXPECT_LE(most.earliest(at(1), kSmall), at(22));
}

TEST(Pool, without_a_hint_closes_for_a_second_and_twice_as_long_each_time) {
  Pool pool = unlimited();
  pool.refused(sent_at(pool, 0), kRequests, at(0), std::nullopt, 0);
  EXPECT_EQ(pool.closed_until(), at(1));
  pool.refused(sent_at(pool, 10), kRequests, at(10), std::nullopt, 0);
  EXPECT_EQ(pool.closed_until(), at(12));
  pool.succeeded(at(13), at(13));
  pool.refused(sent_at(pool, 20), kRequests, at(20), std::nullopt, 0);
  EXPECT_EQ(pool.closed_until(), at(21));
}

TEST(Pool, a_hint_of_nothing_is_no_hint) {
  Pool pool = unlimited();
  pool.refused(sent_at(pool, 0), kRequests, at(0), seconds(0), 0);
  EXPECT_EQ(pool.closed_until(), at(1));
}

TEST(Pool, a_burst_of_refusals_is_one_episode) {
  Pool pool = unlimited();
  const quota::Reservation part = sent_at(pool, 0);
  for (int i = 0; i < 50; ++i) {
    pool.refused(part, kRequests, at(0.5 + 0.001 * i), std::nullopt, 0);
  }
  EXPECT_EQ(pool.closed_until(), at(1.5));
}

TEST(Pool, spaces_departures_by_a_limit_that_was_found_and_not_by_a_ramp) {
  Pool pool = unlimited();
  const quota::Reservation part = sent_at(pool, 0);
  pool.departure().take(at(0));
  EXPECT_EQ(pool.departure().next(at(0)), at(0)) << "answers set the pace of a ramp";
  pool.refused(part, kRequests, at(0.5), std::nullopt, 0);
  pool.departure().take(at(10));
  EXPECT_GT(pool.departure().next(at(10)), at(10));
}

/// Sends `count` requests, one a second, and sees the first of them refused because of the others.
std::vector<quota::Reservation> crowd(Pool& pool, std::size_t count, double refused_at) {
  std::vector<quota::Reservation> flights;
  for (std::size_t i = 0; i < count; ++i) {
    flights.push_back(pool.limiter().reserve(at(static_cast<double>(i)), kSmall));
  }
  pool.limiter().release(at(refused_at), flights[0]);
  pool.crowded(flights[0], at(refused_at), std::nullopt, 0);
  return flights;
}

TEST(Pool, when_crowded_keeps_no_more_in_flight_than_there_were) {
  Pool pool = unlimited();
  auto flights = crowd(pool, 5, 10);
  EXPECT_EQ(pool.limiter().learner().window().window(), 4U);
  EXPECT_EQ(pool.earliest(at(11), kSmall), quota::kUntilFreed);
  pool.limiter().release(at(11), flights[1]);
  EXPECT_EQ(pool.earliest(at(11), kSmall), at(11));
}

TEST(Pool, when_crowded_waits_a_moment_even_if_a_slot_is_free) {
  Pool pool = unlimited();
  auto flights = crowd(pool, 3, 10);
  pool.limiter().release(at(10), flights[1]);
  EXPECT_EQ(pool.earliest(at(10), kSmall), at(10) + milliseconds(200));
}

TEST(Pool, when_crowded_by_others_alone_backs_off_and_still_sends_one) {
  Pool pool = unlimited();
  pool.crowded(sent_at(pool, 0), at(10), std::nullopt, 0);
  EXPECT_EQ(pool.earliest(at(10), kSmall), at(11));
}

TEST(Pool, what_is_unknown_begins_with_a_ramp_and_is_known_after_a_refusal) {
  Pool pool = unlimited();
  EXPECT_TRUE(pool.is_unknown());
  const std::vector<quota::Reservation> flights = {pool.limiter().reserve(at(0), kSmall),
                                                   pool.limiter().reserve(at(0), kSmall)};
  EXPECT_GT(pool.earliest(at(0), kSmall), at(0.5));
  pool.refused(flights[1], kRequests, at(0.1), seconds(1), 0);
  EXPECT_FALSE(pool.is_unknown());
}

TEST(Pool, a_declared_limit_needs_no_ramp) {
  const Pool pool({.name = "p", .limits = {test::tpm(1e9)}}, {});
  EXPECT_FALSE(pool.is_unknown());
  Pool used({.name = "p", .limits = {test::tpm(1e9)}}, {});
  sent_at(used, 0);
  EXPECT_LT(used.earliest(at(0), kSmall), at(0.001));
}

TEST(Pool, growing_too_fast_closes_it_and_slows_the_ramp) {
  Pool pool = unlimited();
  base::Instant next = at(0);
  for (int i = 0; i < 30; ++i) {
    // Never answered: the pace alone lets them go.
    next = pool.earliest(next, kSmall);
    std::ignore = pool.limiter().reserve(next, kSmall);
  }
  const double pace = pool.limiter().learner().requests().pace();
  EXPECT_GT(pace, 2);
  pool.ramped(at(60), seconds(5), 0);
  EXPECT_EQ(pool.closed_until(), at(65));
  EXPECT_NEAR(pool.limiter().learner().requests().pace(), 0.9 * pace, 1e-9);
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
