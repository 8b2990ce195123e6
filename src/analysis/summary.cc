#include "sortie/analysis/summary.h"

#include "sortie/analysis/all_cores.h"
#include "sortie/analysis/comparisons.h"
#include "sortie/analysis/run_suite.h"
#include "sortie/analysis/trial_rows.h"
#include "sortie/base/hash.h"
#include "sortie/score/reference.h"
#include "sortie/stats/repeats.h"
#include "sortie/stats/spread.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace sortie::analysis {

namespace {

using Reference = std::optional<std::array<double, std::size(score::kPolicies)>>;

class TallyBuilder {
 public:
  void add(const TrialRow& trial, const Reference& reference) {
    ++tally_.scored;
    tally_.successes += trial.success ? 1U : 0U;
    tally_.clean += trial.clean ? 1U : 0U;
    tally_.partial += trial.partial ? 1U : 0U;
    progress_ += trial.progress;
    coverage_ += trial.coverage;
    turns_ += trial.turns;
    repaired_ += trial.repaired;
    calls_ += trial.calls;
    if (trial.calls_per_answer.has_value()) {
      per_answer_ += *trial.calls_per_answer;
      ++with_calls_;
    }
    tally_.rejected_calls +=
        static_cast<std::uint64_t>(trial.calls - trial.calls_ok - trial.injected);
    tally_.injected_failures += static_cast<std::uint64_t>(trial.injected);
    tally_.valid_calls += static_cast<std::uint64_t>(trial.injected + trial.calls_ok);
    if (!trial.success) {
      labels_.resize(std::max(labels_.size(), std::size_t{trial.label} + 1));
      ++labels_[trial.label];
    }
    for (std::size_t i = 0; reference.has_value() && i < reference_.size(); ++i) {
      reference_[i] += (*reference)[i];
    }
    referenced_ += reference.has_value() ? 1U : 0U;
  }

  /// `labels` are those of the rows.
  [[nodiscard]] Tally finish(std::span<const std::string> labels) const {
    Tally tally = tally_;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      if (labels_[i] > 0) {
        tally.labels.emplace(labels.empty() ? std::string() : labels[i], labels_[i]);
      }
    }
    if (tally.scored > 0) {
      const auto n = static_cast<double>(tally.scored);
      tally.progress = progress_ / n;
      tally.tool_coverage = coverage_ / n;
      tally.turns = static_cast<double>(turns_) / n;
      tally.calls = static_cast<double>(calls_) / n;
      tally.repaired_turns =
          turns_ == 0 ? 0 : static_cast<double>(repaired_) / static_cast<double>(turns_);
      if (with_calls_ > 0) {
        tally.calls_per_answer = per_answer_ / static_cast<double>(with_calls_);
      }
      if (referenced_ == tally.scored) {
        tally.reference = reference_;
        for (double& mean : *tally.reference) {
          mean /= n;
        }
      }
    }
    return tally;
  }

 private:
  Tally tally_;
  double progress_ = 0;
  double coverage_ = 0;
  std::int64_t turns_ = 0;
  std::int64_t repaired_ = 0;
  std::int64_t calls_ = 0;
  double per_answer_ = 0;
  std::uint64_t with_calls_ = 0;
  std::array<double, std::size(score::kPolicies)> reference_{};
  std::uint64_t referenced_ = 0;
  std::vector<std::uint64_t> labels_;
};

/// What the reference policies achieve, once per task and the factors that matter to them.
class ReferenceTable {
 public:
  ReferenceTable(const suite::Suite& suite, std::span<const TaskInfo> tasks)
      : suite_(suite), tasks_(tasks) {}

  /// By task, for one cell's factors; filled as tasks are asked for.
  class OfCell {
   public:
    const Reference& of(std::uint32_t task) {
      std::optional<Reference>& entry = (*known_)[task];
      if (!entry.has_value()) {
        entry.emplace(table_->compute(task, *factors_));
      }
      return *entry;
    }

   private:
    friend class ReferenceTable;
    ReferenceTable* table_ = nullptr;
    const CellFactors* factors_ = nullptr;
    std::vector<std::optional<Reference>>* known_ = nullptr;
  };

  OfCell of(const CellFactors& factors) {
    auto& known = known_[{factors.tool_success_rate, factors.max_turns}];
    known.resize(tasks_.size());
    OfCell cell;
    cell.table_ = this;
    cell.factors_ = &factors;
    cell.known_ = &known;
    return cell;
  }

 private:
  [[nodiscard]] Reference compute(std::uint32_t number, const CellFactors& factors) const {
    const suite::Task* task = suite_.find(tasks_[number].id);
    if (task == nullptr) {
      return std::nullopt;
    }
    suite::TrialParams params;
    params.tool_success_rate = factors.tool_success_rate;
    params.max_turns = static_cast<int>(factors.max_turns);
    std::array<double, std::size(score::kPolicies)> rates{};
    std::ranges::transform(score::kPolicies, rates.begin(), [&](const auto policy) {
      return score::reference_success(policy, *task, params);
    });
    return rates;
  }

