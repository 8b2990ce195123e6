#include "sortie/sim/draws.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/sim/profile.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sim {
namespace {

constexpr std::string_view kTrial = "00112233445566778899aabbccddeeff";

TEST(RequestIdentity, is_read_from_the_header) {
  const auto identity = identity_from_header(std::string(kTrial) + "/7/2");
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->trial.hex(), kTrial);
  EXPECT_EQ(identity->turn, 7U);
  EXPECT_EQ(identity->attempt, 2U);
  EXPECT_TRUE(identity->from_header);
}

TEST(RequestIdentity, refuses_other_shapes) {
  const std::string trial(kTrial);
  for (const std::string& bad : {std::string(),
                                 trial,
                                 trial + "/1",
                                 trial + "/1/",
                                 trial + "/-1/2",
                                 trial + "/1/2/3",
                                 trial.substr(1) + "/1/2",
                                 "x" + trial.substr(1) + "/1/2",
                                 trial + "/ 1/2"}) {
    EXPECT_FALSE(identity_from_header(bad).has_value()) << bad;
  }
}

TEST(TrialDraws, differ_by_everything_they_are_keyed_by) {
  const base::Digest trial = base::digest_of("trial");
  const TrialDraws draws(1, "m", trial);
  EXPECT_EQ(draws.of_turn(3, 0), TrialDraws(1, "m", trial).of_turn(3, 0));
  EXPECT_NE(draws.of_turn(3, 0), TrialDraws(2, "m", trial).of_turn(3, 0));
  EXPECT_NE(draws.of_turn(3, 0), TrialDraws(1, "n", trial).of_turn(3, 0));
  EXPECT_NE(draws.of_turn(3, 0), TrialDraws(1, "m", base::digest_of("other")).of_turn(3, 0));
  EXPECT_NE(draws.of_turn(3, 0), draws.of_turn(4, 0));
  EXPECT_NE(draws.of_turn(3, 0), draws.of_turn(3, 1));
  EXPECT_NE(draws.of_turn(0, 0), draws.of_step(0, 0));
}

TEST(AttemptDraws, differ_by_attempt) {
  RequestIdentity identity{.trial = base::digest_of("trial"), .turn = 1, .attempt = 0};
  base::RandomStream first = attempt_draws(1, "m", identity);
  identity.attempt = 1;
  base::RandomStream second = attempt_draws(1, "m", identity);
  EXPECT_NE(first.bits(), second.bits());
}

/// Largest distance between the empirical and the declared distribution function
/// (Kolmogorov–Smirnov).
double distance_to_law(const LogNormal& law, std::vector<double> values) {
  std::ranges::sort(values);
  double largest = 0;
  const auto n = static_cast<double>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double z = (std::log(values[i]) - std::log(law.median)) / law.sigma;
    const double expected = 0.5 * std::erfc(-z / std::sqrt(2.0));
    largest = std::max({largest,
                        std::abs(expected - static_cast<double>(i) / n),
                        std::abs(expected - static_cast<double>(i + 1) / n)});
  }
  return largest;
}

TEST(LogNormalLaw, is_followed) {
  const LogNormal law{.median = 200, .sigma = 0.5};
  base::RandomStream stream(base::digest_of("law"));
  std::vector<double> values;
  for (int i = 0; i < 20'000; ++i) {
    const double u = stream.uniform();
    values.push_back(log_normal(law, u, stream.uniform()));
  }
  // 1.95 / sqrt(n) is the 0.1 % critical value of the test.
  EXPECT_LT(distance_to_law(law, values), 1.95 / std::sqrt(20'000.0));
}

TEST(LogNormalLaw, without_a_median_is_zero_and_without_spread_constant) {
  EXPECT_EQ(log_normal({.median = 0, .sigma = 1}, 0.3, 0.4), 0);
  EXPECT_DOUBLE_EQ(log_normal({.median = 5, .sigma = 0}, 0.3, 0.4), 5);
  EXPECT_TRUE(std::isfinite(log_normal({.median = 5, .sigma = 1}, 0.0, 0.0)));
}

}  // namespace
}  // namespace sortie::sim
