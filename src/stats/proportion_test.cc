#include "sortie/stats/proportion.h"

#include <gtest/gtest.h>

namespace sortie::stats {
namespace {

TEST(Wilson, matches_published_values) {
  // Newcombe 1998, table I, method 3: 81/263 and 15/148; 0/20 and 1/29.
  EXPECT_NEAR(wilson(81, 263).low, 0.2553, 5e-5);
  EXPECT_NEAR(wilson(81, 263).high, 0.3662, 5e-5);
  EXPECT_NEAR(wilson(15, 148).low, 0.0624, 5e-5);
  EXPECT_NEAR(wilson(15, 148).high, 0.1605, 5e-5);
  EXPECT_EQ(wilson(0, 20).low, 0);
  EXPECT_NEAR(wilson(0, 20).high, 0.1611, 5e-5);
  EXPECT_NEAR(wilson(1, 29).low, 0.0061, 5e-5);
  EXPECT_NEAR(wilson(1, 29).high, 0.1718, 5e-5);
}

TEST(Wilson, agrees_with_an_independent_computation) {
  // mpmath 1.3 with 40 digits; statsmodels 0.14 proportion_confint(method='wilson') agrees.
  EXPECT_NEAR(wilson(81, 263).low, 0.25528851987827, 1e-13);
  EXPECT_NEAR(wilson(81, 263).high, 0.3662095769828, 1e-13);
  EXPECT_NEAR(wilson(15, 148).low, 0.062386399530736, 1e-13);
  EXPECT_NEAR(wilson(15, 148).high, 0.16048724172331, 1e-13);
  EXPECT_NEAR(wilson(0, 20).high, 0.16112515805282, 1e-13);
  EXPECT_NEAR(wilson(97, 100).low, 0.91548063570947, 1e-13);
  EXPECT_NEAR(wilson(97, 100).high, 0.98974547597596, 1e-13);
}

TEST(Wilson, is_symmetric_and_within_bounds) {
  for (std::uint64_t n : {1U, 5U, 100U, 12400U}) {
    for (std::uint64_t k = 0; k <= n; k += n < 10 ? 1 : n / 10) {
      const Interval a = wilson(k, n);
      const Interval b = wilson(n - k, n);
      EXPECT_NEAR(a.low, 1 - b.high, 1e-12);
      EXPECT_GE(a.low, 0);
      EXPECT_LE(a.high, 1);
      EXPECT_LE(a.low, static_cast<double>(k) / static_cast<double>(n));
      EXPECT_GE(a.high, static_cast<double>(k) / static_cast<double>(n));
    }
  }
}

TEST(Wilson, knows_nothing_without_trials) {
  EXPECT_EQ(wilson(0, 0).low, 0);
  EXPECT_EQ(wilson(0, 0).high, 1);
}

}  // namespace
}  // namespace sortie::stats