  const suite::Suite& suite_;
  std::span<const TaskInfo> tasks_;
  std::map<std::pair<double, std::int64_t>, std::vector<std::optional<Reference>>> known_;
};

class Summarizer {
 public:
  Summarizer(ledger::Reader& reader, const RunRows& rows, SummaryOptions options)
      : reader_(reader), rows_(rows), options_(options) {}

  base::Result<Summary> run() {
    TRY_ASSIGN(const auto name, reader_.manifest("campaign"));
    summary_.run = name.value_or("");
    TRY_ASSIGN(summary_.high_water_mark, reader_.high_water_mark());
    TRY_ASSIGN(suite_, suite_of(reader_));
    summary_.scorer = rows_.scorer;
    fill_cells();
    fill_repeats();
    fill_groups();
    return std::move(summary_);
  }

 private:
  void fill_cells() {
    for (std::size_t i = 0; i < rows_.cells.size(); ++i) {
      const PlannedCell& planned = rows_.cells[i];
      CellSummary& cell = summary_.cells.emplace_back();
      cell.factors = planned.factors;
      cell.planned = planned.planned;
      cell.lost = planned.lost;
      const std::size_t cells[] = {i};
      cell.tally = tally_of(cells);
      const std::uint64_t closed = cell.tally.scored + cell.lost_total();
      cell.open = cell.planned - std::min(cell.planned, closed);
    }
    if (options_.intervals) {
      fill_intervals();
    }
  }

  void fill_intervals() {
    on_all_cores(rows_.cells.size(), 1, [this](std::size_t i) {
      const std::size_t cells[] = {i};
      const Estimate estimate = estimate_success(rows_,
                                                 cells,
                                                 base::FieldHasher("sortie.bootstrap.v1")
                                                     .field("cell", rows_.cells[i].factors.id)
                                                     .finish());
      summary_.cells[i].success = estimate.interval;
      summary_.cells[i].interval_method = estimate.method;
    });
  }

  Tally tally_of(std::span<const std::size_t> cells) {
    TallyBuilder builder;
    for (const std::size_t cell : cells) {
      ReferenceTable::OfCell references = references_.of(rows_.cells[cell].factors);
      for (const TrialRow& trial : rows_.of_cell(cell)) {
        builder.add(trial, references.of(trial.task));
      }
    }
    return builder.finish(rows_.labels);
  }

  /// pass@k and pass^k of the cells with repeats.
  void fill_repeats() {
    struct Counts {
      std::uint64_t n = 0;
      std::uint64_t successes = 0;
    };

    for (std::size_t i = 0; i < rows_.cells.size(); ++i) {
      std::vector<Counts> tasks(rows_.tasks.size());
      for (const TrialRow& trial : rows_.of_cell(i)) {
        Counts& counts = tasks[trial.task];
        ++counts.n;
        counts.successes += trial.success ? 1U : 0U;
      }
      std::erase_if(tasks, [](const Counts& counts) { return counts.n == 0; });
      const auto fewest = std::ranges::min_element(tasks, {}, &Counts::n);
      if (fewest == tasks.end() || fewest->n < 2) {
        continue;
      }
      RepeatSummary repeats{.k = fewest->n, .pass_at_k = 0, .pass_hat_k = 0};
      for (const Counts& counts : tasks) {
        repeats.pass_at_k += stats::pass_at_k(counts.n, counts.successes, repeats.k);
        repeats.pass_hat_k += stats::pass_hat_k(counts.n, counts.successes, repeats.k);
      }
      repeats.pass_at_k /= static_cast<double>(tasks.size());
      repeats.pass_hat_k /= static_cast<double>(tasks.size());
      summary_.cells[i].repeats = repeats;
    }
  }

  void fill_groups() {
    // Native cells show all schemas at once: they are never pooled with text cells.
    std::map<std::tuple<std::string, std::string, std::string>, std::vector<std::size_t>> members;
    for (std::size_t i = 0; i < summary_.cells.size(); ++i) {
      const CellFactors& factors = summary_.cells[i].factors;
      for (const std::string& scenario : factors.scenarios) {
        members[{scenario, factors.model, factors.protocol}].push_back(i);
      }
    }
    for (const auto& [name, cells] : members) {
      summary_.groups.push_back(group_of(std::get<0>(name), cells));
    }
  }

  GroupSummary group_of(const std::string& scenario, const std::vector<std::size_t>& cells) {
    const CellFactors& factors = summary_.cells[cells.front()].factors;
    GroupSummary group;
    group.scenario = scenario;
    group.model = factors.model;
    group.protocol = factors.protocol;
    group.simulated = factors.simulated;
    group.cells = cells.size();
    for (const std::size_t cell : cells) {
      group.planned += summary_.cells[cell].planned;
      for (const auto& [outcome, count] : summary_.cells[cell].lost) {
        group.lost[outcome] += count;
      }
    }
    group.tally = tally_of(cells);
    if (!options_.intervals) {
      return group;
    }
    const Estimate estimate = estimate_success(rows_,
                                               cells,
                                               base::FieldHasher("sortie.bootstrap.v1")
                                                   .field("scenario", group.scenario)
                                                   .field("model", group.model)
                                                   .field("protocol", group.protocol)
                                                   .finish());
    group.tasks = estimate.tasks;
    group.success = estimate.interval;
    group.interval_method = estimate.method;
    return group;
  }

