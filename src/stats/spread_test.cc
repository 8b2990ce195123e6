#include "sortie/stats/spread.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::stats {
namespace {

TEST(StandardDeviation, divides_by_one_fewer) {
  // NIST/SEMATECH e-Handbook, Statistical Reference Datasets, "NumAcc1": exactly 1.
  EXPECT_DOUBLE_EQ(*standard_deviation(std::vector<double>{10000001, 10000003, 10000002}), 1);
  EXPECT_NEAR(*standard_deviation(std::vector<double>{0.5, 0.9}), 0.4 / std::sqrt(2), 1e-15);
  EXPECT_FALSE(standard_deviation(std::vector<double>{0.5}).has_value());
}

TEST(LossBounds, are_the_rates_of_both_extremes) {
  const Interval bounds = loss_bounds({.successes = 60, .scored = 80, .lost = 20});
  EXPECT_DOUBLE_EQ(bounds.low, 0.6);
  EXPECT_DOUBLE_EQ(bounds.high, 0.8);
  EXPECT_EQ(loss_bounds({}).low, 0);
  EXPECT_EQ(loss_bounds({}).high, 1);
}

TEST(LossBounds, contain_the_undisturbed_rate_where_long_dialogues_are_lost_more_often) {
  // Failures are longer, and each turn has its own risk: what is left looks better than it is.
  base::RandomStream random(base::digest_of("losses"));
  constexpr int kCampaigns = 1000;
  constexpr std::uint64_t kTrials = 100;
  int contained = 0;
  double bias = 0;
  for (int campaign = 0; campaign < kCampaigns; ++campaign) {
    const double rate = 0.2 + 0.6 * random.uniform();
    std::uint64_t undisturbed = 0;
    LossCounts counts;
    for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
      const bool success = random.uniform() < rate;
      const auto turns = static_cast<double>(success ? 4 + random.below(6) : 10 + random.below(20));
      const bool lost = random.uniform() > std::pow(0.985, turns);
      undisturbed += success ? 1U : 0U;
      counts.lost += lost ? 1U : 0U;
      counts.scored += lost ? 0U : 1U;
      counts.successes += success && !lost ? 1U : 0U;
    }
    const double truth = static_cast<double>(undisturbed) / kTrials;
    const Interval bounds = loss_bounds(counts);
    contained += bounds.low <= truth && truth <= bounds.high ? 1 : 0;
    bias += static_cast<double>(counts.successes) / static_cast<double>(counts.scored) - truth;
  }
  EXPECT_EQ(contained, kCampaigns);
  EXPECT_GT(bias / kCampaigns, 0.02);  // without the bounds the rates would be wrong, and upwards
}

}  // namespace
}  // namespace sortie::stats
