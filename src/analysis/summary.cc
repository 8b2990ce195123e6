#include "sortie/analysis/summary.h"

#include "sortie/analysis/cells.h"
#include "sortie/base/hash.h"
#include "sortie/base/text.h"
#include "sortie/score/reference.h"
#include "sortie/stats/bootstrap.h"
#include "sortie/stats/repeats.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace sortie::analysis {

namespace {

using ledger::Cell;

/// One scored trial, as far as tables need it.
struct ScoredTrial {
  std::size_t cell = 0;
  std::string task;
  std::string task_type;
  bool success = false;
  bool clean = false;
  bool partial = false;
  double progress = 0;
  double coverage = 0;
  std::int64_t turns = 0;
  std::int64_t repaired = 0;
  std::int64_t calls = 0;
  std::int64_t calls_ok = 0;
  std::int64_t injected = 0;
  std::string label;
  std::optional<std::array<double, std::size(score::kPolicies)>> reference;
};

class TallyBuilder {
 public:
  void add(const ScoredTrial& trial) {
    ++tally_.scored;
    tally_.successes += trial.success ? 1U : 0U;
    tally_.clean += trial.clean ? 1U : 0U;
    tally_.partial += trial.partial ? 1U : 0U;
    progress_ += trial.progress;
    coverage_ += trial.coverage;
    turns_ += trial.turns;
    repaired_ += trial.repaired;
    calls_ += trial.calls;
    tally_.injected_failures += static_cast<std::uint64_t>(trial.injected);
    tally_.valid_calls += static_cast<std::uint64_t>(trial.injected + trial.calls_ok);
    if (!trial.success) {
      ++tally_.labels[trial.label];
    }
    for (std::size_t i = 0; trial.reference.has_value() && i < reference_.size(); ++i) {
      reference_[i] += (*trial.reference)[i];
    }
    referenced_ += trial.reference.has_value() ? 1U : 0U;
  }

