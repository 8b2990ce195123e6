#include "sortie/analysis/trial_columns.h"

#include "sortie/analysis/cells.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

using ledger::Cell;

bool is_null(const Cell& cell) {
  return std::holds_alternative<std::monostate>(cell);
}

std::int32_t small(const Cell& cell) {
  return static_cast<std::int32_t>(int_of(cell));
}

/// Of a row of the query in read_scores, whose first columns are id, trial, scorer and checksum.
void fill(std::span<const Cell> row, Words& labels, TrialRow& trial) {
  trial.success = int_of(row[4]) != 0;
  trial.clean = int_of(row[5]) != 0;
  trial.partial = int_of(row[6]) != 0;
  trial.progress = double_of(row[7]);
  trial.coverage = double_of(row[8]);
  trial.turns = small(row[9]);
  trial.repaired = small(row[10]);
  trial.calls = small(row[11]);
  trial.calls_ok = small(row[12]);
  trial.injected = small(row[13]);
  trial.label = labels.of(view_of(row[14]));
  if (!is_null(row[15]) && !is_null(row[16])) {
    trial.obedience = ObedienceCounts{.flawed = small(row[15]), .followed = small(row[16])};
  }
  if (!is_null(row[17])) {
    trial.retry = RetryCounts{.same_call = small(row[17]),
                              .other_arguments = small(row[18]),
                              .other_tool = small(row[19]),
                              .no_further_call = small(row[20])};
  }
  if (!is_null(row[21])) {
    trial.calls_per_answer = double_of(row[21]);
  }
}

class NewTrials {
 public:
  NewTrials(ledger::Reader& reader, TrialColumns& columns, FactSum& sum)
      : reader_(reader), columns_(columns), sum_(sum) {}

  base::Result<bool> run() {
    std::string scorer;
    TRY(reader_.scan("SELECT scorer FROM score ORDER BY id DESC LIMIT 1",
                     [&](std::span<const Cell> row) {
                       scorer = text_of(row[0]);
                       return false;
                     }));
    if (columns_.last_score > 0 && scorer != columns_.scorer) {
      return false;
    }
    columns_.scorer = scorer;
    TRY(read_trials());
    TRY(read_outcomes());
    TRY(read_scores());
    return true;
  }

 private:
  base::Status read_trials() {
    return reader_.scan(
        fmt::format("SELECT id, cell, task, task_type, repeat, checksum FROM trial WHERE id > {} "
                    "ORDER BY id",
                    columns_.last_trial()),
        [&](std::span<const Cell> row) {
          TrialRow trial;
          trial.cell = columns_.cells.of(view_of(row[1]));
          trial.task = columns_.tasks.of(view_of(row[2]));
          trial.repeat = int_of(row[4]);
          if (trial.task == columns_.task_types.size()) {
            columns_.task_types.push_back(text_of(row[3]));
          }
          columns_.ids.push_back(int_of(row[0]));
          columns_.outcome.push_back(0);
          columns_.has_score.push_back(0);
          columns_.rows.push_back(trial);
          sum_.add(int_of(row[5]));
          return true;
        });
  }

  base::Status read_outcomes() {
    return reader_.scan(
        fmt::format("SELECT id, trial, outcome, checksum FROM outcome WHERE id > {} ORDER BY id",
                    columns_.last_outcome),
        [&](std::span<const Cell> row) {
          columns_.last_outcome = int_of(row[0]);
          sum_.add(int_of(row[3]));
          const auto position = columns_.position(int_of(row[1]));
          if (position && !columns_.is_scored(*position)) {
            columns_.outcome[*position] = columns_.outcomes.of(view_of(row[2])) + 1;
          }
          return true;
        });
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
      added += known > 0 ? fmt::format(", {}", column) : ", NULL";
    }
    const std::string query = fmt::format(
        "SELECT id, trial, scorer, checksum, success, clean, level = 'partial', progress, "
        "tool_coverage, turns, turns_repaired, calls, calls_ok, calls_injected, label{} FROM score "
        "WHERE id > {} ORDER BY id",
        added,
        columns_.last_score);
    return reader_.scan(query, [&](std::span<const Cell> row) {
      columns_.last_score = int_of(row[0]);
      sum_.add(int_of(row[3]));
      const auto position = columns_.position(int_of(row[1]));
      if (position && view_of(row[2]) == columns_.scorer) {
        columns_.has_score[*position] = 1;
        fill(row, columns_.labels, columns_.rows[*position]);
      }
      return true;
    });
  }

  ledger::Reader& reader_;
  TrialColumns& columns_;
  FactSum& sum_;
};

}  // namespace

std::optional<std::size_t> TrialColumns::position(std::int64_t trial) const {
  // Ids are given from 1 on without gaps, as long as nobody else writes ledgers.
  const auto guess = static_cast<std::size_t>(trial - 1);
  if (trial >= 1 && guess < ids.size() && ids[guess] == trial) {
    return guess;
  }
  const auto found = std::ranges::lower_bound(ids, trial);
  if (found == ids.end() || *found != trial) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - ids.begin());
}

base::Result<bool> read_new_trials(ledger::Reader& reader, TrialColumns& columns, FactSum& sum) {
  return NewTrials(reader, columns, sum).run();
}

}  // namespace sortie::analysis
