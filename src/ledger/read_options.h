#pragma once

#include <cstddef>

namespace sortie::ledger {

/// How a ledger is read.
struct ReadOptions {
  std::size_t cache_bytes = 16UL * 1024 * 1024;  // of pages in memory at most
  /// Where nobody writes: SQLite makes no new index (-shm) of a log that was left behind, so that
  /// what the old one says of the log's end can still be compared. For a short time only, since a
  /// run that begins meanwhile copies the log under the reader.
  bool leaves_index = false;
};

}  // namespace sortie::ledger
