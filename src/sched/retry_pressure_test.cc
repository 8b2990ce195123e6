#include "sortie/sched/retry_pressure.h"

#include "sortie/base/time.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <chrono>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using std::chrono::seconds;
using test::at;

TEST(RetryPressure, a_few_retries_are_always_free) {
  RetryPressure pressure;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pressure.retry(at(0)), base::Duration::zero());
  }
  EXPECT_GT(pressure.retry(at(0)), base::Duration::zero());
}

TEST(RetryPressure, one_in_ten_answers_may_be_retried_at_once) {
  RetryPressure pressure;
  for (int i = 0; i < 10'000; ++i) {
    const auto now = at(0.1 * i);
    pressure.answered(now);
    if (i % 10 == 9) {
      EXPECT_EQ(pressure.retry(now), base::Duration::zero());
    }
  }
}

TEST(RetryPressure, more_than_that_waits_until_answers_have_earned_it) {
  RetryPressure pressure;
  base::Duration longest{};
  for (int i = 0; i < 6000; ++i) {
    const auto now = at(0.1 * i);
    pressure.answered(now);
    if (i % 5 == 4) {
      longest = std::max(longest, pressure.retry(now));
    }
  }
  EXPECT_EQ(longest, seconds(20));
}

TEST(RetryPressure, where_nothing_is_answered_one_a_second_is_free) {
  RetryPressure pressure;
  base::Duration longest{};
  for (int second = 0; second < 3600; ++second) {
    longest = std::max(longest, pressure.retry(at(second)));
  }
  EXPECT_EQ(longest, base::Duration::zero());
  // Twice as many for 15 s: ten are there, 15 are earned, 31 are taken.
  base::Duration last{};
  for (int i = 0; i <= 30; ++i) {
    last = pressure.retry(at(3600 + 0.5 * i));
  }
  EXPECT_NEAR(base::seconds(last), 6, 1);
}

TEST(RetryPressure, an_hour_of_answers_does_not_pay_for_a_burst) {
  RetryPressure pressure;
  for (int i = 0; i < 36'000; ++i) {
    pressure.answered(at(0.1 * i));
  }
  int free = 0;
  while (pressure.retry(at(3600)) == base::Duration::zero()) {
    ++free;
  }
  EXPECT_NEAR(free, 60, 2);  // a tenth of a minute's 600
}

}  // namespace
}  // namespace sortie::sched
