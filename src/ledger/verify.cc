#include "sortie/base/error.h"
#include "sortie/ledger/cells.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/page_contents.h"
#include "sortie/ledger/pages.h"
#include "sortie/ledger/parallel.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/wal.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::ledger {

namespace {

/// A query that names everything that breaks an invariant: one text per offence. No row: it holds.
struct Invariant {
  std::string_view name;
  std::string_view offences;
};

// Each stands for a promise of the ledger that no constraint of the schema keeps.
constexpr std::array<Invariant, 17> kInvariants = {{
    {"cells_hold_what_is_planned",
     "SELECT 'cell ' || lower(hex(cell)) || ': ' || begun || ' trials, ' || planned || ' planned' "
     "FROM cell_summary WHERE begun > planned"},
    {"outcomes_add_up_in_every_cell",
     "SELECT 'cell ' || lower(hex(s.cell)) || ': ' || s.begun || ' begun, ' || n.scored || ' "
     "scored, "
     "' || n.lost || ' lost, ' || n.open || ' open' FROM cell_summary s LEFT JOIN (SELECT cell, "
     "sum(outcome IS 'scored') AS scored, sum(outcome IS NOT NULL AND outcome <> 'scored') AS "
     "lost, "
     "sum(outcome IS NULL) AS open FROM (SELECT cell, outcome FROM trial_state LIMIT -1) GROUP BY "
     "cell) n ON n.cell = s.cell WHERE "
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
     "SELECT 'turn ' || turn || ' of trial ' || trial || ': ' || n || ' attempts up to number ' || "
     "newest FROM (SELECT trial, turn, count(*) AS n, max(number) AS newest FROM attempt GROUP BY "
     "trial, turn) AS a WHERE newest <> n - 1 OR (n > 1 AND n <> (SELECT count(DISTINCT number) "
     "FROM attempt AS b WHERE b.trial = a.trial AND b.turn = a.turn))"},
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
    // Copied whole, and not billed again.
    {"reused_trials_are_whole_and_free",
     "SELECT 'trial ' || r.trial || ' of ' || r.directory FROM reuse r WHERE r.answers IS NOT "
     "(SELECT content_digest('plain', length(all_digests), all_digests) FROM (SELECT "
     "CAST(group_concat(one, '') AS BLOB) AS all_digests FROM (SELECT lower(hex(m.digest)) AS one "
     "FROM turn t JOIN message m ON m.id = t.answer WHERE t.trial = r.trial ORDER BY t.turn))) OR "
     "NOT EXISTS (SELECT 1 FROM outcome o WHERE o.trial = r.trial AND o.outcome = 'scored') OR "
     "EXISTS (SELECT 1 FROM attempt_full a WHERE a.trial = r.trial AND (a.cost + a.reserved_cost + "
     "a.input_tokens + a.output_tokens) IS NOT 0)"},
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
     "(SELECT created_at FROM run) AND a.trial NOT IN (SELECT trial FROM reuse) "
     "UNION ALL SELECT 'attempt ' || a.id || ' began more than an hour before the one before it' "
     "FROM attempt a JOIN attempt b ON b.id = a.id - 1 WHERE a.at < b.at - 3600000000 AND a.trial "
     "NOT IN (SELECT trial FROM reuse)"},
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

  /// What was found of other parts of the same.
  void add(const Finding& other) {
    if (count_ == 0) {
      first_ = other.first_;
    }
    count_ += other.count_;
  }

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

std::string as_text(const Cell& cell) {
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
    finding.add(as_text(row[0]));
    return true;
  }));
}

/// The damaged pages with what they hold, and what becomes of them or has to be done.
std::string list_pages(const std::string& path,
                       const std::vector<std::uint32_t>& pages,
                       const std::vector<std::uint32_t>& in_log) {
  constexpr std::size_t kNamed = 5;
  const auto named = std::span(pages).first(std::min(pages.size(), kNamed));
  const auto contents = contents_of_pages(path, named);
  std::string text;
  for (const std::uint32_t page : named) {
    const auto known = contents.find(page);
    text += fmt::format("{}page {}{}",
                        text.empty() ? "" : ", ",
                        page,
                        known == contents.end() ? "" : " (" + known->second + ")");
  }
  if (pages.size() > kNamed) {
    text += fmt::format(" and {} more", pages.size() - kNamed);
  }
  if (std::ranges::includes(in_log, pages)) {
    return text + ": the log holds what belongs there: the next run writes it anew";
  }
  return text +
         ": the disk or another program changed the file. Restore the run from a copy; there is no "
         "repair, since what stood there is not known (docs/design/ledger.md, Damage)";
}

