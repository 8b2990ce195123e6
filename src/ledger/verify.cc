#include "sortie/base/error.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/pages.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/wal.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sortie::ledger {

namespace {

/// A query that names everything that breaks an invariant: one text per offence. No row: it holds.
struct Invariant {
  std::string_view name;
  std::string_view offences;
};

// Each stands for a promise of the ledger that no constraint of the schema keeps.
constexpr std::array<Invariant, 16> kInvariants = {{
    {"cells_hold_what_is_planned",
     "SELECT 'cell ' || lower(hex(cell)) || ': ' || begun || ' trials, ' || planned || ' planned' "
     "FROM cell_summary WHERE begun > planned"},
    {"outcomes_add_up_in_every_cell",
     "SELECT 'cell ' || lower(hex(s.cell)) || ': ' || s.begun || ' begun, ' || n.scored || ' "
     "scored, "
     "' || n.lost || ' lost, ' || n.open || ' open' FROM cell_summary s LEFT JOIN (SELECT cell, "
     "sum(outcome IS 'scored') AS scored, sum(outcome IS NOT NULL AND outcome <> 'scored') AS "
     "lost, "
     "sum(outcome IS NULL) AS open FROM trial_state GROUP BY cell) n ON n.cell = s.cell WHERE "
     "s.scored <> coalesce(n.scored, 0) OR s.infrastructure <> coalesce(n.lost, 0) OR s.begun <> "
     "coalesce(n.scored + n.lost + n.open, 0)"},
    {"outcomes_end_with_the_scored_one",
     "SELECT 'trial ' || trial FROM outcome GROUP BY trial "
     "HAVING max(outcome = 'scored') AND max(id) <> min(id) FILTER (WHERE outcome = 'scored')"},
    {"only_scored_trials_have_scores",
     "SELECT 'trial ' || trial || ' (' || scorer || ')' FROM score s WHERE NOT EXISTS "
     "(SELECT 1 FROM outcome o WHERE o.trial = s.trial AND o.outcome = 'scored')"},
    {"scored_trials_have_a_score",
     "SELECT DISTINCT 'trial ' || trial FROM outcome o WHERE outcome = 'scored' "
     "AND NOT EXISTS (SELECT 1 FROM score s WHERE s.trial = o.trial)"},
    {"turns_are_contiguous",
     "SELECT 'trial ' || trial || ': ' || count(*) || ' turns up to number ' || max(turn) "
     "FROM turn GROUP BY trial HAVING max(turn) <> count(*) - 1"},
    {"turns_belong_to_their_attempts",
     "SELECT 'turn ' || t.turn || ' of trial ' || t.trial FROM turn t JOIN attempt a ON a.id = "
     "t.attempt "
     "WHERE a.trial <> t.trial OR a.turn <> t.turn OR a.route <> t.route"},
    {"turns_have_answered_attempts",
     "SELECT 'turn ' || t.turn || ' of trial ' || t.trial || ': attempt ' || t.attempt || ' ' || "
     "coalesce(e.cause, 'has no end') FROM turn t LEFT JOIN attempt_end e ON e.attempt = t.attempt "
     "WHERE e.cause IS NOT 'answered'"},
    {"answered_attempts_have_turns",
     "SELECT 'attempt ' || attempt FROM attempt_end e WHERE cause = 'answered' "
     "AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.attempt = e.attempt)"},
    {"turns_name_the_model_that_answered",
     "SELECT 'turn ' || t.turn || ' of trial ' || t.trial || ': ' || t.served_model || ' instead "
     "of ' || "
     "e.served_model FROM turn t JOIN attempt_end e ON e.attempt = t.attempt "
     "WHERE e.served_model <> t.served_model"},
    {"attempts_of_a_turn_are_contiguous",
     "SELECT 'turn ' || turn || ' of trial ' || trial || ': ' || count(*) || ' attempts up to "
     "number ' || max(number) FROM attempt GROUP BY trial, turn HAVING max(number) <> count(*) - 1 "
     "OR count(DISTINCT number) <> count(*)"},
    {"attempts_ask_turns_that_follow",
     "SELECT 'attempt ' || a.id || ' asks turn ' || a.turn || ' of trial ' || a.trial FROM attempt "
     "a WHERE a.turn > (SELECT count(*) FROM turn t WHERE t.trial = a.trial)"},
    {"durations_are_possible",
     "SELECT 'attempt ' || attempt || ': first byte after ' || first_byte_us || ' us, end after ' "
     "|| duration_us || ' us' FROM attempt_end WHERE duration_us < 0 OR first_byte_us > "
     "duration_us"},
    {"specs_match_their_hashes",
     "SELECT h.name || ' of generation ' || h.generation FROM manifest h LEFT JOIN manifest t ON "
     "t.generation = h.generation AND t.name = replace(h.name, '_file_hash', '_text') WHERE h.name "
     "LIKE '%\\_file\\_hash' ESCAPE '\\' AND lower(hex(content_digest('plain', "
     "length(CAST(t.value AS BLOB)), CAST(t.value AS BLOB)))) IS NOT h.value"},
    {"calls_are_contiguous",
     "SELECT 'trial ' || trial || ': ' || count(*) || ' calls up to number ' || max(n) "
     "FROM call GROUP BY trial HAVING max(n) <> count(*) - 1"},
    {"messages_match_their_digests",
     "SELECT 'message ' || id FROM message WHERE content_digest(encoding, size, content) IS NOT "
     "digest"},
}};

// What is worth knowing and no damage: it is shown, and fails nothing.
constexpr std::array<Invariant, 2> kNotes = {{
    {"attempts_have_ends",
     "SELECT 'attempt ' || a.id || ' is unknown: perhaps sent, perhaps billed' FROM attempt a "
     "WHERE "
     "NOT EXISTS (SELECT 1 FROM attempt_end e WHERE e.attempt = a.id)"},
    // Wall clocks are set back, and differ between the machines that a run was continued on.
    {"clocks_run_forwards",
     "SELECT 'attempt ' || a.id || ' ended ' || (a.at - e.at) || ' us before it began' FROM "
     "attempt "
     "a JOIN attempt_end e ON e.attempt = a.id WHERE e.at < a.at "
     "UNION ALL SELECT 'attempt ' || a.id || ' began before the ledger' FROM attempt a WHERE a.at "
     "< "
     "(SELECT created_at FROM run) "
     "UNION ALL SELECT 'attempt ' || a.id || ' began more than an hour before the one before it' "
     "FROM attempt a JOIN attempt b ON b.id = a.id - 1 WHERE a.at < b.at - 3600000000"},
}};

/// Gathers offences into a finding: how many, and the first.
class Finding {
 public:
  explicit Finding(std::string_view name)
      : check_{.name = std::string(name), .ok = true, .detail = {}} {}

