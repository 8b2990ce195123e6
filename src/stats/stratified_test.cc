#include "sortie/stats/stratified.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <boost/math/distributions/binomial.hpp>
#include <gtest/gtest.h>

namespace sortie::stats {
namespace {

using Strata = std::vector<StratumCount>;

StratumCount all_of(const Strata& strata) {
  StratumCount all;
  for (const StratumCount& stratum : strata) {
    all.successes += stratum.successes;
    all.n += stratum.n;
  }
  return all;
}

Interval without_strata(const Strata& strata) {
  const StratumCount all = all_of(strata);
  return wilson(all.successes, all.n);
}

/// Calls `check` for every outcome of strata with so many trials.
void for_each_outcome(const std::vector<std::uint64_t>& sizes,
                      const std::function<void(const Strata&)>& check) {
  Strata strata;
  for (const std::uint64_t n : sizes) {
    strata.push_back({.successes = 0, .n = n});
  }
  for (std::size_t at = 0; at < strata.size();) {
    check(strata);
    for (at = 0; at < strata.size() && strata[at].successes == strata[at].n; ++at) {
      strata[at].successes = 0;
    }
    if (at < strata.size()) {
      ++strata[at].successes;
    }
  }
}

/// What Martín Andrés, Álvarez Hernández and Herranz Tejedor (2011) equate to zero: their score
/// equation for Σ a p, solved for the strata's rates, here with a = n / Σ n and z² (n - 1) / (n -
/// k).
double published_equation(const Strata& strata, double rate) {
  const StratumCount all = all_of(strata);
  const auto n = static_cast<double>(all.n);
  const double z = 1.959963984540054;
  const double limit = z * z * (n - 1) / (n - static_cast<double>(strata.size()));
  const double rest = static_cast<double>(all.successes) / n - rate;
  double roots = 0;
  for (const StratumCount& stratum : strata) {
    const auto own = static_cast<double>(stratum.n);
    const double a = own / n;
    const double b = 1 - 2 * static_cast<double>(stratum.successes) / own;
    roots +=
        std::sqrt(own * own * rest * rest + a * a * limit * limit + 2 * own * a * b * rest * limit);
  }
  return n * rest + (1 - 2 * rate) * limit - (rest > 0 ? roots : -roots);
}

TEST(StratifiedScore, agrees_with_an_independent_computation) {
  // mpmath 1.3 with 40 digits: bisection of the published equation along the rate, and Wilson's
  // bounds where these are nearer.
  struct Case {
    Strata strata;
    double low = 0;
    double high = 0;
  };

  const Case cases[] = {
      {{{12, 20}, {3, 5}, {15, 20}, {1, 5}, {6, 20}}, 0.417438801798068, 0.636463998666816},
      {{{20, 20}, {0, 20}}, 0.417666458496259, 0.582333541503741},
      {{{1, 20}, {0, 20}, {0, 20}, {0, 20}, {0, 20}}, 0.00176743206414065, 0.0498005292518865},
      {{{19, 20}, {1, 1}, {0, 1}, {4, 10}}, 0.606663294285109, 0.857868007458174},
      {{{2, 10}, {9, 12}}, 0.318813415303265, 0.679295617035626},
      {{{18, 20}, {17, 20}, {20, 20}, {12, 20}, {6, 20}}, 0.652688791949055, 0.79925841163928},
      {{{73, 158}, {32, 107}, {44, 175}, {34, 92}, {104, 143}},
       0.390645458967198,
       0.460553597981516},
      {{{32, 107}, {34, 92}}, 0.2699770331565, 0.399690283090504}};
  for (const Case& one : cases) {
    const Interval interval = stratified_score(one.strata);
    EXPECT_NEAR(interval.low, one.low, 1e-13);
    EXPECT_NEAR(interval.high, one.high, 1e-13);
  }
}

TEST(StratifiedScore, solves_the_published_equation_or_is_bounded_by_wilson) {
  int solved = 0;
  for_each_outcome({3, 9, 14}, [&](const Strata& strata) {
    const StratumCount all = all_of(strata);
    if (all.successes == 0 || all.successes == all.n) {
      return;
    }
    const Interval interval = stratified_score(strata);
    const Interval bound = without_strata(strata);
    for (const auto& [end, limit] :
         {std::pair(interval.low, bound.low), std::pair(interval.high, bound.high)}) {
      if (end != limit) {
        EXPECT_NEAR(published_equation(strata, end), 0, 1e-9);
        ++solved;
      }
    }
  });
  EXPECT_GT(solved, 500);
}

TEST(StratifiedScore, is_wilsons_where_strata_say_nothing) {
  for (std::uint64_t n : {1U, 2U, 20U, 500U}) {
    for (std::uint64_t k = 0; k <= n; k += n < 10 ? 1 : n / 10) {
      const Interval expected = wilson(k, n);
      for (const Strata& strata : {Strata{{k, n}}, Strata{{0, 0}, {k, n}, {0, 0}}}) {
        EXPECT_EQ(stratified_score(strata).low, expected.low);
        EXPECT_EQ(stratified_score(strata).high, expected.high);
      }
    }
  }
  // None and all of n; as many strata as trials.
  for (const Strata& strata : {Strata{{0, 20}, {0, 5}, {0, 1}},
                               Strata{{20, 20}, {5, 5}, {1, 1}},
                               Strata{{1, 1}, {0, 1}},
                               Strata{{1, 1}, {0, 1}, {0, 1}, {0, 0}}}) {
    EXPECT_EQ(stratified_score(strata).low, without_strata(strata).low);
    EXPECT_EQ(stratified_score(strata).high, without_strata(strata).high);
  }
}

TEST(StratifiedScore, knows_nothing_without_trials) {
  for (const Strata& strata : {Strata{}, Strata{{0, 0}, {0, 0}}}) {
    EXPECT_EQ(stratified_score(strata).low, 0);
    EXPECT_EQ(stratified_score(strata).high, 1);
  }
}

TEST(StratifiedScore, contains_the_share_within_wilsons_interval_and_is_symmetric) {
  for (const std::vector<std::uint64_t>& sizes :
       {std::vector<std::uint64_t>{1, 1, 7}, {2, 2, 2}, {1, 5, 12}, {20, 20}}) {
    for_each_outcome(sizes, [](const Strata& strata) {
      const Interval interval = stratified_score(strata);
      const Interval outer = without_strata(strata);
      const StratumCount all = all_of(strata);
      const double share = static_cast<double>(all.successes) / static_cast<double>(all.n);
      EXPECT_GE(interval.low, outer.low);
      EXPECT_LE(interval.high, outer.high);
      EXPECT_LE(interval.low, share);
      EXPECT_GE(interval.high, share);
      // No outcome says more than none of n.
      EXPECT_GE(interval.high - interval.low, wilson(0, all.n).high - 1e-12);
      Strata mirrored = strata;
      for (StratumCount& stratum : mirrored) {
        stratum.successes = stratum.n - stratum.successes;
      }
      EXPECT_NEAR(stratified_score(mirrored).low, 1 - interval.high, 1e-12);
    });
  }
}

TEST(StratifiedScore, has_the_width_of_one_unseen_stratum_where_all_are_empty_or_full) {
  // Only the full one can have been less than full for the rate to be lower: half of Wilson's
  // distance at z² (n - 1) / (n - k).
  const Interval interval = stratified_score(Strata{{20, 20}, {0, 20}});
  const double limit = 1.959963984540054 * 1.959963984540054 * 39 / 38;
  EXPECT_NEAR(interval.low, 0.5 - 0.5 * limit / (20 + limit), 1e-12);
  EXPECT_NEAR(interval.high, 0.5 + 0.5 * limit / (20 + limit), 1e-12);
}

TEST(StratifiedScore, is_tighter_with_less_confidence) {
  const Strata strata{{12, 20}, {3, 5}, {15, 20}};
  const Interval wide = stratified_score(strata, 0.95);
  const Interval tight = stratified_score(strata, 0.8);
  EXPECT_GT(tight.low, wide.low);
  EXPECT_LT(tight.high, wide.high);
}

// --- Exact coverage: every outcome with its probability

/// How often this and Wilson's interval contain the rate.
std::pair<double, double> coverage(const std::vector<std::uint64_t>& sizes,
                                   const std::vector<double>& rates) {
  double truth = 0;
  double trials = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    truth += static_cast<double>(sizes[i]) * rates[i];
    trials += static_cast<double>(sizes[i]);
  }
  truth /= trials;
  double stratified = 0;
  double plain = 0;
  for_each_outcome(sizes, [&](const Strata& strata) {
    double chance = 1;
    for (std::size_t i = 0; i < strata.size(); ++i) {
      const boost::math::binomial_distribution<double> outcomes(static_cast<double>(strata[i].n),
                                                                rates[i]);
      chance *= boost::math::pdf(outcomes, static_cast<double>(strata[i].successes));
    }
    const Interval own = stratified_score(strata);
    const Interval outer = without_strata(strata);
    stratified += own.low <= truth && truth <= own.high ? chance : 0;
    plain += outer.low <= truth && truth <= outer.high ? chance : 0;
  });
  return {stratified, plain};
}

TEST(StratifiedScore, covers_what_it_says_where_wilsons_interval_covers_too_much) {
  double stratified = 0;
  double plain = 0;
  constexpr int kWorlds = 9;
  for (int world = 0; world < kWorlds; ++world) {
    const double shift = 0.01 * world;
    const auto [own, outer] = coverage({20, 6, 14}, {0.85 + shift, 0.5 + shift, 0.15 + shift});
    EXPECT_GE(own, 0.93);
    EXPECT_LE(own, 0.97);
    stratified += own;
    plain += outer;
  }
  EXPECT_NEAR(stratified / kWorlds, 0.95, 0.005);
  EXPECT_GT(plain / kWorlds, 0.98);
}

}  // namespace
}  // namespace sortie::stats
