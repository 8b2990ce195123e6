#include "sortie/analysis/diagnosis.h"

#include "sortie/analysis/cells.h"
#include "sortie/score/diagnosis.h"

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::analysis {

namespace {

using ledger::Cell;
using Rows = std::map<std::string, std::vector<score::TrialRow>>;  // by cell id

/// The outcome that counts is the first scored one, else the latest.
constexpr std::string_view kTrials =
    "SELECT t.cell, t.id, coalesce(o.outcome, ''), coalesce(o.end_reason, ''), s.success, s.label, "
    "s.turns, s.turns_repaired, s.turns_not_understood, s.calls FROM trial AS t "
    "LEFT JOIN outcome AS o ON o.id = coalesce((SELECT min(id) FROM outcome WHERE trial = t.id AND "
    "outcome = 'scored'), (SELECT max(id) FROM outcome WHERE trial = t.id)) "
    "LEFT JOIN score AS s ON s.trial = t.id AND s.scorer = ?1 ORDER BY t.cell, t.task, t.repeat";

int small(const Cell& cell) {
  return static_cast<int>(int_of(cell));
}

/// The trials of these cells, by task and repeat.
base::Result<Rows> trials_of(ledger::Reader& reader,
                             const std::set<std::string>& cells,
                             const std::string& scorer) {
  Rows rows;
  const std::vector<std::string> parameters{scorer};
  TRY(reader.scan(kTrials, parameters, [&](std::span<const Cell> row) {
    const std::string cell = text_of(row[0]);
    if (cells.contains(cell)) {
      rows[cell].push_back({.trial = std::to_string(int_of(row[1])),
                            .outcome = text_of(row[2]),
                            .success = int_of(row[4]) != 0,
                            .end = text_of(row[3]),
                            .label = text_of(row[5]),
                            .turns = small(row[6]),
                            .turns_repaired = small(row[7]),
                            .turns_not_understood = small(row[8]),
                            .calls = small(row[9]),
                            .served_models = {}});
    }
    return true;
  }));
  return rows;
}

base::Status add_served_models(ledger::Reader& reader, Rows& rows) {
  std::map<std::string, score::TrialRow*> by_trial;
  for (auto& [cell, trials] : rows) {
    for (score::TrialRow& trial : trials) {
      by_trial.emplace(trial.trial, &trial);
    }
  }
  return reader.scan("SELECT DISTINCT trial, served_model FROM turn WHERE served_model <> ''",
                     [&](std::span<const Cell> row) {
                       const auto found = by_trial.find(std::to_string(int_of(row[0])));
                       if (found != by_trial.end()) {
                         found->second->served_models.push_back(text_of(row[1]));
                       }
                       return true;
                     });
}

}  // namespace

base::Result<std::map<std::string, std::string>> diagnose_cells(ledger::Reader& reader,
                                                                const Summary& summary) {
  std::set<std::string> saturated;
  for (const CellSummary& cell : summary.cells) {
    if (cell.saturated()) {
      saturated.insert(cell.factors.id);
    }
  }
  std::map<std::string, std::string> lines;
  if (saturated.empty()) {
    return lines;
  }
  TRY_ASSIGN(Rows rows, trials_of(reader, saturated, summary.scorer));
  TRY(add_served_models(reader, rows));
  for (const auto& [cell, trials] : rows) {
    if (const auto diagnosis = score::diagnose(trials)) {
      lines.emplace(cell, diagnosis->line());
    }
  }
  return lines;
}

}  // namespace sortie::analysis