  void add(std::string_view offence) {
    if (count_++ == 0) {
      first_ = offence;
    }
  }

  /// Said if nothing else is found.
  void note(std::string text) { check_.detail = std::move(text); }

  [[nodiscard]] Check close(const base::Status& status) {
    if (!status) {
      // A file too damaged to answer has not proven anything.
      add(status.error().message);
    }
    check_.ok = count_ == 0;
    if (count_ == 1) {
      check_.detail = first_;
    } else if (count_ > 1) {
      check_.detail = fmt::format("{} of them, e.g. {}", count_, first_);
    }
    return std::move(check_);
  }

 private:
  Check check_;
  std::int64_t count_ = 0;
  std::string first_;
};

std::string text_of(const Cell& cell) {
  if (const auto* text = std::get_if<std::string_view>(&cell)) {
    return std::string(*text);
  }
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    return fmt::format("{}", *number);
  }
  return {};
}

Check check_invariant(Reader& reader, const Invariant& invariant) {
  Finding finding(invariant.name);
  return finding.close(reader.scan(invariant.offences, [&](std::span<const Cell> row) {
    finding.add(text_of(row[0]));
    return true;
  }));
}

/// The list of damaged pages, and which of them a run that goes on would write anew.
std::string list_pages(const std::vector<std::uint32_t>& pages,
                       const std::vector<std::uint32_t>& in_log) {
  constexpr std::size_t kNamed = 5;
  std::string text = fmt::format(
      "page {}", fmt::join(std::span(pages).first(std::min(pages.size(), kNamed)), ", "));
  if (pages.size() > kNamed) {
    text += fmt::format(" and {} more", pages.size() - kNamed);
  }
  if (std::ranges::includes(in_log, pages)) {
    text += " (the log holds what belongs there: the next run writes it anew)";
  }
  return text;
}

