#include "sortie/stats/stratified.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <boost/math/distributions/normal.hpp>

namespace sortie::stats {

namespace {

/// A stratum's share of successes and its part of all trials.
struct Stratum {
  double share = 0;
  double weight = 0;
};

double rate_over(const std::vector<Stratum>& strata) {
  double rate = 0;
  for (const Stratum& stratum : strata) {
    rate += stratum.weight * stratum.share;
  }
  return rate;
}

/// The most likely rate of a stratum under pressure m > 0 (the Lagrange multiplier of the rate over
/// all strata): the root in [share, 1] of  r - share = m r (1 - r).
double pressed_rate(double share, double m) {
  const double b = 1 - m;
  const double root = std::sqrt(b * b + 4 * m * share);
  return std::min(1.0, b >= 0 ? 2 * share / (b + root) : (root - b) / (2 * m));
}

double pressed_rate_over(const std::vector<Stratum>& strata, double m) {
  double rate = 0;
  for (const Stratum& stratum : strata) {
    rate += stratum.weight * pressed_rate(stratum.share, m);
  }
  return rate;
}

/// The rate above the share of successes at which the score statistic is `limit`. Summed over
/// strata, the equation of the multiplier is  rate - share = m V  with V the variance within
/// strata, so that the statistic  n (rate - share)² / V  is  n m (rate - share): it rises with m,
/// and one search along m finds the bound and the strata's rates together.
double upper_bound(const std::vector<Stratum>& strata, double n, double limit) {
  const double share = rate_over(strata);
  const auto statistic = [&](double m) { return n * m * (pressed_rate_over(strata, m) - share); };
  double low = limit / (n * (1 - share));  // since no rate exceeds 1
  double high = 2 * low;
  while (statistic(high) < limit) {
    low = high;
    high *= 2;
  }
  for (double middle = std::midpoint(low, high); low < middle && middle < high;
       middle = std::midpoint(low, high)) {
    (statistic(middle) < limit ? low : high) = middle;
  }
  return pressed_rate_over(strata, high);
}

}  // namespace

Interval stratified_score(std::span<const StratumCount> strata, double confidence) {
  std::uint64_t successes = 0;
  std::uint64_t trials = 0;
  for (const StratumCount& stratum : strata) {
    successes += stratum.successes;
    trials += stratum.n;
  }
  const Interval without_strata = wilson(successes, trials, confidence);
  const auto n = static_cast<double>(trials);
  std::vector<Stratum> used;
  for (const StratumCount& stratum : strata) {
    if (stratum.n > 0) {
      const auto own = static_cast<double>(stratum.n);
      used.push_back({.share = static_cast<double>(stratum.successes) / own, .weight = own / n});
    }
  }
  const std::uint64_t k = used.size();
  if (k < 2 || k == trials || successes == 0 || successes == trials) {
    return without_strata;
  }
  const double z =
      boost::math::quantile(boost::math::normal_distribution<double>(), 0.5 + confidence / 2);
  const double limit = z * z * (n - 1) / static_cast<double>(trials - k);
  const double share = static_cast<double>(successes) / n;
  const double high = upper_bound(used, n, limit);
  for (Stratum& stratum : used) {
    stratum.share = 1 - stratum.share;
  }
  const double low = 1 - upper_bound(used, n, limit);
  // Rounding must not step over the share of successes.
  return {.low = std::min(share, std::max(without_strata.low, low)),
          .high = std::max(share, std::min(without_strata.high, high))};
}

}  // namespace sortie::stats
