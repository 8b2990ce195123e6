#include "sortie/stats/paired.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include <boost/math/distributions/binomial.hpp>

namespace sortie::stats {

namespace {

using Binomial = boost::math::binomial_distribution<double>;

/// For each number of discordant pairs up to `pairs` the largest smaller count that is still
/// significant; -1 where none is. One more discordant pair raises it by one at most.
std::vector<std::int64_t> critical_counts(std::uint64_t pairs, double alpha) {
  std::vector<std::int64_t> critical;
  critical.reserve(pairs + 1);
  std::int64_t last = -1;
  for (std::uint64_t d = 0; d <= pairs; ++d) {
    const auto next = static_cast<std::uint64_t>(last + 1);
    if (2 * next <= d && mcnemar_exact(next, d - next) <= alpha) {
      last = static_cast<std::int64_t>(next);
    }
    critical.push_back(last);
  }
  return critical;
}

/// Power of the test when a discordant pair favours the first side with probability `favour`.
double power_of(const std::vector<std::int64_t>& critical,
                const PowerQuestion& question,
                double favour) {
  const Binomial discordant(static_cast<double>(question.tasks), question.discordant);
  double power = 0;
  for (std::uint64_t d = 0; d <= question.tasks; ++d) {
    const double weight = boost::math::pdf(discordant, static_cast<double>(d));
    const std::int64_t c = critical[d];
    if (c < 0 || weight < 1e-12) {
      continue;
    }
    const Binomial first(static_cast<double>(d), favour);
    const double few = boost::math::cdf(first, static_cast<double>(c));
    const double many = boost::math::cdf(
        boost::math::complement(first, static_cast<double>(d) - static_cast<double>(c) - 1));
    power += weight * (few + many);
  }
  return power;
}

}  // namespace

double mcnemar_exact(std::uint64_t only_first, std::uint64_t only_second) {
  const std::uint64_t discordant = only_first + only_second;
  if (discordant == 0) {
    return 1;
  }
  const Binomial fair(static_cast<double>(discordant), 0.5);
  const double tail =
      boost::math::cdf(fair, static_cast<double>(std::min(only_first, only_second)));
  return std::min(1.0, 2 * tail);
}

std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.size());
  double running = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto factor = static_cast<double>(order.size() - rank);
    running = std::max(running, std::min(1.0, factor * p_values[order[rank]]));
    adjusted[order[rank]] = running;
  }
  return adjusted;
}

double detectable_difference(const PowerQuestion& question) {
  const std::vector<std::int64_t> critical = critical_counts(question.tasks, question.alpha);
  if (power_of(critical, question, 1.0) < question.power) {
    return 1;
  }
  double low = 0.5;
  double high = 1.0;
  for (int step = 0; step < 40; ++step) {
    const double middle = (low + high) / 2;
    (power_of(critical, question, middle) < question.power ? low : high) = middle;
  }
  // Of the discordant pairs `high` favour one side and the rest the other.
  return question.discordant * (2 * high - 1);
}

}  // namespace sortie::stats
