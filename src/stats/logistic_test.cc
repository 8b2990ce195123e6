#include "sortie/stats/logistic.h"

#include "sortie/base/hash.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::stats {
namespace {

// Beetles killed by carbon disulphide: Bliss 1935, as in Dobson, "An introduction to generalized
// linear models", 2nd edition, table 7.2.
const std::vector<LogisticPoint> kBeetles = {{1.6907, 6, 59},
                                             {1.7242, 13, 60},
                                             {1.7552, 18, 62},
                                             {1.7842, 28, 56},
                                             {1.8113, 52, 63},
                                             {1.8369, 53, 59},
                                             {1.8610, 61, 62},
                                             {1.8839, 60, 60}};

std::vector<LogisticPoint> by_size(const std::vector<double>& successes) {
  std::vector<LogisticPoint> points;
  const std::vector<double> sizes = {3, 7, 14, 32, 72};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    points.push_back({.x = std::log2(sizes[i]), .successes = successes[i], .n = 100});
  }
  return points;
}

TEST(Logistic, agrees_with_the_published_fit) {
  // Dobson, table 7.3: -60.72 (5.18) and 34.27 (2.91); to more digits by mpmath 1.3, with which
  // statsmodels 0.14 GLM agrees.
  const auto fit = fit_logistic(kBeetles, LogisticMethod::likelihood);
  ASSERT_TRUE(fit.has_value());
  EXPECT_NEAR(fit->intercept, -60.717454561635, 1e-9);
  EXPECT_NEAR(fit->slope, 34.270325734147, 1e-9);
  EXPECT_NEAR(fit->intercept_error, 5.1807114633408, 1e-9);
  EXPECT_NEAR(fit->slope_error, 2.9121400706357, 1e-9);
}

TEST(Logistic, agrees_with_an_independent_maximum_of_the_penalised_likelihood) {
  // mpmath 1.3 with 40 digits: roots of the numerical gradient of Firth's penalised likelihood.
  const auto beetles = fit_logistic(kBeetles);
  ASSERT_TRUE(beetles.has_value());
  EXPECT_NEAR(beetles->intercept, -60.113771323618, 1e-9);
  EXPECT_NEAR(beetles->slope, 33.930130451143, 1e-9);
  EXPECT_NEAR(beetles->intercept_error, 5.1311417194168, 1e-9);
  EXPECT_NEAR(beetles->slope_error, 2.8841186634651, 1e-9);
  const auto sizes = fit_logistic(by_size({12, 31, 55, 61, 78}));
  ASSERT_TRUE(sizes.has_value());
  EXPECT_NEAR(sizes->intercept, -2.6586018157804, 1e-9);
  EXPECT_NEAR(sizes->slope, 0.65285913475298, 1e-9);
  EXPECT_NEAR(sizes->slope_error, 0.069019201237481, 1e-9);
}

TEST(Logistic, is_finite_only_with_the_penalty_where_sizes_separate_successes_from_failures) {
  const auto separated = by_size({0, 0, 0, 100, 100});
  EXPECT_FALSE(fit_logistic(separated, LogisticMethod::likelihood).has_value());
  const auto fit = fit_logistic(separated);
  ASSERT_TRUE(fit.has_value());
  EXPECT_NEAR(fit->intercept, -39.160479772903, 1e-9);
  EXPECT_NEAR(fit->slope, 8.8926803433358, 1e-9);
  const auto alike = fit_logistic(by_size({100, 100, 100, 100, 100}));
  ASSERT_TRUE(alike.has_value());
  EXPECT_NEAR(alike->slope, 0, 0.5);
}

TEST(Logistic, needs_two_sizes) {
  EXPECT_FALSE(fit_logistic({}).has_value());
  const std::vector<LogisticPoint> one = {{3, 5, 10}, {3, 1, 10}, {5, 0, 0}};
  EXPECT_FALSE(fit_logistic(one).has_value());
}

TEST(Slope, is_a_function_of_its_inputs_and_seed) {
  const std::vector<double> x = {1, 2, 3};
  std::vector<SizedTask> tasks;
  for (std::uint32_t i = 0; i < 50; ++i) {
    tasks.push_back({.stratum = i % 5,
                     .successes = {i % 3 == 0 ? 1.0 : 0.0, i % 2 == 0 ? 1.0 : 0.0, 1.0},
                     .n = {1, 1, i % 7 == 0 ? 0.0 : 1.0}});
    if (tasks.back().n[2] == 0) {
      tasks.back().successes[2] = 0;
    }
  }
  const BootstrapOptions options{.draws = 500, .seed = base::digest_of("slope")};
  const auto slope = bootstrap_slope(x, tasks, options);
  const auto again = bootstrap_slope(x, tasks, options);
  ASSERT_TRUE(slope.has_value() && again.has_value());
  EXPECT_EQ(slope->interval.low, again->interval.low);
  EXPECT_EQ(slope->interval.high, again->interval.high);
  EXPECT_GT(slope->fit.slope, slope->interval.low);
  EXPECT_LT(slope->fit.slope, slope->interval.high);
  EXPECT_LT(slope->p, 0.05);
  EXPECT_FALSE(bootstrap_slope(x, {tasks.front()}, options).has_value());
}

TEST(Slope, is_not_estimable_where_all_trials_or_all_resamples_are_alike) {
  const std::vector<double> x = {1, 2};
  const BootstrapOptions options{.draws = 500, .seed = base::digest_of("slope")};
  for (const double success : {0.0, 1.0}) {
    const std::vector<SizedTask> all(20,
                                     {.stratum = 0, .successes = {success, success}, .n = {1, 1}});
    EXPECT_FALSE(bootstrap_slope(x, all, options).has_value());
  }
  // Every task alike, and no two sizes: one slope in every resample.
  const std::vector<SizedTask> alike(20, {.stratum = 0, .successes = {0, 1}, .n = {1, 1}});
  EXPECT_FALSE(bootstrap_slope(x, alike, options).has_value());
}

TEST(Slope, drops_no_resample_without_a_fit) {
  // One task of six has trials of the second size: a third of the resamples lack it.
  std::vector<SizedTask> tasks;
  for (std::uint32_t i = 0; i < 6; ++i) {
    tasks.push_back({.stratum = 0,
                     .successes = {i % 2 == 0 ? 1.0 : 0.0, i == 0 ? 1.0 : 0.0},
                     .n = {1, i == 0 ? 1.0 : 0.0}});
  }
  const std::vector<double> x = {1, 2};
  EXPECT_FALSE(bootstrap_slope(x, tasks, {.draws = 200, .seed = base::digest_of("s")}).has_value());
}

TEST(Slope, keeps_the_shares_of_strata_of_unequal_size) {
  // The large stratum succeeds at the second size alone, the small one at the first alone.
  std::vector<SizedTask> tasks;
  for (std::uint32_t i = 0; i < 25; ++i) {
    const bool large = i < 20;
    const double odd = i % 5 == 0 ? 1 : 0;
    tasks.push_back({.stratum = large ? 0U : 1U,
                     .successes = {large ? odd : 1.0, large ? 1.0 - odd : 0.0},
                     .n = {1, 1}});
  }
  const auto slope =
      bootstrap_slope(std::vector<double>{1, 2},
                      tasks,
                      {.draws = 4000, .confidence = 0.05, .seed = base::digest_of("s")});
  ASSERT_TRUE(slope.has_value());
  // An interval of hardly any confidence is the median.
  EXPECT_NEAR((slope->interval.low + slope->interval.high) / 2, slope->fit.slope, 0.1);
}

}  // namespace
}  // namespace sortie::stats
