#include "sortie/analysis/diagnosis.h"

#include "sortie/analysis/cells.h"
#include "sortie/base/text.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

using ledger::Cell;
using Texts = std::map<std::string, std::vector<std::string>>;  // by cell id

constexpr std::size_t kTranscripts = 3;

/// "loop 90, finish 10".
std::string counted(const std::map<std::string, std::uint64_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) {
    parts.push_back(fmt::format("{} {}", name, count));
  }
  return parts.empty() ? "none" : base::join(parts, ", ");
}

/// The texts of a query of cell and text, at most `most` for each cell.
base::Result<Texts> texts_by_cell(ledger::Reader& reader,
                                  std::string_view query,
                                  std::size_t most) {
  Texts texts;
  TRY(reader.scan(query, [&](std::span<const Cell> row) {
    std::vector<std::string>& own = texts[text_of(row[0])];
    if (own.size() < most) {
      own.push_back(text_of(row[1]));
    }
    return true;
  }));
  return texts;
}

std::string line_of(const CellSummary& cell,
                    const std::vector<std::string>& ends,
                    const std::vector<std::string>& served,
                    const std::vector<std::string>& transcripts) {
  return fmt::format(
      "{} of {} succeeded. Turns with repairs: {:.1f} %. Lost: {}. Ends: {}. Labels: {}. Served "
      "as: "
      "{}. Transcripts: {}.",
      cell.tally.successes,
      cell.tally.scored,
      100 * cell.tally.repaired_turns,
      counted(cell.lost),
      base::join(ends, ", "),
      counted(cell.tally.labels),
      served.empty() ? "not stated" : base::join(served, ", "),
      base::join(transcripts, ", "));
}

}  // namespace

base::Result<std::map<std::string, std::string>> diagnose_cells(ledger::Reader& reader,
                                                                const Summary& summary) {
  constexpr std::size_t kNamesMax = 20;
  TRY_ASSIGN(const Texts ends,
             texts_by_cell(reader,
                           "SELECT t.cell, o.end_reason || ' ' || count(*) FROM outcome AS o JOIN "
                           "trial AS t ON t.id = o.trial WHERE o.outcome = 'scored' GROUP BY "
                           "t.cell, o.end_reason ORDER BY t.cell, o.end_reason",
                           kNamesMax));
  TRY_ASSIGN(const Texts served,
             texts_by_cell(reader,
                           "SELECT DISTINCT t.cell, u.served_model FROM turn AS u JOIN trial AS t "
                           "ON t.id = u.trial WHERE u.served_model <> '' ORDER BY 1, 2",
                           kNamesMax));
  TRY_ASSIGN(const Texts transcripts,
             texts_by_cell(reader,
                           "SELECT t.cell, 'trial ' || t.id || ' (' || t.task || ')' FROM trial AS "
                           "t WHERE EXISTS (SELECT 1 FROM outcome AS o WHERE o.trial = t.id AND "
                           "o.outcome = 'scored') ORDER BY t.cell, t.task, t.repeat",
                           kTranscripts));
  const auto of = [](const Texts& texts, const std::string& id) {
    const auto found = texts.find(id);
    return found == texts.end() ? std::vector<std::string>() : found->second;
  };
  std::map<std::string, std::string> lines;
  for (const CellSummary& cell : summary.cells) {
    const std::string& id = cell.factors.id;
    if (cell.saturated()) {
      lines.emplace(id, line_of(cell, of(ends, id), of(served, id), of(transcripts, id)));
    }
  }
  return lines;
}

}  // namespace sortie::analysis
