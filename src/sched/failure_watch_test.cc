#include "sortie/sched/failure_watch.h"

#include "sortie/sched/test_support.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using test::at;

TEST(FailureWatch, three_different_items_in_ten_seconds_make_a_sick_route) {
  FailureWatch watch;
  EXPECT_FALSE(watch.failed({1}, at(0)));
  EXPECT_FALSE(watch.failed({2}, at(4)));
  EXPECT_TRUE(watch.failed({3}, at(8)));
  EXPECT_TRUE(watch.failed({4}, at(9)));
  EXPECT_FALSE(watch.failed({5}, at(30)));
}

TEST(FailureWatch, one_item_never_does) {
  FailureWatch watch;
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(watch.failed({1}, at(0.1 * i)));
    EXPECT_FALSE(watch.failed({2}, at(0.1 * i)));
  }
}

TEST(FailureWatch, an_answer_in_between_clears_it) {
  FailureWatch watch;
  watch.failed({1}, at(0));
  watch.failed({2}, at(1));
  EXPECT_FALSE(watch.works(at(1)));
  watch.answered(at(2));
  EXPECT_FALSE(watch.failed({3}, at(3)));
  EXPECT_TRUE(watch.works(at(22)));
  EXPECT_FALSE(watch.works(at(22.1)));
}

}  // namespace
}  // namespace sortie::sched
