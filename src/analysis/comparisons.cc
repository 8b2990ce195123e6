#include "sortie/analysis/comparisons.h"

#include "sortie/base/hash.h"
#include "sortie/stats/paired.h"
#include "sortie/stats/stratified.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sortie::analysis {

namespace {

/// The types of tasks that have one trial each.
std::vector<stats::StratumCount> types_of(const std::vector<stats::TaskResult>& tasks) {
  std::map<std::uint32_t, stats::StratumCount> types;
  for (const stats::TaskResult& task : tasks) {
    stats::StratumCount& type = types[task.stratum];
    type.successes += task.sum > 0 ? 1U : 0U;
    ++type.n;
  }
  std::vector<stats::StratumCount> strata;
  std::ranges::copy(types | std::views::values, std::back_inserter(strata));
  return strata;
}

/// Successes by task.
class Pool {
 public:
  explicit Pool(const RunRows& rows) : rows_(rows), tasks_(rows.tasks.size()) {}

  void add(const TrialRow& trial) {
    stats::TaskResult& task = tasks_[trial.task];
    task.stratum = rows_.tasks[trial.task].stratum;
    task.sum += trial.success ? 1 : 0;
    task.count += 1;
  }

  Estimate finish(const base::Digest& seed) { return estimate_share(std::move(tasks_), seed); }

 private:
  const RunRows& rows_;
  std::vector<stats::TaskResult> tasks_;
};

/// Both measures of the pairs of one task.
struct TaskPairs {
  stats::PairedTask success;
  stats::PairedTask progress;
};

void add_pair(const TrialRow& first, const TrialRow& second, TaskPairs& task, Comparison& result) {
  ++result.pairs;
  result.both += first.success && second.success ? 1U : 0U;
  result.only_first += first.success && !second.success ? 1U : 0U;
  result.only_second += second.success && !first.success ? 1U : 0U;
  task.success.first += first.success ? 1 : 0;
  task.success.second += second.success ? 1 : 0;
  task.success.pairs += 1;
  task.progress.first += first.progress;
  task.progress.second += second.progress;
  task.progress.pairs += 1;
}

Place place_of(const TrialRow& trial) {
  return {.task = trial.task, .repeat = trial.repeat};
}

}  // namespace

std::string method_text(std::string_view method, const Phrases& say) {
  if (method == kWilson) {
    return say("method.wilson");
  }
  return say(method == kWithinTypes ? "method.within_types" : "method.bootstrap");
}

std::vector<Place> common_places(const RunRows& rows, std::span<const std::size_t> cells) {
  std::vector<Place> common;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    std::vector<Place> own;
    std::ranges::transform(rows.of_cell(cells[i]), std::back_inserter(own), place_of);
    if (i == 0) {
      common = std::move(own);
      continue;
    }
    std::vector<Place> both;
    std::ranges::set_intersection(common, own, std::back_inserter(both));
    common = std::move(both);
  }
  return common;
}

Estimate estimate_share(std::vector<stats::TaskResult> tasks, const base::Digest& seed) {
  std::erase_if(tasks, [](const stats::TaskResult& task) { return task.count == 0; });
  Estimate estimate;
  estimate.tasks = tasks.size();
  for (const stats::TaskResult& task : tasks) {
    estimate.n += static_cast<std::uint64_t>(task.count);
    estimate.successes += static_cast<std::uint64_t>(task.sum);
  }
  if (estimate.tasks != estimate.n) {
    estimate.method = kBootstrap;
    estimate.interval = stats::bootstrap_mean(tasks, {.seed = seed});
    return estimate;
  }
  const std::vector<stats::StratumCount> types = types_of(tasks);
  estimate.method = types.size() > 1 ? kWithinTypes : kWilson;
  estimate.interval = stats::stratified_score(types);
  return estimate;
}

Estimate estimate_success(const RunRows& rows,
                          std::span<const std::size_t> cells,
                          const base::Digest& seed) {
  Pool pool(rows);
  for (const std::size_t cell : cells) {
    for (const TrialRow& trial : rows.of_cell(cell)) {
      pool.add(trial);
    }
  }
  return pool.finish(seed);
}

Estimate estimate_success_of_type(const RunRows& rows, std::size_t cell, const std::string& type) {
  Pool pool(rows);
  for (const TrialRow& trial : rows.of_cell(cell)) {
    if (rows.tasks[trial.task].type == type) {
      pool.add(trial);
    }
  }
  return pool.finish(base::FieldHasher("sortie.bootstrap.v1")
                         .field("cell", rows.cells[cell].factors.id)
                         .field("type", type)
                         .finish());
}

Comparison compare(const RunRows& rows, std::span<const CellPair> cells) {
  Comparison result;
  std::vector<TaskPairs> tasks(rows.tasks.size());
  base::FieldHasher seed("sortie.comparison.v1");
  for (const auto& [a, b] : cells) {
    seed.field("first", rows.cells[a].factors.id).field("second", rows.cells[b].factors.id);
    const auto first = rows.of_cell(a);
    const auto second = rows.of_cell(b);
    for (std::size_t i = 0, j = 0; i < first.size() && j < second.size();) {
      if (place_of(first[i]) == place_of(second[j])) {
        add_pair(first[i], second[j], tasks[first[i].task], result);
        ++i;
        ++j;
      } else {
        ++(place_of(first[i]) < place_of(second[j]) ? i : j);
      }
    }
  }
  std::vector<stats::PairedTask> success;
  std::vector<stats::PairedTask> progress;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].success.pairs > 0) {
      tasks[i].success.stratum = rows.tasks[i].stratum;
      tasks[i].progress.stratum = rows.tasks[i].stratum;
      success.push_back(tasks[i].success);
      progress.push_back(tasks[i].progress);
    }
  }
  const stats::BootstrapOptions options{.seed = seed.finish()};
  result.success = stats::bootstrap_difference(success, options);
  result.progress = stats::bootstrap_difference(progress, options);
  result.exact = success.size() == result.pairs;
  result.p =
      result.exact ? stats::mcnemar_exact(result.only_first, result.only_second) : result.success.p;
  return result;
}

void adjust_families(std::vector<FamilyMember>& members) {
  std::map<std::tuple<std::string, std::string, bool>, std::vector<std::size_t>> families;
  for (std::size_t i = 0; i < members.size(); ++i) {
    families[{members[i].family, members[i].subject, members[i].simulated}].push_back(i);
  }
  for (const auto& [name, positions] : families) {
    std::vector<double> p_values;
    p_values.reserve(positions.size());
    for (const std::size_t position : positions) {
      p_values.push_back(members[position].result.p);
    }
    const std::vector<double> adjusted = stats::holm(p_values);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      members[positions[i]].p_holm = adjusted[i];
    }
  }
}

}  // namespace sortie::analysis
