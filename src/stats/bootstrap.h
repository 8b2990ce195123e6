#pragma once

#include "sortie/base/hash.h"
#include "sortie/stats/proportion.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::stats {

/// All results that share one task: their sum and number. The task is the unit that is drawn.
struct TaskResult {
  std::uint32_t stratum = 0;  // the task's type: strata keep their sizes
  double sum = 0;             // of the scores of its trials
  double count = 0;           // of its trials
};

struct BootstrapOptions {
  std::size_t draws = 2000;
  double confidence = 0.95;
  base::Digest seed;  // equal inputs and seeds give equal intervals, bit for bit
};

/// Percentile bootstrap of the mean over trials, drawing whole tasks with replacement within each
/// stratum: the interval for every estimate that pools trials sharing tasks. No tasks: [0, 1].
/// Input order does not matter within a stratum's order of appearance; sort by task for
/// reproducible results.
[[nodiscard]] Interval bootstrap_mean(const std::vector<TaskResult>& tasks,
                                      const BootstrapOptions& options);

}  // namespace sortie::stats