/// What SQLite reads past: pages that the log covers, free ones, the file's end.
Check check_pages(const std::string& run_directory, const WalReport& log) {
  Finding finding("pages_match_their_checksums");
  const std::string path = ledger_path(run_directory);
  const auto report = examine_pages(path);
  if (!report) {
    return finding.close(std::unexpected(report.error()));
  }
  if (!report->damaged.empty()) {
    finding.add(list_pages(path, report->damaged, log.pages));
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
    if (const std::string verdict = as_text(row[0]); verdict != "ok") {
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

Check check_references(Reader& reader) {
  Finding finding("references_lead_somewhere");
  return finding.close(reader.scan("PRAGMA foreign_key_check", [&](std::span<const Cell> row) {
    finding.add(fmt::format(
        "{} row {} names a missing {}", as_text(row[0]), as_text(row[1]), as_text(row[2])));
    return true;
  }));
}

/// What the rows of all tables add up to, for comparison with the row `run`.
struct Total {
  std::int64_t facts = 0;
  std::uint64_t content = 0;
};

/// A table as one scan finds it.
struct TableReport {
  std::string name;
  std::string sql;  // that made it
  Finding constraints{{}};
  Finding checksums{{}};
  Total total;
  base::Status status;
};

// SQLite's integrity check knows no CHECK constraints on a connection that only reads.
/// "(a > 0) IS 0 + (b > 0) IS 0": how many of the table's constraints a row breaks.
std::string broken_constraints(const std::string& sql) {
  std::string sum = "0";
  for (const std::string& condition : conditions_in(sql)) {
    sum += fmt::format(" + (({}) IS 0)", condition);
  }
  return sum;
}

/// "checksum, row_checksum('turn', …)", or nothing where the table holds no facts.
base::Result<std::string> checksum_columns(Reader& reader, const std::string& name) {
  const auto* const table = std::ranges::find(kFactTables, name, &FactTable::name);
  if (table == kFactTables.end()) {
    return std::string("0, 0");
  }
  std::string arguments = fmt::format("'{}'", name);
  bool first = true;
  TRY(reader.scan(fmt::format("PRAGMA main.table_info({})", name), [&](std::span<const Cell> row) {
    const std::string column = as_text(row[1]);
    const bool left_out = column == "checksum" || (table->chooses_id && first);
    first = false;
    if (!left_out) {
      arguments += ", " + column;
    }
    return true;
  }));
  return fmt::format("checksum, row_checksum({})", arguments);
}

base::Status check_rows(Reader& reader, TableReport& table) {
  TRY_ASSIGN(const std::string checksums, checksum_columns(reader, table.name));
  const bool has_facts =
      std::ranges::find(kFactTables, table.name, &FactTable::name) != kFactTables.end();
  return reader.scan(fmt::format("SELECT rowid, {}, {} FROM main.{}",
                                 broken_constraints(table.sql),
                                 checksums,
                                 table.name),
                     [&](std::span<const Cell> row) {
                       const auto name = [&] {
                         return fmt::format("{} row {}", table.name, int_of(row[0]));
                       };
                       for (auto broken = int_of(row[1]); broken > 0; --broken) {
                         table.constraints.add(name());
                       }
                       const auto stored = int_of(row[2]);
                       if (stored != int_of(row[3])) {
                         table.checksums.add(name());
                       }
                       if (has_facts) {
                         ++table.total.facts;
                         table.total.content += static_cast<std::uint64_t>(stored);
                       }
                       return true;
                     });
}

base::Result<std::vector<TableReport>> tables_of(Reader& reader) {
  std::vector<TableReport> tables;
  TRY(reader.scan("SELECT name, sql FROM sqlite_schema WHERE type = 'table'",
                  [&](std::span<const Cell> row) {
                    TableReport& table = tables.emplace_back();
                    table.name = as_text(row[0]);
                    table.sql = as_text(row[1]);
                    return true;
                  }));
  return tables;
}

/// The checks of what the tables' scans found.
struct RowChecks {
  Finding constraints{"values_keep_to_their_constraints"};
  Finding checksums{"rows_match_their_checksums"};
  Total total;
  base::Status status;

  void add(const TableReport& table) {
    constraints.add(table.constraints);
    checksums.add(table.checksums);
    total.facts += table.total.facts;
    total.content += table.total.content;
    if (status) {
      status = table.status;
    }
  }
};

Check check_total(Reader& reader, const Total& total) {
  Finding finding("no_row_is_missing_or_added");
  return finding.close(
      reader.scan("SELECT facts, content FROM run", [&](std::span<const Cell> row) {
        const auto facts = int_of(row[0]);
        const auto content = static_cast<std::uint64_t>(int_of(row[1]));
        if (facts != total.facts) {
          finding.add(fmt::format("{} rows were recorded, {} are there", facts, total.facts));
        } else if (content != total.content) {
          finding.add("a row was replaced");
        }
        return true;
      }));
}

/// All checks of one ledger: jobs of which each fills a place of its own.
class Verification {
 public:
  explicit Verification(base::Result<std::vector<TableReport>> tables, std::optional<WalReport> log)
      : tables_(std::move(tables)), log_(std::move(log)) {}

  /// The long ones first, so that no core is left with one at the end.
  [[nodiscard]] std::vector<ReadingJob> jobs() {
    std::vector<ReadingJob> jobs;
    jobs.emplace_back([this](Reader& reader) { structure_ = check_structure(reader); });
    if (tables_) {
      for (TableReport& table : *tables_) {
        jobs.emplace_back([&table](Reader& reader) { table.status = check_rows(reader, table); });
      }
    }
    jobs.emplace_back([this](Reader& reader) { references_ = check_references(reader); });
    for (std::size_t i = kInvariants.size(); i-- > 0;) {
      jobs.emplace_back(
          [this, i](Reader& reader) { invariants_[i] = check_invariant(reader, kInvariants[i]); });
    }
    for (std::size_t i = 0; i < kNotes.size(); ++i) {
      jobs.emplace_back([this, i](Reader& reader) {
        notes_[i] = check_invariant(reader, kNotes[i]);
        notes_[i].ok = true;
      });
    }
    jobs.emplace_back([this](Reader& reader) {
      pages_ = check_pages(reader.run_directory(), log_.value_or(WalReport{}));
    });
    return jobs;
  }

  [[nodiscard]] std::vector<Check> checks(Reader& reader) && {
    RowChecks rows;
    if (!tables_) {
      rows.status = std::unexpected(tables_.error());
    } else {
      for (const TableReport& table : *tables_) {
        rows.add(table);
      }
    }
    std::vector<Check> checks{std::move(pages_),
                              check_log(log_),
                              std::move(structure_),
                              rows.constraints.close(rows.status),
                              rows.checksums.close(rows.status),
                              check_total(reader, rows.total),
                              std::move(references_)};
    std::ranges::move(invariants_, std::back_inserter(checks));
    std::ranges::move(notes_, std::back_inserter(checks));
    return checks;
  }

 private:
  base::Result<std::vector<TableReport>> tables_;
  std::optional<WalReport> log_;
  Check pages_;
  Check structure_;
  Check references_;
  std::array<Check, kInvariants.size()> invariants_;
  std::array<Check, kNotes.size()> notes_;
};

}  // namespace

std::vector<Check> verify_unreadable(const std::string& run_directory, const base::Error& error) {
  const auto log = examine_log(run_directory);
  const WalReport none;
  std::vector<Check> checks;
  checks.push_back(check_pages(run_directory, log ? log->value_or(none) : none));
  if (log) {
    checks.push_back(check_log(*log));
  }
  checks.push_back({.name = "ledger_can_be_read", .ok = false, .detail = error.message});
  return checks;
}

base::Result<std::vector<Check>> verify(Reader& reader) {
  const bool own_snapshot = !reader.in_snapshot();
  TRY(reader.begin());
  TRY_ASSIGN(auto log, examine_log(reader.run_directory()));
  Verification verification(tables_of(reader), std::move(log));
  TRY(read_in_parallel(reader, verification.jobs()));
  std::vector<Check> checks = std::move(verification).checks(reader);
  if (own_snapshot) {
    reader.end();
  }
  return checks;
}

}  // namespace sortie::ledger