/// What SQLite reads past: pages that the log covers, free ones, the file's end.
Check check_pages(Reader& reader, const WalReport& log) {
  Finding finding("pages_match_their_checksums");
  const auto report = examine_pages(ledger_path(reader.run_directory()));
  if (!report) {
    return finding.close(std::unexpected(report.error()));
  }
  if (!report->damaged.empty()) {
    finding.add(list_pages(report->damaged, log.pages));
  }
  if (report->left_bytes > 0) {
    finding.add(fmt::format("the file ends within a page, {} bytes too late", report->left_bytes));
  }
  if (!report->has_checksums) {
    finding.note("they have none: the ledger was begun by an older Sortie");
  } else if (report->unsigned_pages > 0) {
    finding.note(fmt::format("{} of {} have none: another program copied them out of the log",
                             report->unsigned_pages,
                             report->pages));
  }
  return finding.close({});
}

Check check_log(const std::optional<WalReport>& log) {
  Finding finding("log_is_whole");
  if (!log) {
    finding.note("not examined: the run is being written");
  } else if (!log->damage.empty()) {
    finding.add(log->damage);
  }
  return finding.close({});
}

Check check_structure(Reader& reader) {
  Finding finding("sqlite_structure");
  return finding.close(reader.scan("PRAGMA integrity_check(10)", [&](std::span<const Cell> row) {
    if (const std::string verdict = text_of(row[0]); verdict != "ok") {
      finding.add(verdict);
    }
    return true;
  }));
}

/// The conditions of the CHECK constraints in a CREATE TABLE statement of ours (no quoted
/// parentheses).
std::vector<std::string> conditions_in(std::string_view sql) {
  constexpr std::string_view kWord = "CHECK (";
  std::vector<std::string> conditions;
  for (std::size_t at = sql.find(kWord); at != std::string_view::npos; at = sql.find(kWord, at)) {
    at += kWord.size();
    std::size_t end = at;
    for (int depth = 1; end < sql.size(); ++end) {
      depth += sql[end] == '(' ? 1 : 0;
      depth -= sql[end] == ')' ? 1 : 0;
      if (depth == 0) {
        break;
      }
    }
    conditions.emplace_back(sql.substr(at, end - at));
    at = end;
  }
  return conditions;
}

// SQLite's integrity check knows no CHECK constraints on a connection that only reads.
Check check_constraints(Reader& reader) {
  Finding finding("values_keep_to_their_constraints");
  std::vector<std::pair<std::string, std::string>> tables;
  base::Status status = reader.scan("SELECT name, sql FROM sqlite_schema WHERE type = 'table'",
                                    [&](std::span<const Cell> row) {
                                      tables.emplace_back(text_of(row[0]), text_of(row[1]));
                                      return true;
                                    });
  for (const auto& [table, sql] : tables) {
    for (const std::string& condition : conditions_in(sql)) {
      if (status) {
        status =
            reader.scan(fmt::format("SELECT rowid FROM main.{} WHERE NOT ({})", table, condition),
                        [&](std::span<const Cell> row) {
                          finding.add(fmt::format("{} row {}", table, text_of(row[0])));
                          return true;
                        });
      }
    }
  }
  return finding.close(status);
}