  [[nodiscard]] Tally finish() const {
    Tally tally = tally_;
    if (tally.scored > 0) {
      const auto n = static_cast<double>(tally.scored);
      tally.progress = progress_ / n;
      tally.tool_coverage = coverage_ / n;
      tally.turns = static_cast<double>(turns_) / n;
      tally.calls = static_cast<double>(calls_) / n;
      tally.repaired_turns =
          turns_ == 0 ? 0 : static_cast<double>(repaired_) / static_cast<double>(turns_);
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
  std::array<double, std::size(score::kPolicies)> reference_{};
  std::uint64_t referenced_ = 0;
};

class Summarizer {
 public:
  explicit Summarizer(ledger::Reader& reader) : reader_(reader) {}

  base::Result<Summary> run() {
    TRY_ASSIGN(const auto name, reader_.manifest("campaign"));
    summary_.run = name.value_or("");
    TRY_ASSIGN(summary_.high_water_mark, reader_.high_water_mark());
    TRY_ASSIGN(suite_, suite::Suite::pilot());
    TRY(read_scorer());
    TRY(read_cells());
    TRY(read_outcomes());
    TRY(read_scores());
    fill_cells();
    fill_repeats();
    fill_groups();
    return std::move(summary_);
  }

 private:
  base::Status read_scorer() {
    return reader_.scan("SELECT scorer FROM score ORDER BY id DESC LIMIT 1",
                        [&](std::span<const Cell> row) {
                          summary_.scorer = text_of(row[0]);
                          return false;
                        });
  }

  base::Status read_cells() {
    TRY(
        reader_.scan("SELECT id, model, simulated, scenarios, prompt, severity, difficulty, "
                     "protocol, tool_success_rate, max_turns, "
                     "planned FROM cell WHERE planned > 0",
                     [&](std::span<const Cell> row) {
                       CellSummary cell;
                       CellFactors& factors = cell.factors;
                       factors.id = text_of(row[0]);
                       factors.model = text_of(row[1]);
                       factors.simulated = int_of(row[2]) != 0;
                       for (const std::string_view scenario : base::split(text_of(row[3]), ',')) {
                         factors.scenarios.emplace_back(scenario);
                       }
                       factors.prompt = text_of(row[4]);
                       factors.severity = text_of(row[5]);
                       factors.difficulty = text_of(row[6]);
                       factors.protocol = text_of(row[7]);
                       factors.tool_success_rate = double_of(row[8]);
                       factors.max_turns = int_of(row[9]);
                       cell.planned = static_cast<std::uint64_t>(int_of(row[10]));
                       summary_.cells.push_back(std::move(cell));
                       return true;
                     }));
    std::ranges::sort(summary_.cells, {}, [](const CellSummary& cell) {
      const CellFactors& f = cell.factors;
      return std::tuple(f.model,
                        f.scenarios,
                        f.prompt,
                        f.severity,
                        f.difficulty,
                        f.protocol,
                        f.tool_success_rate,
                        f.id);
    });
    for (std::size_t i = 0; i < summary_.cells.size(); ++i) {
      cell_by_id_.emplace(summary_.cells[i].factors.id, i);
    }
    builders_.resize(summary_.cells.size());
    return {};
  }

  /// Trials without a scored outcome: lost by their latest outcome, or begun and still open.
  base::Status read_outcomes() {
    return reader_.scan(
        "SELECT t.cell, coalesce((SELECT o.outcome FROM outcome AS o WHERE o.trial = t.id ORDER BY "
        "o.id DESC LIMIT 1), ''), "
        "count(*) FROM trial AS t WHERE NOT EXISTS "
        "(SELECT 1 FROM outcome AS o WHERE o.trial = t.id AND o.outcome = 'scored') GROUP BY 1, 2",
        [&](std::span<const Cell> row) {
          const auto cell = cell_by_id_.find(text_of(row[0]));
          const std::string outcome = text_of(row[1]);
          if (cell != cell_by_id_.end() && !outcome.empty()) {
            summary_.cells[cell->second].lost[outcome] +=
                static_cast<std::uint64_t>(int_of(row[2]));
          }
          return true;
        });
  }

  /// In an order that does not depend on how the run went, so that sums are the same to the last
  /// bit.
  base::Status read_scores() {
    const std::vector<std::string> scorer{summary_.scorer};
    return reader_.scan(
        "SELECT t.cell, t.task, t.task_type, s.success, s.clean, s.level = 'partial', s.progress, "
        "s.tool_coverage, s.turns, "
        "s.turns_repaired, s.calls, s.calls_ok, s.calls_injected, s.label FROM trial AS t JOIN "
        "score AS s ON s.trial = t.id "
        "AND s.scorer = ?1 WHERE EXISTS (SELECT 1 FROM outcome AS o WHERE o.trial = t.id AND "
        "o.outcome = 'scored') "
        "ORDER BY t.cell, t.task, t.repeat",
        scorer,
        [&](std::span<const Cell> row) {
          const auto cell = cell_by_id_.find(text_of(row[0]));
          if (cell == cell_by_id_.end()) {
            return true;
          }
          ScoredTrial trial{.cell = cell->second,
                            .task = text_of(row[1]),
                            .task_type = text_of(row[2]),
                            .success = int_of(row[3]) != 0,
                            .clean = int_of(row[4]) != 0,
                            .partial = int_of(row[5]) != 0,
                            .progress = double_of(row[6]),
                            .coverage = double_of(row[7]),
                            .turns = int_of(row[8]),
                            .repaired = int_of(row[9]),
                            .calls = int_of(row[10]),
                            .calls_ok = int_of(row[11]),
                            .injected = int_of(row[12]),
                            .label = text_of(row[13]),
                            .reference = reference_of(text_of(row[1]), cell->second)};
          builders_[trial.cell].add(trial);
          trials_.push_back(std::move(trial));
          return true;
        });
  }

  [[nodiscard]] std::optional<std::array<double, std::size(score::kPolicies)>> reference_of(
      const std::string& task_id, std::size_t cell) const {
    const suite::Task* task = suite_.find(task_id);
    if (task == nullptr) {
      return std::nullopt;
    }
    const CellFactors& factors = summary_.cells[cell].factors;
    suite::TrialParams params;
    params.tool_success_rate = factors.tool_success_rate;
    params.max_turns = static_cast<int>(factors.max_turns);
    std::array<double, std::size(score::kPolicies)> reference{};
    for (std::size_t i = 0; i < reference.size(); ++i) {
      reference[i] = score::reference_success(score::kPolicies[i], *task, params);
    }
    return reference;
  }

  void fill_cells() {
    for (std::size_t i = 0; i < summary_.cells.size(); ++i) {
      CellSummary& cell = summary_.cells[i];
      cell.tally = builders_[i].finish();
      const std::uint64_t closed = cell.tally.scored + cell.lost_total();
      cell.open = cell.planned - std::min(cell.planned, closed);
      cell.success = stats::wilson(cell.tally.successes, cell.tally.scored);
    }
  }

  /// pass@k and pass^k of the cells with repeats.
  void fill_repeats() {
    struct Counts {
      std::uint64_t n = 0;
      std::uint64_t successes = 0;
    };

    std::vector<std::map<std::string_view, Counts>> tasks(summary_.cells.size());
    for (const ScoredTrial& trial : trials_) {
      Counts& counts = tasks[trial.cell][trial.task];
      ++counts.n;
      counts.successes += trial.success ? 1U : 0U;
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const auto fewest =
          std::ranges::min_element(tasks[i], {}, [](const auto& entry) { return entry.second.n; });
      if (fewest == tasks[i].end() || fewest->second.n < 2) {
        continue;
      }
      RepeatSummary repeats{.k = fewest->second.n, .pass_at_k = 0, .pass_hat_k = 0};
      for (const auto& [task, counts] : tasks[i]) {
        repeats.pass_at_k += stats::pass_at_k(counts.n, counts.successes, repeats.k);
        repeats.pass_hat_k += stats::pass_hat_k(counts.n, counts.successes, repeats.k);
      }
      repeats.pass_at_k /= static_cast<double>(tasks[i].size());
      repeats.pass_hat_k /= static_cast<double>(tasks[i].size());
      summary_.cells[i].repeats = repeats;
    }
  }

  void fill_groups() {
    std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> members;
    for (std::size_t i = 0; i < summary_.cells.size(); ++i) {
      for (const std::string& scenario : summary_.cells[i].factors.scenarios) {
        members[{scenario, summary_.cells[i].factors.model}].push_back(i);
      }
    }
    for (const auto& [name, cells] : members) {
      summary_.groups.push_back(group_of(name.first, cells));
    }
  }

  [[nodiscard]] GroupSummary group_of(const std::string& scenario,
                                      const std::vector<std::size_t>& cells) const {
    GroupSummary group;
    group.scenario = scenario;
    group.model = summary_.cells[cells.front()].factors.model;
    group.simulated = summary_.cells[cells.front()].factors.simulated;
    group.cells = cells.size();
    for (const std::size_t cell : cells) {
      group.planned += summary_.cells[cell].planned;
      group.lost += summary_.cells[cell].lost_total();
    }
    const std::set<std::size_t> wanted(cells.begin(), cells.end());
    TallyBuilder builder;
    std::map<std::string, stats::TaskResult> tasks;
    std::map<std::string, std::uint32_t> strata;
    for (const ScoredTrial& trial : trials_) {
      if (!wanted.contains(trial.cell)) {
        continue;
      }
      builder.add(trial);
      const auto stratum =
          strata.emplace(trial.task_type, static_cast<std::uint32_t>(strata.size())).first->second;
      stats::TaskResult& task = tasks[trial.task];
      task.stratum = stratum;
      task.sum += trial.success ? 1 : 0;
      task.count += 1;
    }
    group.tally = builder.finish();
    group.tasks = tasks.size();
    set_interval(group, tasks);
    return group;
  }

  static void set_interval(GroupSummary& group,
                           const std::map<std::string, stats::TaskResult>& tasks) {
    if (group.tasks == group.tally.scored) {
      group.interval_method = "wilson";
      group.success = stats::wilson(group.tally.successes, group.tally.scored);
      return;
    }
    std::vector<stats::TaskResult> results;
    results.reserve(tasks.size());
    for (const auto& [task, result] : tasks) {
      results.push_back(result);
    }
    group.interval_method = "bootstrap over tasks";
    group.success = stats::bootstrap_mean(results,
                                          {.seed = base::FieldHasher("sortie.bootstrap.v1")
                                                       .field("scenario", group.scenario)
                                                       .field("model", group.model)
                                                       .finish()});
  }

  ledger::Reader& reader_;
  suite::Suite suite_;
  Summary summary_;
  std::map<std::string, std::size_t> cell_by_id_;
  std::vector<TallyBuilder> builders_;
  std::vector<ScoredTrial> trials_;
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
          {"repaired_turns", tally.repaired_turns},
          {"injected_failures", tally.injected_failures},
          {"valid_calls", tally.valid_calls},
          {"labels", std::move(labels)},
          {"reference", std::move(reference)}};
}

}  // namespace

stats::Interval loss_bounds(const Tally& tally, std::uint64_t lost) {
  const auto n = static_cast<double>(tally.scored + lost);
  if (n == 0) {
    return {};
  }
  const auto successes = static_cast<double>(tally.successes);
  return {.low = successes / n, .high = (successes + static_cast<double>(lost)) / n};
}

std::uint64_t CellSummary::lost_total() const {
  std::uint64_t total = 0;
  for (const auto& [outcome, count] : lost) {
    total += count;
  }
  return total;
}

base::Result<Summary> summarize(ledger::Reader& reader) {
  TRY(reader.begin());
  auto summary = Summarizer(reader).run();
  reader.end();
  return summary;
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
                     {"all_lost_failed", loss_bounds(cell.tally, cell.lost_total()).low},
                     {"all_lost_succeeded", loss_bounds(cell.tally, cell.lost_total()).high}};
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
                     {"simulated", group.simulated},
                     {"cells", group.cells},
                     {"planned", group.planned},
                     {"lost", group.lost},
                     {"tasks", group.tasks},
                     {"complete", group.complete()},
                     {"success_low", group.success.low},
                     {"success_high", group.success.high},
                     {"interval", group.interval_method},
                     {"all_lost_failed", loss_bounds(group.tally, group.lost).low},
                     {"all_lost_succeeded", loss_bounds(group.tally, group.lost).high}};
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
