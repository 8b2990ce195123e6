#pragma once

#include "sortie/base/error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sortie::ledger {

/// What SQLite's recovery of a write-ahead log would lose of what was committed.
enum class WalLoss : std::uint8_t {
  none,     // nothing
  perhaps,  // the tail: a commit that never returned, or damage to the last one that did
  certain,  // commits that had returned
};

struct WalReport {
  WalLoss loss = WalLoss::none;
  std::string damage;                  // what does not fit, and where; empty: nothing
  std::uint64_t frames = 0;            // valid, from the start of the log
  std::uint64_t committed = 0;         // of them, up to the last commit
  std::uint64_t committed_bytes = 0;   // the log's length up to there
  std::vector<std::uint32_t> pages{};  // page numbers in committed frames, ascending
};

/// Looks at the write-ahead log beside a database, past SQLite. Nobody may write it meanwhile.
///
/// SQLite reads a WAL up to the first frame whose checksum fails and ignores the rest without a
/// word. That is right for a tail torn by a crash, and wrong for damage in the middle: a flipped
/// bit in the header drops every commit that was not yet copied into the database. A commit starts
/// only after the one before was synced, so two commit frames of the same log beyond the first bad
/// frame show that an acknowledged commit would be lost; so does a bad frame that the log's index
/// (-shm, left by a process that was killed) counts as committed; so does a bad header before
/// frames, unless the database holds all that they hold: then a power cut tore the header of a log
/// that was begun anew. One commit frame behind the first bad frame is a torn tail.
///
/// A missing or empty file is fine. Errors: io.
[[nodiscard]] base::Result<WalReport> examine_wal(const std::string& database);

/// The same as a verdict. Errors: integrity if acknowledged commits would be lost, io.
[[nodiscard]] base::Status check_wal(const std::string& database);

}  // namespace sortie::ledger