Check check_references(Reader& reader) {
  Finding finding("references_lead_somewhere");
  return finding.close(reader.scan("PRAGMA foreign_key_check", [&](std::span<const Cell> row) {
    finding.add(fmt::format(
        "{} row {} names a missing {}", text_of(row[0]), text_of(row[1]), text_of(row[2])));
    return true;
  }));
}

/// What the rows of all tables add up to, for comparison with the row `run`.
struct Total {
  std::int64_t facts = 0;
  std::uint64_t content = 0;
};

/// "SELECT rowid, checksum, row_checksum('turn', …) FROM turn".
base::Result<std::string> checksum_query(Reader& reader, const FactTable& table) {
  std::string arguments = fmt::format("'{}'", table.name);
  bool first = true;
  TRY(reader.scan(fmt::format("PRAGMA main.table_info({})", table.name),
                  [&](std::span<const Cell> row) {
                    const std::string column = text_of(row[1]);
                    const bool left_out = column == "checksum" || (table.chooses_id && first);
                    first = false;
                    if (!left_out) {
                      arguments += ", " + column;
                    }
                    return true;
                  }));
  return fmt::format(
      "SELECT rowid, checksum, row_checksum({}) FROM main.{}", arguments, table.name);
}

base::Status check_rows(Reader& reader, const FactTable& table, Finding& finding, Total& total) {
  TRY_ASSIGN(const std::string sql, checksum_query(reader, table));
  return reader.scan(sql, [&](std::span<const Cell> row) {
    const auto stored = std::get<std::int64_t>(row[1]);
    ++total.facts;
    total.content += static_cast<std::uint64_t>(stored);
    if (stored != std::get<std::int64_t>(row[2])) {
      finding.add(fmt::format("{} row {}", table.name, std::get<std::int64_t>(row[0])));
    }
    return true;
  });
}

Check check_checksums(Reader& reader, Total& total) {
  Finding finding("rows_match_their_checksums");
  base::Status status;
  for (const FactTable& table : kFactTables) {
    if (status) {
      status = check_rows(reader, table, finding, total);
    }
  }
  return finding.close(status);
}

Check check_total(Reader& reader, const Total& total) {
  Finding finding("no_row_is_missing_or_added");
  return finding.close(
      reader.scan("SELECT facts, content FROM run", [&](std::span<const Cell> row) {
        const auto facts = std::get<std::int64_t>(row[0]);
        const auto content = static_cast<std::uint64_t>(std::get<std::int64_t>(row[1]));
        if (facts != total.facts) {
          finding.add(fmt::format("{} rows were recorded, {} are there", facts, total.facts));
        } else if (content != total.content) {
          finding.add("a row was replaced");
        }
        return true;
      }));
}

}  // namespace

base::Result<std::vector<Check>> verify(Reader& reader) {
  const bool own_snapshot = !reader.in_snapshot();
  TRY(reader.begin());
  TRY_ASSIGN(const auto log, examine_log(reader.run_directory()));
  std::vector<Check> checks;
  checks.push_back(check_pages(reader, log.value_or(WalReport{})));
  checks.push_back(check_log(log));
  checks.push_back(check_structure(reader));
  checks.push_back(check_constraints(reader));
  Total total;
  checks.push_back(check_checksums(reader, total));
  checks.push_back(check_total(reader, total));
  checks.push_back(check_references(reader));
  for (const Invariant& invariant : kInvariants) {
    checks.push_back(check_invariant(reader, invariant));
  }
  for (const Invariant& note : kNotes) {
    checks.push_back(check_invariant(reader, note));
    checks.back().ok = true;
  }
  if (own_snapshot) {
    reader.end();
  }
  return checks;
}

}  // namespace sortie::ledger
