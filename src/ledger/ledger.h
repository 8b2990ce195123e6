#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/records.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

// The writer's side of the system of record: one SQLite file per run directory (RUN/ledger.db),
// WAL, synchronous=FULL, one writer. Facts are appended in order and become durable in order.

namespace sortie::ledger {

/// Position in the order of appended records, from 1. A commit of n makes every record up to n
/// durable.
using Sequence = std::uint64_t;

enum class CommitMode : std::uint8_t {
  threaded,  // a writer thread commits at once what gathered while its last commit ran, at most 512
             // records
  // flush() commits on the caller's thread: virtual time. The plain name is a keyword.
  inline_,  // NOLINT(readability-identifier-naming)
};

struct LedgerOptions {
  CommitMode mode = CommitMode::threaded;
  std::size_t queue_records_max =
      65536;  // append blocks the caller beyond this; inline_: commits on its thread
  std::size_t queue_bytes_max = 256UL * 1024 * 1024;  // likewise, for records with large contents
  // The write-ahead log is copied into the file whenever it holds this many pages: rarely enough
  // that a page changed by many commits is copied once, often enough that readers search a small
  // log.
  int log_pages = 16384;
};

class Ledger {
 public:
  /// Called after every commit with the newest durable sequence, or with the error that ended the
  /// ledger: disk full, I/O error. After an error nothing more is written. From the writer thread
  /// (threaded) or from flush() (inline_).
  using CommitListener = std::function<void(base::Result<Sequence>)>;

  /// Creates the run directory (0700) and ledger if they do not exist, takes the lock RUN/lock,
  /// migrates. Errors: locked (says the owner's pid, host and since when), integrity (not a ledger,
  /// newer schema, damaged), refused (network file system, with the reason), io.
  [[nodiscard]] static base::Result<std::unique_ptr<Ledger>> open(const std::string& run_directory,
                                                                  const LedgerOptions& options,
                                                                  CommitListener listener);

  /// Commits what was appended and releases the lock.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Appends one fact; returns its sequence. Cheap: the work happens on the writer thread.
  Sequence append(Record record);

  /// Appends facts that become durable together, all or none (an attempt's end and its turn; the
  /// records that close a trial); returns the sequence of the last.
  Sequence append_together(std::vector<Record> records);

  /// Returns when everything appended is durable, with the newest sequence.
  [[nodiscard]] base::Result<Sequence> flush();

  /// First ids that no record of this ledger uses yet.
  [[nodiscard]] TrialId next_trial_id() const;
  [[nodiscard]] AttemptId next_attempt_id() const;
  [[nodiscard]] std::int64_t next_generation() const;

  /// Counters since opening, for status and benches.
  struct Stats {
    std::uint64_t records = 0;
    std::uint64_t commits = 0;
    std::uint64_t bytes_compressed = 0;  // that new message contents take on disk
  };

  [[nodiscard]] Stats stats() const;

 private:
  struct State;
  Sequence enqueue(std::span<Record> records);

  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sortie::ledger
