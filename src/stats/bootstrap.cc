#include "sortie/stats/bootstrap.h"

#include "sortie/base/random.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <vector>

namespace sortie::stats {

namespace {

/// Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996).
double quantile(const std::vector<double>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Interval bootstrap_mean(const std::vector<TaskResult>& tasks, const BootstrapOptions& options) {
  std::map<std::uint32_t, std::vector<const TaskResult*>> strata;
  for (const TaskResult& task : tasks) {
    if (task.count > 0) {
      strata[task.stratum].push_back(&task);
    }
  }
  if (strata.empty() || options.draws == 0) {
    return {};
  }
  base::RandomStream random(options.seed);
  std::vector<double> means;
  means.reserve(options.draws);
  for (std::size_t draw = 0; draw < options.draws; ++draw) {
    double sum = 0;
    double count = 0;
    for (const auto& [stratum, members] : strata) {
      for (std::size_t i = 0; i < members.size(); ++i) {
        const TaskResult& task = *members[static_cast<std::size_t>(random.below(members.size()))];
        sum += task.sum;
        count += task.count;
      }
    }
    means.push_back(sum / count);
  }
  std::ranges::sort(means);
  const double tail = (1 - options.confidence) / 2;
  return {.low = quantile(means, tail), .high = quantile(means, 1 - tail)};
}

}  // namespace sortie::stats
