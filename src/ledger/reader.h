#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/ledger/read_options.h"
#include "sortie/ledger/records.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sortie::ledger {

/// One column of a row. Text views are valid until the visitor returns.
using Cell = std::variant<std::monostate, std::int64_t, double, std::string_view>;

/// Return false to stop the scan.
using RowVisitor = std::function<bool(std::span<const Cell>)>;

struct TrialState {
  TrialId id = 0;
  base::Digest key;
  base::Digest cell;
  std::string task;
  std::int64_t repeat = 0;
  std::string
      outcome;  // the one that counts: "scored" if there is one, else the latest, "" while open
};

struct StoredTurn {
  TurnRecord record;  // answer decompressed
};

/// Reads a ledger, also while a run writes it. All reads between begin() and end() see one
/// snapshot. Never locks anybody.
class Reader {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Reader>> open(const std::string& run_directory,
                                                                  const ReadOptions& options = {});
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[nodiscard]] base::Status begin();
  void end();
  [[nodiscard]] bool in_snapshot() const;

  /// Runs one read-only SELECT. Digests are 16-byte blobs shown as lower-case hexadecimal text.
  /// message_text(turn.answer) is the text of an answer. Tables, columns and views:
  /// docs/design/ledger.md.
  [[nodiscard]] base::Status scan(std::string_view sql, const RowVisitor& visitor);

  /// The same with text parameters bound to ?1, ?2, …
  [[nodiscard]] base::Status scan(std::string_view sql,
                                  std::span<const std::string> parameters,
                                  const RowVisitor& visitor);

  /// The first column of the first row as an integer; 0 when NULL or absent.
  [[nodiscard]] base::Result<std::int64_t> count(std::string_view sql);

  /// Every trial in id order.
  [[nodiscard]] base::Status for_each_trial(const std::function<void(const TrialState&)>& visitor);

  /// Turns of a trial in order.
  [[nodiscard]] base::Result<std::vector<StoredTurn>> turns(TrialId trial);

  /// A manifest entry of the newest generation that has it.
  [[nodiscard]] base::Result<std::optional<std::string>> manifest(std::string_view name);

  [[nodiscard]] const std::string& run_directory() const;

  /// Another file has taken the ledger's place, or none: this still reads the old one.
  [[nodiscard]] bool has_moved() const;

  [[nodiscard]] const ReadOptions& options() const;

  /// Newest durable sequence-like mark: changes with every commit of facts; equal marks mean equal
  /// content.
  [[nodiscard]] base::Result<std::string> high_water_mark();

 private:
  struct State;
  explicit Reader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One finding of verify().
struct Check {
  std::string name;  // "attempts_one_end", …
  bool ok = true;
  std::string
      detail;  // when not ok: how many, and an example; else what is worth knowing, if anything
};

/// What can be proven from the ledger alone: checksums of pages, log, rows and messages, SQLite's
/// own integrity check, constraints and references, and the invariants that span tables (verify.cc
/// lists them by name).
[[nodiscard]] base::Result<std::vector<Check>> verify(Reader& reader);

/// What can be said of a ledger that Reader::open refuses with `error`: which pages are damaged and
/// what they hold, and the state of the log.
[[nodiscard]] std::vector<Check> verify_unreadable(const std::string& run_directory,
                                                   const base::Error& error);

}  // namespace sortie::ledger
