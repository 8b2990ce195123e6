#pragma once

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/stats/proportion.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// Intervals for everything that pools trials sharing tasks. The unit that is drawn is the task,
// with all its results, within its type.
//
// The plain percentile bootstrap is too narrow: its variance is (n - 1)/n of the right one in each
// stratum of n tasks, and it takes normal quantiles where Student's belong. Both are mended: n - 1
// of n tasks are drawn per stratum (McCarthy and Snowden 1985) and each weighs n / (n - 1), so that
// strata of unequal size keep their shares (Rao, Wu and Yue 1992), and the
// percentiles are those of the expanded percentile interval (Hesterberg 2015, "What teachers should
// know about the bootstrap", 5.3). Strata of one task have no variance of their own and are
// collapsed into one (Cochran 1977, 5A.12).

namespace sortie::stats {

/// All results that share one task: their sum and number. The task is the unit that is drawn.
struct TaskResult {
  std::uint32_t stratum = 0;  // the task's type: strata keep their sizes
  double sum = 0;             // of the scores of its trials
  double count = 0;           // of its trials
};

/// The pairs of one task: what two cells scored on the same trials of it.
struct PairedTask {
  std::uint32_t stratum = 0;
  double first = 0;   // sum over the pairs
  double second = 0;  // sum over the pairs
  double pairs = 0;
};

struct BootstrapOptions {
  std::size_t draws = 2000;
  double confidence = 0.95;
  base::Digest seed;  // equal inputs and seeds give equal intervals, bit for bit
};

/// Draws tasks with replacement within their strata, one fewer than there are in each.
class TaskResampler {
 public:
  /// `strata[i]` is the stratum of task i.
  TaskResampler(std::span<const std::uint32_t> strata, const base::Digest& seed);

  /// The positions of the next resample's tasks; valid until the next call.
  [[nodiscard]] std::span<const std::uint32_t> next();

  /// What each of the picks weighs, the same in all resamples: a stratum weighs as much as it has
  /// tasks.
  [[nodiscard]] std::span<const double> weights() const { return weights_; }

  /// Tasks minus strata: 0 when nothing can be said about the variance.
  [[nodiscard]] std::size_t degrees_of_freedom() const { return picks_.size(); }

 private:
  std::vector<std::vector<std::uint32_t>> strata_;  // positions of tasks
  std::vector<std::uint32_t> picks_;
  std::vector<double> weights_;
  base::RandomStream random_;
};

/// An interval, and of its kind the confidence at which one bound would reach zero.
struct Resampled {
  Interval interval;
  double p = 1;  // two-sided, of zero; below 1 - confidence just where the interval excludes zero
};

/// What the resampled values of a statistic say; sorts them. nullopt where they cannot say it: with
/// so few degrees of freedom (below 3, of 2,000 values at 95 %) the percentiles that stand for
/// Student's quantiles lie beyond the outermost values. p is at least what the number of values can
/// show.
[[nodiscard]] std::optional<Resampled> expanded_percentiles(std::vector<double>& values,
                                                            double confidence,
                                                            std::size_t degrees_of_freedom);

/// Interval of the mean over trials of scores in [0, 1]. Where all tasks are alike nothing varies;
/// then the interval allows for as many other tasks as could have stayed unseen, by Wilson's bound
/// of none in so many tasks. Too few tasks for a percentile: [0, 1]. Sort by task for reproducible
/// results.
[[nodiscard]] Interval bootstrap_mean(const std::vector<TaskResult>& tasks,
                                      const BootstrapOptions& options);

struct Difference {
  double mean = 0;  // first minus second, over pairs
  Interval interval{.low = -1, .high = 1};
  double p = 1;  // of no difference: agrees with the interval; 1 where nothing can be said
};

/// The same for the paired difference of scores in [0, 1]: success rates and graded scores alike.
[[nodiscard]] Difference bootstrap_difference(const std::vector<PairedTask>& tasks,
                                              const BootstrapOptions& options);

}  // namespace sortie::stats
