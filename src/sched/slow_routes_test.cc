#include "sortie/sched/slow_routes.h"

#include <cmath>
#include <cstddef>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

bool every(std::size_t /*route*/) {
  return true;
}

/// `count` answers of 4 s on route 0 and of `factor` times that on route 1, of one model.
void answer(SlowRoutes& slow, int count, double factor) {
  for (int i = 0; i < count; ++i) {
    const double size = 1 + i % 3;  // longer answers take longer, which is no slowness
    slow.answered(0, 4 * size, size);
    slow.answered(1, 4 * factor * size, size);
    slow.judge(0, every);
  }
}

TEST(SlowRoutes, are_told_by_the_time_of_their_answers_for_their_size) {
  SlowRoutes slow({{0, 1}}, 2);
  answer(slow, 9, 10);
  EXPECT_EQ(slow.slowness(1), 1);  // too few answers
  answer(slow, 1, 10);
  EXPECT_EQ(slow.slowness(0), 1);
  EXPECT_NEAR(slow.slowness(1), 10, 1e-9);
  ASSERT_EQ(slow.slow_of(0).size(), 1U);
  EXPECT_EQ(slow.slow_of(0).front(), 1U);
}

TEST(SlowRoutes, differences_below_twice_do_not_count) {
  SlowRoutes slow({{0, 1}}, 2);
  answer(slow, 100, 1.9);
  EXPECT_EQ(slow.slowness(1), 1);
  EXPECT_TRUE(slow.slow_of(0).empty());
}

TEST(SlowRoutes, may_recover) {
  SlowRoutes slow({{0, 1}}, 2);
  answer(slow, 30, 10);
  answer(slow, 30, 1);
  EXPECT_EQ(slow.slowness(1), 1);
}

TEST(SlowRoutes, the_best_is_among_those_that_are_usable) {
  SlowRoutes slow({{0, 1}}, 2);
  answer(slow, 30, 10);
  const auto changes = slow.judge(0, [](std::size_t route) { return route == 1; });
  EXPECT_EQ(slow.slowness(1), 1);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes.front().route, 1U);
  EXPECT_NEAR(changes.front().before, 10, 1e-9);
  EXPECT_EQ(changes.front().now, 1);
}

TEST(SlowRoutes, models_are_judged_alone) {
  SlowRoutes slow({{0}, {1}}, 2);
  answer(slow, 30, 10);
  slow.judge(1, every);
  EXPECT_EQ(slow.slowness(1), 1);
}

TEST(SlowRoutes, the_tail_is_that_of_a_normal_law) {
  SlowRoutes slow({{0}}, 1);
  for (int i = 0; i < 1000; ++i) {
    slow.answered(0, 5, 1);
  }
  EXPECT_NEAR(slow.tail(0), 1, 1e-6);
  for (int i = 0; i < 1000; ++i) {
    slow.answered(0, i % 2 == 0 ? 5 * std::exp(0.5) : 5 * std::exp(-0.5), 1);
  }
  EXPECT_NEAR(slow.tail(0), std::exp(2.33 * 0.5 - 0.125), 0.1);
}

}  // namespace
}  // namespace sortie::sched
