#include "sortie/analysis/diagnosis.h"

#include "sortie/analysis/cells.h"
#include "sortie/base/text.h"
#include "sortie/score/diagnosis.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

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

/// "loop 12, finish 8", the most frequent first.
std::string listed(const std::map<std::string, std::size_t>& counts, const Phrases& say) {
  std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(
      sorted, std::ranges::greater(), [](const auto& entry) { return entry.second; });
  std::vector<std::string> parts;
  for (const auto& [name, count] : sorted) {
    parts.push_back(fmt::format("{} {}", name, count));
  }
  return parts.empty() ? say("diagnosis.none") : base::join(parts, ", ");
}

std::string share(std::size_t part, std::size_t whole) {
  return whole == 0 ? "0 %"
                    : fmt::format("{:.0f} %",
                                  100.0 * static_cast<double>(part) / static_cast<double>(whole));
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

std::string to_text(const score::Diagnosis& diagnosis, const Phrases& say) {
  std::string out =
      say("diagnosis.line",
          fmt::arg("succeeded", diagnosis.all_succeeded ? diagnosis.scored : 0),
          fmt::arg("scored", diagnosis.scored),
          fmt::arg("repaired", share(diagnosis.turns_repaired, diagnosis.turns)),
          fmt::arg("turns", diagnosis.turns),
          fmt::arg("not_understood", share(diagnosis.turns_not_understood, diagnosis.turns)),
          fmt::arg("without_calls", diagnosis.without_calls),
          fmt::arg("ends", listed(diagnosis.ends, say)));
  if (!diagnosis.all_succeeded) {
    out += say("diagnosis.labels", fmt::arg("labels", listed(diagnosis.labels, say)));
  }
  out += say("diagnosis.lost",
             fmt::arg("lost", listed(diagnosis.losses, say)),
             fmt::arg("served", listed(diagnosis.served_models, say)));
  return out + say(diagnosis.transcripts.size() == 1 ? "diagnosis.trial" : "diagnosis.trials",
                   fmt::arg("trials", base::join(diagnosis.transcripts, ", ")));
}

base::Result<std::map<std::string, std::string>> diagnose_cells(ledger::Reader& reader,
                                                                const Summary& summary,
                                                                const Phrases& say) {
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
      lines.emplace(cell, to_text(*diagnosis, say));
    }
  }
  return lines;
}

}  // namespace sortie::analysis
