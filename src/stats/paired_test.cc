#include "sortie/stats/paired.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::stats {
namespace {

TEST(McNemar, is_the_two_sided_sign_test_on_discordant_pairs) {
  EXPECT_DOUBLE_EQ(mcnemar_exact(0, 0), 1);
  EXPECT_DOUBLE_EQ(mcnemar_exact(5, 5), 1);
  EXPECT_NEAR(mcnemar_exact(0, 6), 2 * std::pow(0.5, 6), 1e-12);
  EXPECT_NEAR(mcnemar_exact(1, 9), 2 * 11 * std::pow(0.5, 10), 1e-12);
  EXPECT_DOUBLE_EQ(mcnemar_exact(3, 12), mcnemar_exact(12, 3));
}

TEST(Holm, steps_down_and_never_decreases) {
  // Worked example: 0.01·4, 0.02·3, 0.03·2, 0.04·1, made monotone.
  const std::vector<double> adjusted = holm({0.03, 0.01, 0.04, 0.02});
  ASSERT_EQ(adjusted.size(), 4U);
  EXPECT_NEAR(adjusted[0], 0.06, 1e-12);
  EXPECT_NEAR(adjusted[1], 0.04, 1e-12);
  EXPECT_NEAR(adjusted[2], 0.06, 1e-12);
  EXPECT_NEAR(adjusted[3], 0.06, 1e-12);
  EXPECT_TRUE(holm({}).empty());
}

TEST(DetectableDifference, agrees_with_the_table_of_the_benchmark) {
  // docs/design/benchmark.md: 100 tasks, one comparison, 20 / 30 % discordant: 13 / 16 points; 300
  // tasks: 7 / 9.
  EXPECT_NEAR(detectable_difference({.tasks = 100, .discordant = 0.2}), 0.13, 0.01);
  EXPECT_NEAR(detectable_difference({.tasks = 100, .discordant = 0.3}), 0.16, 0.01);
  EXPECT_NEAR(detectable_difference({.tasks = 300, .discordant = 0.2}), 0.07, 0.01);
  EXPECT_NEAR(detectable_difference({.tasks = 300, .discordant = 0.3}), 0.09, 0.01);
  // Seven flaws, Holm's first step.
  EXPECT_NEAR(
      detectable_difference({.tasks = 100, .discordant = 0.2, .alpha = 0.05 / 7}), 0.16, 0.01);
}

TEST(DetectableDifference, says_when_nothing_can_be_found) {
  EXPECT_DOUBLE_EQ(detectable_difference({.tasks = 5, .discordant = 0.2}), 1);
}

}  // namespace
}  // namespace sortie::stats
