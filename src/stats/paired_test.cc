#include "sortie/stats/paired.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
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

TEST(McNemar, agrees_with_an_independent_computation) {
  // mpmath 1.3 with 40 digits; statsmodels 0.14 mcnemar(exact=True) agrees. 150 and 86 are the
  // approval ratings of Agresti, "Categorical data analysis", 2nd edition, table 10.1.
  EXPECT_NEAR(mcnemar_exact(150, 86), 3.71593613957144e-5, 1e-15);
  EXPECT_NEAR(mcnemar_exact(16, 37), 0.00548634487676014, 1e-13);
  EXPECT_NEAR(mcnemar_exact(21, 9), 0.0427739452570677, 1e-13);
  EXPECT_NEAR(mcnemar_exact(5, 12), 0.143463134765625, 1e-13);
}

TEST(Holm, agrees_with_independent_computations) {
  // statsmodels 0.14 multipletests(method='holm').
  const std::vector<double> four = holm({0.01, 0.04, 0.03, 0.005});
  const std::vector<double> expected_four = {0.03, 0.06, 0.06, 0.02};
  const std::vector<double> seven = holm({0.0011, 0.0402, 0.0098, 0.0135, 0.2131, 0.0256, 0.0007});
  const std::vector<double> expected_seven = {0.0066, 0.0804, 0.049, 0.054, 0.2131, 0.0768, 0.0049};
  for (std::size_t i = 0; i < four.size(); ++i) {
    EXPECT_NEAR(four[i], expected_four[i], 1e-15);
  }
  for (std::size_t i = 0; i < seven.size(); ++i) {
    EXPECT_NEAR(seven[i], expected_seven[i], 1e-15);
  }
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

TEST(DetectableDifference, reproduces_the_table_of_the_benchmark) {
  // The table of docs/design/benchmark.md in whole points, and the same by scipy 1.17 (binom,
  // brentq) to 12 digits.
  struct Row {
    std::uint64_t tasks;
    double family;
    long points_20;
    long points_30;
    double exact_20;
    double exact_30;
  };

  constexpr Row kTable[] = {
      {100, 1, 13, 16, 0.127724957476, 0.158531618674},
      {100, 7, 16, 19, 0.156330784025, 0.191991756804},
      {100, 28, 17, 21, 0.169220924088, 0.211788932660},
      {300, 1, 7, 9, 0.074210875822, 0.090893558362},
      {300, 7, 9, 11, 0.092275110138, 0.113162983140},
      {300, 28, 10, 13, 0.102554755633, 0.126034308804},
  };
  for (const Row& row : kTable) {
    const double alpha = 0.05 / row.family;
    const double few =
        detectable_difference({.tasks = row.tasks, .discordant = 0.2, .alpha = alpha});
    const double many =
        detectable_difference({.tasks = row.tasks, .discordant = 0.3, .alpha = alpha});
    EXPECT_EQ(std::lround(100 * few), row.points_20) << row.tasks << " " << row.family;
    EXPECT_EQ(std::lround(100 * many), row.points_30) << row.tasks << " " << row.family;
    EXPECT_NEAR(few, row.exact_20, 1e-9);
    EXPECT_NEAR(many, row.exact_30, 1e-9);
  }
}

TEST(DetectableDifference, says_when_nothing_can_be_found) {
  EXPECT_DOUBLE_EQ(detectable_difference({.tasks = 5, .discordant = 0.2}), 1);
}

}  // namespace
}  // namespace sortie::stats
