#include "sortie/engine/latency.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

TEST(LatencyHistogram, knows_nothing_before_the_first_answer) {
  const LatencyHistogram none;
  EXPECT_EQ(none.count(), 0U);
  EXPECT_EQ(none.quantile(0.5), std::nullopt);
}

TEST(LatencyHistogram, gives_quantiles_within_one_part_in_twenty_two) {
  base::RandomStream random(base::Digest{});
  LatencyHistogram histogram;
  std::vector<double> sorted;
  for (int i = 0; i < 10'000; ++i) {
    const double seconds = 0.05 * std::exp(4 * random.uniform());
    histogram.add(base::from_seconds(seconds));
    sorted.push_back(seconds);
  }
  std::ranges::sort(sorted);
  for (const double share : {0.01, 0.5, 0.95, 0.99}) {
    const double truth = sorted.at(static_cast<std::size_t>(share * 10'000) - 1);
    EXPECT_NEAR(base::seconds(histogram.quantile(share).value()) / truth, 1, 0.045) << share;
  }
}

TEST(LatencyHistogram, takes_the_shortest_and_the_longest) {
  LatencyHistogram histogram;
  histogram.add({});
  EXPECT_LE(histogram.quantile(1).value(), std::chrono::milliseconds(1));
  histogram.add(std::chrono::hours(10));
  EXPECT_GT(histogram.quantile(1).value(), std::chrono::hours(1));
}

TEST(LatencyHistogram, forgets_what_was_long_ago) {
  LatencyHistogram recent(100);
  LatencyHistogram all;
  for (int i = 0; i < 1000; ++i) {
    const auto took = i < 800 ? std::chrono::milliseconds(10) : std::chrono::seconds(2);
    recent.add(took);
    all.add(took);
  }
  EXPECT_GT(recent.quantile(0.1).value(), std::chrono::seconds(1));
  EXPECT_LT(all.quantile(0.5).value(), std::chrono::milliseconds(11));
  EXPECT_EQ(all.count(), 1000U);
  EXPECT_LE(recent.count(), 200U);
  EXPECT_GE(recent.count(), 100U);
}

}  // namespace
}  // namespace sortie::engine