  ledger::Reader& reader_;
  const RunRows& rows_;
  SummaryOptions options_;
  suite::Suite suite_;
  ReferenceTable references_{suite_, rows_.tasks};
  Summary summary_;
};

json::Object tally_json(const Tally& tally) {
  json::Object labels;
  for (const auto& [label, count] : tally.labels) {
    labels[label] = count;
  }
  json::Object reference;
  for (std::size_t i = 0; tally.reference.has_value() && i < tally.reference->size(); ++i) {
    reference[score::to_string(score::kPolicies[i])] = (*tally.reference)[i];
  }
  return {{"n", tally.scored},
          {"successes", tally.successes},
          {"success_rate", tally.success_rate()},
          {"partial", tally.partial},
          {"clean", tally.clean},
          {"progress", tally.progress},
          {"tool_coverage", tally.tool_coverage},
          {"turns", tally.turns},
          {"calls", tally.calls},
          {"calls_per_answer",
           tally.calls_per_answer.has_value() ? json::Value(*tally.calls_per_answer) : nullptr},
          {"repaired_turns", tally.repaired_turns},
          {"injected_failures", tally.injected_failures},
          {"rejected_calls", tally.rejected_calls},
          {"valid_calls", tally.valid_calls},
          {"labels", std::move(labels)},
          {"reference", std::move(reference)}};
}

}  // namespace

stats::Interval loss_bounds(const Tally& tally, std::uint64_t lost) {
  return stats::loss_bounds({.successes = tally.successes, .scored = tally.scored, .lost = lost});
}

std::uint64_t total(const Losses& lost) {
  std::uint64_t sum = 0;
  for (const auto& [outcome, count] : lost) {
    sum += count;
  }
  return sum;
}

base::Result<Summary> summarize(ledger::Reader& reader) {
  TRY(reader.begin());
  const base::Result<RunRows> rows = read_rows(reader);
  auto summary = rows.has_value() ? summarize(reader, *rows)
                                  : base::Result<Summary>(std::unexpected(rows.error()));
  reader.end();
  return summary;
}

base::Result<Summary> summarize(ledger::Reader& reader,
                                const RunRows& rows,
                                SummaryOptions options) {
  return Summarizer(reader, rows, options).run();
}

json::Value to_json(const Summary& summary) {
  json::Array cells;
  for (const CellSummary& cell : summary.cells) {
    const CellFactors& f = cell.factors;
    json::Object row{{"id", f.id},
                     {"model", f.model},
                     {"simulated", f.simulated},
                     {"scenarios", json::Array(f.scenarios.begin(), f.scenarios.end())},
                     {"prompt", f.prompt},
                     {"severity", f.severity},
                     {"difficulty", f.difficulty},
                     {"protocol", f.protocol},
                     {"tool_success_rate", f.tool_success_rate},
                     {"max_turns", f.max_turns},
                     {"planned", cell.planned},
                     {"lost", cell.lost_total()},
                     {"open", cell.open},
                     {"complete", cell.complete()},
                     {"success_low", cell.success.low},
                     {"success_high", cell.success.high},
                     {"interval", cell.interval_method},
                     {"all_lost_failed", loss_bounds(cell.tally, cell.missing()).low},
                     {"all_lost_succeeded", loss_bounds(cell.tally, cell.missing()).high}};
    if (cell.repeats.has_value()) {
      row["repeats"] = json::Object{{"k", cell.repeats->k},
                                    {"pass_at_k", cell.repeats->pass_at_k},
                                    {"pass_hat_k", cell.repeats->pass_hat_k}};
    }
    for (auto& member : tally_json(cell.tally)) {
      row.emplace(member.key(), member.value());
    }
    cells.push_back(std::move(row));
  }
  json::Array groups;
  for (const GroupSummary& group : summary.groups) {
    json::Object row{{"scenario", group.scenario},
                     {"model", group.model},
                     {"protocol", group.protocol},
                     {"simulated", group.simulated},
                     {"cells", group.cells},
                     {"planned", group.planned},
                     {"lost", total(group.lost)},
                     {"tasks", group.tasks},
                     {"complete", group.complete()},
                     {"success_low", group.success.low},
                     {"success_high", group.success.high},
                     {"interval", group.interval_method},
                     {"all_lost_failed", loss_bounds(group.tally, group.missing()).low},
                     {"all_lost_succeeded", loss_bounds(group.tally, group.missing()).high}};
    for (auto& member : tally_json(group.tally)) {
      row.emplace(member.key(), member.value());
    }
    groups.push_back(std::move(row));
  }
  return json::Object{{"run", summary.run},
                      {"scorer", summary.scorer},
                      {"groups", std::move(groups)},
                      {"cells", std::move(cells)}};
}

}  // namespace sortie::analysis
