#include "sortie/sched/backoff.h"

#include "sortie/sched/test_support.h"

#include <optional>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using test::at;

TEST(Backoff, doubles_up_to_its_maximum) {
  Backoff backoff({.law = Backoff::Law::doubling, .first_seconds = 1, .seconds_max = 60});
  double now = 0;
  for (const double expected : {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0}) {
    const auto wait = backoff.next(at(now), at(now + 0.1), 0);
    ASSERT_TRUE(wait.has_value());
    EXPECT_NEAR(base::seconds(*wait), expected, 1e-6);
    now += 100;
  }
}

TEST(Backoff, stretches_by_at_most_five_percent) {
  Backoff backoff({.law = Backoff::Law::doubling, .first_seconds = 1, .seconds_max = 60});
  EXPECT_NEAR(base::seconds(backoff.next(at(0), at(1), 0.999).value()), 1.04995, 1e-6);
}

TEST(Backoff, counts_requests_that_were_sent_before_the_last_step_to_its_episode) {
  Backoff backoff({.law = Backoff::Law::doubling, .first_seconds = 1, .seconds_max = 60});
  ASSERT_TRUE(backoff.next(at(0), at(1), 0).has_value());
  EXPECT_FALSE(backoff.next(at(0.5), at(1.1), 0).has_value());
  EXPECT_NEAR(base::seconds(backoff.next(at(2.5), at(2.6), 0).value()), 2.0, 1e-6);
}

TEST(Backoff, starts_again_after_a_success_of_a_later_request) {
  Backoff backoff({.law = Backoff::Law::doubling, .first_seconds = 1, .seconds_max = 60});
  (void)backoff.next(at(0), at(1), 0);
  (void)backoff.next(at(2), at(3), 0);
  backoff.succeeded(at(2.9));  // sent before the limit was hit: says nothing about now
  EXPECT_NEAR(base::seconds(backoff.next(at(6), at(7), 0).value()), 4.0, 1e-6);
  backoff.succeeded(at(12));
  EXPECT_NEAR(base::seconds(backoff.next(at(13), at(14), 0).value()), 1.0, 1e-6);
}

TEST(Backoff, decorrelated_waits_stay_between_the_first_and_three_times_the_last) {
  Backoff backoff({.law = Backoff::Law::decorrelated, .first_seconds = 1, .seconds_max = 30});
  EXPECT_NEAR(base::seconds(backoff.next(at(0), at(1), 0.5).value()), 1.0, 1e-6);
  EXPECT_NEAR(base::seconds(backoff.next(at(10), at(11), 0.5).value()), 2.0, 1e-6);
  EXPECT_NEAR(base::seconds(backoff.next(at(20), at(21), 0.999999).value()), 6.0, 1e-4);
  EXPECT_NEAR(base::seconds(backoff.next(at(30), at(31), 0).value()), 1.0, 1e-6);
  for (int i = 4; i < 20; ++i) {
    EXPECT_LE(base::seconds(backoff.next(at(10.0 * i), at(10.0 * i + 1), 0.999999).value()), 30.0);
  }
}

}  // namespace
}  // namespace sortie::sched
