#include "sortie/stats/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <ranges>
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

/// The p at which a quantile of such a normal deviate is reached, two-sided.
double two_sided(double deviate) {
  return 2 * boost::math::cdf(boost::math::normal_distribution<double>(), -std::abs(deviate));
}

/// Every task has the mean `value`: a share of tasks that Wilson's interval of none in n does not
/// rule out may have any other.
Resampled of_alike(double value, std::size_t tasks, Range range, double confidence) {
  const double unseen = wilson(0, tasks, confidence).high;
  // Wilson's bound is z² / (n + z²); the interval reaches zero where it is |v| / (|v| + |far end|).
  const double far = value > 0 ? -range.low : range.high;
  const double z_squared = far > 0 ? static_cast<double>(tasks) * std::abs(value) / far : 0;
  return {.interval = {.low = (1 - unseen) * value + unseen * range.low,
                       .high = (1 - unseen) * value + unseen * range.high},
          .p = two_sided(std::sqrt(z_squared))};
}

/// The largest share of the sorted values at which their quantile is not above zero, or the
/// smallest that they can show.
double share_below_zero(const std::vector<double>& sorted) {
  const auto n = static_cast<double>(sorted.size());
  const auto above = std::ranges::upper_bound(sorted, 0.0);
  if (above == sorted.end()) {
    return 1;
  }
  const double least = 1 / (n + 1);
  if (above == sorted.begin()) {
    return least;
  }
  const double below = *(above - 1);
  const double at =
      static_cast<double>(above - sorted.begin()) - 1 + (0 - below) / (*above - below);
  return std::max(least, at / (n - 1));
}

Resampled resample_mean(const std::vector<TaskResult>& tasks,
                        Range range,
                        const BootstrapOptions& options) {
  const Resampled nothing{.interval = {.low = range.low, .high = range.high}};
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
    return nothing;
  }
  const std::span<const double> weights = resampler.weights();
  std::vector<double> means;
  means.reserve(options.draws);
  for (std::size_t draw = 0; draw < options.draws; ++draw) {
    double sum = 0;
    double count = 0;
    const std::span<const std::uint32_t> picks = resampler.next();
    for (std::size_t i = 0; i < picks.size(); ++i) {
      sum += weights[i] * used[picks[i]].sum;
      count += weights[i] * used[picks[i]].count;
    }
    means.push_back(sum / count);
  }
  const auto [least, most] = std::ranges::minmax(means);
  constexpr double kAlike = 1e-12;
  if (most - least < kAlike) {
    return of_alike(means.front(), used.size(), range, options.confidence);
  }
  return expanded_percentiles(means, options.confidence, resampler.degrees_of_freedom())
      .value_or(nothing);
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
    const auto n = static_cast<double>(tasks.size());
    weights_.insert(weights_.end(), tasks.size() - 1, n / (n - 1));
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

std::optional<Resampled> expanded_percentiles(std::vector<double>& values,
                                              double confidence,
                                              std::size_t degrees_of_freedom) {
  if (values.empty() || degrees_of_freedom == 0) {
    return std::nullopt;
  }
  std::ranges::sort(values);
  const double tail = (1 - confidence) / 2;
  const boost::math::students_t_distribution<double> student(
      static_cast<double>(degrees_of_freedom));
  const boost::math::normal_distribution<double> normal;
  const double expanded = boost::math::cdf(normal, boost::math::quantile(student, tail));
  if (expanded * (static_cast<double>(values.size()) + 1) < 1) {
    return std::nullopt;
  }
  std::vector<double> mirrored;
  mirrored.reserve(values.size());
  for (const double value : values | std::views::reverse) {
    mirrored.push_back(-value);
  }
  // The expansion backwards: the tail of Student's distribution for which zero is the percentile.
  const double share = std::min(share_below_zero(values), share_below_zero(mirrored));
  const double p =
      share < 0.5 ? 2 * boost::math::cdf(student, boost::math::quantile(normal, share)) : 1;
  return Resampled{
      .interval = {.low = quantile(values, expanded), .high = quantile(values, 1 - expanded)},
      .p = std::min(1.0, p)};
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
