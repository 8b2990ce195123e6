#pragma once

#include "sortie/base/error.h"

#include <string>

namespace sortie::ledger {

/// Proves that SQLite's recovery of this write-ahead log will lose nothing that was acknowledged.
///
/// SQLite reads a WAL up to the first frame whose checksum fails and ignores the rest without a
/// word. That is right for a tail torn by a crash, and wrong for damage in the middle: a flipped
/// bit in the header drops every commit that was not yet copied into the database. A commit starts
/// only after the one before was synced, so two commit frames of the same log beyond the first bad
/// frame show that an acknowledged commit would be lost; likewise a bad header with frames behind
/// it. One commit frame there is a torn, unacknowledged tail.
///
/// A missing or empty file is fine. Errors: integrity, io. Nobody may write the log meanwhile.
[[nodiscard]] base::Status check_wal(const std::string& path);

}  // namespace sortie::ledger
