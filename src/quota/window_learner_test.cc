#include "sortie/quota/window_learner.h"

#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/learning_law.h"

#include <chrono>
#include <cstddef>

#include <gtest/gtest.h>

namespace sortie::quota {
namespace {

using base::Instant;
using std::chrono::seconds;

/// A server of `slots`: fills the learner's window, one answer a second. Returns refusals.
std::size_t drive(WindowLearner& learner, std::size_t slots, std::size_t answers, Instant& now) {
  std::size_t refused = 0;
  for (std::size_t i = 0; i < answers; ++i) {
    while (learner.earliest(now) == now) {
      learner.acquire(now);
      now += base::Duration(1);
      if (learner.in_flight(now) > slots) {
        learner.release(now, now);
        learner.refused(now - base::Duration(1), now);
        refused += 1;
        break;
      }
    }
    now += seconds(1);
    learner.succeeded(now);
    learner.release(now, now);
  }
  return refused;
}

TEST(WindowLearner, is_free_until_something_is_refused) {
  WindowLearner learner{WindowLaw()};
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(learner.earliest(Instant{}), Instant{});
    learner.acquire(Instant{});
  }
  EXPECT_EQ(learner.window(), std::nullopt);
}

TEST(WindowLearner, finds_the_slots_at_once_and_tries_one_more_ever_less_often) {
  WindowLearner learner{WindowLaw()};
  Instant now{};
  EXPECT_EQ(drive(learner, 30, 1, now), 1U);
  EXPECT_EQ(learner.window(), 30U);
  const std::size_t refused = drive(learner, 30, 3000, now);
  EXPECT_GE(refused, 3U);
  EXPECT_LE(refused, 8U);  // after 30, 60, 120 … answers
  EXPECT_GT(learner.confidence(), 0.8);
  EXPECT_LE(*learner.window(), 31U);
}

TEST(WindowLearner, finds_a_raised_limit_in_growing_steps_and_a_lowered_one_at_once) {
  WindowLearner learner{WindowLaw()};
  Instant now{};
  (void)drive(learner, 20, 100, now);
  (void)drive(learner, 60, 2000, now);
  EXPECT_GE(*learner.window(), 55U);
  (void)drive(learner, 10, 100, now);
  EXPECT_LE(*learner.window(), 11U);
}

TEST(WindowLearner, does_not_grow_while_it_is_not_full) {
  WindowLearner learner{WindowLaw()};
  learner.start_at(10);
  for (int i = 0; i < 1000; ++i) {
    learner.acquire(Instant{});
    learner.succeeded(Instant{});
    learner.release(Instant{}, Instant{});
  }
  EXPECT_EQ(learner.window(), 10U);
}

TEST(WindowLearner, never_closes_for_good) {
  WindowLearner learner{WindowLaw()};
  learner.acquire(Instant{});
  learner.release(Instant{}, Instant{});
  EXPECT_TRUE(learner.refused(Instant{}, Instant{} + seconds(1)));
  EXPECT_EQ(learner.window(), 1U);
}

}  // namespace
}  // namespace sortie::quota
