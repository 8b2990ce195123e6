#include "sortie/analysis/trial_rows.h"

#include "sortie/analysis/cells.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

using ledger::Cell;

bool is_null(const Cell& cell) {
  return std::holds_alternative<std::monostate>(cell);
}

PlannedCell planned_cell(std::span<const Cell> row) {
  PlannedCell cell;
  CellFactors& factors = cell.factors;
  factors.id = text_of(row[0]);
  factors.model = text_of(row[1]);
  factors.simulated = int_of(row[2]) != 0;
  for (const std::string_view scenario : base::split(text_of(row[3]), ',')) {
    factors.scenarios.emplace_back(scenario);
  }
  factors.prompt = text_of(row[4]);
  factors.flaw = text_of(row[5]);
  factors.severity = text_of(row[6]);
  factors.difficulty = text_of(row[7]);
  factors.protocol = text_of(row[8]);
  factors.tool_success_rate = double_of(row[9]);
  factors.max_turns = int_of(row[10]);
  cell.planned = static_cast<std::uint64_t>(int_of(row[11]));
  return cell;
}

/// A row of the query in read_scores, without its cell and task.
TrialRow trial_row(std::span<const Cell> row) {
  TrialRow trial;
  trial.repeat = int_of(row[2]);
  trial.success = int_of(row[3]) != 0;
  trial.clean = int_of(row[4]) != 0;
  trial.partial = int_of(row[5]) != 0;
  trial.progress = double_of(row[6]);
  trial.coverage = double_of(row[7]);
  trial.turns = int_of(row[8]);
  trial.repaired = int_of(row[9]);
  trial.calls = int_of(row[10]);
  trial.calls_ok = int_of(row[11]);
  trial.injected = int_of(row[12]);
  trial.label = text_of(row[13]);
  if (!is_null(row[14]) && !is_null(row[15])) {
    trial.obedience = ObedienceCounts{.flawed = int_of(row[14]), .followed = int_of(row[15])};
  }
  if (!is_null(row[16])) {
    trial.retry = RetryCounts{.same_call = int_of(row[16]),
                              .other_arguments = int_of(row[17]),
                              .other_tool = int_of(row[18]),
                              .no_further_call = int_of(row[19])};
  }
  if (!is_null(row[20])) {
    trial.calls_per_answer = double_of(row[20]);
  }
  return trial;
}

class RowReader {
 public:
  explicit RowReader(ledger::Reader& reader) : reader_(reader) {}

  base::Result<RunRows> run() {
    TRY(read_scorer());
    TRY(read_cells());
    TRY(read_losses());
    TRY(read_tasks());
    TRY(read_scores());
    return std::move(rows_);
  }

 private:
  base::Status read_scorer() {
    return reader_.scan("SELECT scorer FROM score ORDER BY id DESC LIMIT 1",
                        [&](std::span<const Cell> row) {
                          rows_.scorer = text_of(row[0]);
                          return false;
                        });
  }

  base::Status read_cells() {
    TRY(
        reader_.scan("SELECT id, model, simulated, scenarios, prompt, flaw, severity, difficulty, "
                     "protocol, tool_success_rate, max_turns, planned FROM cell WHERE planned > 0",
                     [&](std::span<const Cell> row) {
                       rows_.cells.push_back(planned_cell(row));
                       return true;
                     }));
    std::ranges::sort(rows_.cells, {}, [](const PlannedCell& cell) {
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
    for (std::size_t i = 0; i < rows_.cells.size(); ++i) {
      cell_by_id_.emplace(rows_.cells[i].factors.id, static_cast<std::uint32_t>(i));
    }
    return {};
  }

  /// Trials without a scored outcome, by their latest one. Those that are still open have none.
  base::Status read_losses() {
    return reader_.scan(
        "SELECT t.cell, coalesce((SELECT o.outcome FROM outcome AS o WHERE o.trial = t.id ORDER BY "
        "o.id DESC LIMIT 1), ''), count(*) FROM trial AS t WHERE NOT EXISTS "
        "(SELECT 1 FROM outcome AS o WHERE o.trial = t.id AND o.outcome = 'scored') GROUP BY 1, 2",
        [&](std::span<const Cell> row) {
          const auto cell = cell_by_id_.find(text_of(row[0]));
          const std::string outcome = text_of(row[1]);
          if (cell != cell_by_id_.end() && !outcome.empty()) {
            rows_.cells[cell->second].lost[outcome] += static_cast<std::uint64_t>(int_of(row[2]));
          }
          return true;
        });
  }

  base::Status read_tasks() {
    TRY(reader_.scan("SELECT DISTINCT task, task_type FROM trial ORDER BY task",
                     [&](std::span<const Cell> row) {
                       const std::string id = text_of(row[0]);
                       task_by_id_.emplace(id, static_cast<std::uint32_t>(rows_.tasks.size()));
                       rows_.tasks.push_back({.id = id, .type = text_of(row[1])});
                       return true;
                     }));
    std::map<std::string, std::uint32_t> strata;
    for (const TaskInfo& task : rows_.tasks) {
      strata.emplace(task.type, 0);
    }
    std::uint32_t next = 0;
    for (auto& [type, stratum] : strata) {
      stratum = next++;
    }
    for (TaskInfo& task : rows_.tasks) {
      task.stratum = strata.at(task.type);
    }
    return {};
  }

  base::Status read_scores() {
    // Ledgers of earlier versions lack these columns.
    constexpr std::string_view kAdded[] = {"flawed_places",
                                           "followed_places",
                                           "retry_same",
                                           "retry_arguments",
                                           "retry_tool",
                                           "retry_none",
                                           "calls_per_answer"};
    std::string added;
    for (const std::string_view column : kAdded) {
      TRY_ASSIGN(const std::int64_t known,
                 reader_.count(fmt::format("SELECT count(*) FROM sqlite_master WHERE name = "
                                           "'score' AND instr(sql, ' {} ') > 0",
                                           column)));
      added += known > 0 ? fmt::format(", s.{}", column) : ", NULL";
    }
    const std::string query = fmt::format(
        "SELECT t.cell, t.task, t.repeat, s.success, s.clean, s.level = 'partial', s.progress, "
        "s.tool_coverage, s.turns, s.turns_repaired, s.calls, s.calls_ok, s.calls_injected, "
        "s.label{} FROM trial AS t JOIN score AS s ON s.trial = t.id AND s.scorer = ?1 WHERE "
        "EXISTS (SELECT 1 FROM outcome AS o WHERE o.trial = t.id AND o.outcome = 'scored') "
        "ORDER BY t.cell, t.task, t.repeat",
        added);
    const std::vector<std::string> scorer{rows_.scorer};
    return reader_.scan(query, scorer, [&](std::span<const Cell> row) {
      const auto cell = cell_by_id_.find(text_of(row[0]));
      if (cell == cell_by_id_.end()) {
        return true;
      }
      TrialRow trial = trial_row(row);
      trial.cell = cell->second;
      trial.task = task_by_id_.at(text_of(row[1]));
      PlannedCell& planned = rows_.cells[cell->second];
      planned.first_row = planned.row_count == 0 ? rows_.rows.size() : planned.first_row;
      ++planned.row_count;
      rows_.rows.push_back(std::move(trial));
      return true;
    });
  }

  ledger::Reader& reader_;
  RunRows rows_;
  std::map<std::string, std::uint32_t> cell_by_id_;
  std::map<std::string, std::uint32_t> task_by_id_;
};

}  // namespace

base::Result<RunRows> read_rows(ledger::Reader& reader) {
  return RowReader(reader).run();
}

}  // namespace sortie::analysis
