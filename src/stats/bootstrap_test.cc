#include "sortie/stats/bootstrap.h"

#include "sortie/stats/proportion.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::stats {
namespace {

TEST(Bootstrap, is_a_function_of_its_inputs_and_seed) {
  std::vector<TaskResult> tasks;
  for (std::uint32_t i = 0; i < 100; ++i) {
    tasks.push_back({.stratum = i % 5, .sum = i % 3 == 0 ? 1.0 : 0.0, .count = 1});
  }
  const Interval a = bootstrap_mean(tasks, {.seed = base::digest_of("a")});
  const Interval again = bootstrap_mean(tasks, {.seed = base::digest_of("a")});
  EXPECT_EQ(a.low, again.low);
  EXPECT_EQ(a.high, again.high);
  EXPECT_LT(a.low, 0.34);
  EXPECT_GT(a.high, 0.34);
}

TEST(Bootstrap, allows_for_unseen_tasks_where_all_are_alike) {
  const std::vector<TaskResult> all(50, {.stratum = 1, .sum = 2, .count = 2});
  const Interval interval = bootstrap_mean(all, {});
  EXPECT_NEAR(interval.low, wilson(50, 50).low, 1e-12);
  EXPECT_EQ(interval.high, 1);
  const std::vector<PairedTask> same(50, {.stratum = 1, .first = 1, .second = 1, .pairs = 1});
  const Difference difference = bootstrap_difference(same, {});
  EXPECT_EQ(difference.mean, 0);
  EXPECT_NEAR(difference.interval.low, -wilson(0, 50).high, 1e-12);
  EXPECT_NEAR(difference.interval.high, wilson(0, 50).high, 1e-12);
  EXPECT_EQ(difference.p, 1);
}

TEST(Bootstrap, knows_nothing_from_fewer_than_two_tasks) {
  EXPECT_EQ(bootstrap_mean({}, {}).low, 0);
  EXPECT_EQ(bootstrap_mean({}, {}).high, 1);
  EXPECT_EQ(bootstrap_mean({{.stratum = 1, .sum = 3, .count = 4}}, {}).low, 0);
  const Difference one =
      bootstrap_difference({{.stratum = 1, .first = 1, .second = 0, .pairs = 1}}, {});
  EXPECT_EQ(one.mean, 1);
  EXPECT_EQ(one.interval.low, -1);
  EXPECT_EQ(one.interval.high, 1);
}

TEST(Bootstrap, draws_one_task_fewer_than_a_stratum_has_and_collapses_single_ones) {
  const std::vector<std::uint32_t> strata = {7, 7, 7, 1, 2, 3};
  TaskResampler resampler(strata, base::digest_of("s"));
  EXPECT_EQ(resampler.degrees_of_freedom(), 4U);
  for (int draw = 0; draw < 100; ++draw) {
    const auto picks = resampler.next();
    ASSERT_EQ(picks.size(), 4U);
    int of_seven = 0;
    for (const std::uint32_t pick : picks) {
      of_seven += strata[pick] == 7 ? 1 : 0;
    }
    EXPECT_EQ(of_seven, 2);
  }
}

TEST(Bootstrap, keeps_the_shares_of_strata_of_unequal_size) {
  // A stratum of 20 that always succeeds and one of 4 that never does: nothing varies within.
  std::vector<TaskResult> tasks(20, {.stratum = 1, .sum = 1, .count = 1});
  tasks.insert(tasks.end(), 4, {.stratum = 2, .sum = 0, .count = 1});
  const Interval interval = bootstrap_mean(tasks, {});
  const double rate = 20.0 / 24;
  const double unseen = wilson(0, 24).high;
  EXPECT_NEAR(interval.low, (1 - unseen) * rate, 1e-12);
  EXPECT_NEAR(interval.high, (1 - unseen) * rate + unseen, 1e-12);
  std::vector<PairedTask> pairs;
  for (const TaskResult& task : tasks) {
    pairs.push_back({.stratum = task.stratum, .first = task.sum, .second = 0, .pairs = 1});
  }
  const Difference difference = bootstrap_difference(pairs, {});
  EXPECT_NEAR((difference.interval.low + difference.interval.high) / 2, (1 - unseen) * rate, 1e-12);
}

TEST(Bootstrap, gives_a_p_below_five_percent_just_where_the_interval_excludes_zero) {
  base::RandomStream random(base::digest_of("agree"));
  int excluded = 0;
  for (int world = 0; world < 400; ++world) {
    std::vector<PairedTask> tasks;
    const auto n = 4 + static_cast<std::uint32_t>(world % 9);
    const double shift = 0.1 * (world % 7);
    for (std::uint32_t i = 0; i < n; ++i) {
      const double first = std::min(1.0, random.uniform() * 0.6 + shift);
      tasks.push_back({.stratum = i % 2, .first = first, .second = random.uniform(), .pairs = 1});
    }
    const Difference difference =
        bootstrap_difference(tasks, {.draws = 2000, .seed = base::digest_of("p")});
    const bool excludes = difference.interval.low > 0 || difference.interval.high < 0;
    EXPECT_EQ(difference.p < 0.05, excludes) << n << " tasks, p " << difference.p;
    excluded += excludes ? 1 : 0;
  }
  EXPECT_GT(excluded, 20);
  EXPECT_LT(excluded, 380);
}

TEST(Bootstrap, agrees_with_its_interval_where_all_tasks_are_alike) {
  for (std::size_t n = 2; n < 20; ++n) {
    for (const double value : {-1.0, -0.5, 0.25, 1.0}) {
      const std::vector<PairedTask> tasks(n,
                                          {.stratum = 0,
                                           .first = std::max(value, 0.0),
                                           .second = std::max(-value, 0.0),
                                           .pairs = 1});
      const Difference difference = bootstrap_difference(tasks, {});
      EXPECT_EQ(difference.p < 0.05, difference.interval.low > 0 || difference.interval.high < 0)
          << n << " tasks of " << value;
      EXPECT_GT(difference.p, 0);
    }
  }
}

TEST(Bootstrap, says_nothing_where_too_few_tasks_vary) {
  // Two degrees of freedom: Student's quantile is 4.3 deviations, which 2,000 draws do not show.
  const std::vector<PairedTask> tasks = {{.stratum = 0, .first = 1, .second = 0, .pairs = 1},
                                         {.stratum = 0, .first = 1, .second = 0.1, .pairs = 1},
                                         {.stratum = 0, .first = 1, .second = 0.2, .pairs = 1}};
  const Difference difference = bootstrap_difference(tasks, {});
  EXPECT_EQ(difference.interval.low, -1);
  EXPECT_EQ(difference.interval.high, 1);
  EXPECT_EQ(difference.p, 1);
}

TEST(Bootstrap, has_the_textbook_variance_of_a_stratified_mean) {
  // Var = Σ (n_h / n)² s_h² / n_h with the unbiased s_h², which the plain bootstrap misses by
  // (n_h - 1) / n_h: here by a quarter.
  std::vector<std::uint32_t> strata;
  std::vector<double> values;
  double expected = 0;
  for (std::uint32_t h = 0; h < 10; ++h) {
    const std::vector<double> own = {0.1 * h, 1, 0.3, 0.05 * h * h};
    double mean = 0;
    for (const double value : own) {
      strata.push_back(h);
      values.push_back(value);
      mean += value / 4;
    }
    double squares = 0;
    for (const double value : own) {
      squares += (value - mean) * (value - mean);
    }
    expected += 0.01 * squares / 3 / 4;
  }
  TaskResampler resampler(strata, base::digest_of("variance"));
  constexpr int kDraws = 40000;
  double sum = 0;
  double squares = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    double mean = 0;
    for (const std::uint32_t pick : resampler.next()) {
      mean += values[pick] / 30;
    }
    sum += mean;
    squares += mean * mean;
  }
  const double variance = squares / kDraws - (sum / kDraws) * (sum / kDraws);
  // The variance of a variance of so many near-normal draws is 2/n: five of its deviations.
  EXPECT_NEAR(variance / expected, 1, 5 * std::sqrt(2.0 / kDraws));
}

TEST(Bootstrap, takes_the_difference_of_graded_scores_over_common_pairs) {
  std::vector<PairedTask> tasks;
  for (std::uint32_t i = 0; i < 40; ++i) {
    tasks.push_back({.stratum = i % 2,
                     .first = i % 4 == 0 ? 1.5 : 1.0,
                     .second = i % 4 == 1 ? 1.0 : 0.5,
                     .pairs = 2});
  }
  const Difference difference = bootstrap_difference(tasks, {.seed = base::digest_of("d")});
  EXPECT_NEAR(difference.mean, 0.25, 1e-12);
  EXPECT_LT(difference.interval.low, 0.25);
  EXPECT_GT(difference.interval.low, 0);
  EXPECT_GT(difference.interval.high, 0.25);
  EXPECT_LT(difference.p, 0.01);
  EXPECT_GT(difference.p, 0);
}

}  // namespace
}  // namespace sortie::stats
