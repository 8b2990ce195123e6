#include "sortie/stats/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace sortie::stats {

namespace {

/// Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996).
double quantile(const std::vector<double>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// What differs between scores and differences of scores: the range of a task's mean.
struct Range {
  double low = 0;
  double high = 1;
};

/// Every task has the mean `value`: a share of tasks that Wilson's interval of none in n does not
/// rule out may have any other.
Interval interval_of_alike(double value, std::size_t tasks, Range range, double confidence) {
  const double unseen = wilson(0, tasks, confidence).high;
  return {.low = (1 - unseen) * value + unseen * range.low,
          .high = (1 - unseen) * value + unseen * range.high};
}

struct Resampled {
  Interval interval;
  double p = 1;
};

Resampled resample_mean(const std::vector<TaskResult>& tasks,
                        Range range,
                        const BootstrapOptions& options) {
  Resampled result{.interval = {.low = range.low, .high = range.high}};
  std::vector<std::uint32_t> strata;
  std::vector<TaskResult> used;
  for (const TaskResult& task : tasks) {
    if (task.count > 0) {
      strata.push_back(task.stratum);
      used.push_back(task);
    }
  }
  TaskResampler resampler(strata, options.seed);
  if (resampler.degrees_of_freedom() == 0 || options.draws == 0) {
    return result;
  }
  std::vector<double> means;
  means.reserve(options.draws);
  for (std::size_t draw = 0; draw < options.draws; ++draw) {
    double sum = 0;
    double count = 0;
    for (const std::uint32_t pick : resampler.next()) {
      sum += used[pick].sum;
      count += used[pick].count;
    }
    means.push_back(sum / count);
  }
  const auto [least, most] = std::ranges::minmax(means);
  constexpr double kAlike = 1e-12;
  if (most - least < kAlike) {
    result.interval = interval_of_alike(means.front(), used.size(), range, options.confidence);
  } else {
    result.interval =
        expanded_percentiles(means, options.confidence, resampler.degrees_of_freedom());
  }
  result.p = bootstrap_p(means);
  return result;
}

}  // namespace

TaskResampler::TaskResampler(std::span<const std::uint32_t> strata, const base::Digest& seed)
    : random_(seed) {
  std::map<std::uint32_t, std::vector<std::uint32_t>> members;
  for (std::uint32_t task = 0; task < strata.size(); ++task) {
    members[strata[task]].push_back(task);
  }
  std::vector<std::uint32_t> single;
  for (auto& [stratum, tasks] : members) {
    if (tasks.size() == 1) {
      single.push_back(tasks.front());
    } else {
      strata_.push_back(std::move(tasks));
    }
  }
  if (single.size() == 1 && !strata_.empty()) {
    strata_.back().push_back(single.front());
  } else if (!single.empty()) {
    strata_.push_back(std::move(single));
  }
  std::size_t degrees = 0;
  for (const std::vector<std::uint32_t>& tasks : strata_) {
    degrees += tasks.size() - 1;
  }
  picks_.resize(degrees);
}

std::span<const std::uint32_t> TaskResampler::next() {
  constexpr unsigned kHalf = 32;
  std::size_t at = 0;
  std::uint64_t bits = 0;
  bool half = false;
  for (const std::vector<std::uint32_t>& tasks : strata_) {
    for (std::size_t i = 0; i + 1 < tasks.size(); ++i) {
      bits = half ? bits >> kHalf : random_.bits();
      half = !half;
      // Multiply and shift: the bias is below n / 2^32.
      const std::uint64_t pick = ((bits & 0xFFFFFFFFU) * tasks.size()) >> kHalf;
      picks_[at++] = tasks[static_cast<std::size_t>(pick)];
    }
  }
  return picks_;
}

Interval expanded_percentiles(std::vector<double>& values,
                              double confidence,
                              std::size_t degrees_of_freedom) {
  std::ranges::sort(values);
  const double tail = (1 - confidence) / 2;
  const boost::math::students_t_distribution<double> student(
      static_cast<double>(degrees_of_freedom));
  const double expanded = boost::math::cdf(boost::math::normal_distribution<double>(),
                                           boost::math::quantile(student, tail));
  return {.low = quantile(values, expanded), .high = quantile(values, 1 - expanded)};
}

double bootstrap_p(std::span<const double> values) {
  const auto low = std::ranges::count_if(values, [](double value) { return value <= 0; });
  const auto high = std::ranges::count_if(values, [](double value) { return value >= 0; });
  const auto fewer = static_cast<double>(std::min(low, high));
  return std::min(1.0, 2 * (fewer + 1) / (static_cast<double>(values.size()) + 1));
}

Interval bootstrap_mean(const std::vector<TaskResult>& tasks, const BootstrapOptions& options) {
  return resample_mean(tasks, {.low = 0, .high = 1}, options).interval;
}

Difference bootstrap_difference(const std::vector<PairedTask>& tasks,
                                const BootstrapOptions& options) {
  // On common pairs the difference of means is the mean of differences.
  std::vector<TaskResult> differences;
  differences.reserve(tasks.size());
  double sum = 0;
  double pairs = 0;
  for (const PairedTask& task : tasks) {
    differences.push_back(
        {.stratum = task.stratum, .sum = task.first - task.second, .count = task.pairs});
    sum += task.first - task.second;
    pairs += task.pairs;
  }
  const Resampled resampled = resample_mean(differences, {.low = -1, .high = 1}, options);
  return {.mean = pairs > 0 ? sum / pairs : 0, .interval = resampled.interval, .p = resampled.p};
}

}  // namespace sortie::stats
