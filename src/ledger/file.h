#pragma once

#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/ledger/read_options.h"
#include "sortie/ledger/sqlite.h"
#include "sortie/ledger/wal.h"

#include <optional>
#include <string>

// The ledger's file in its run directory. A ledger is made under another name and renamed when it
// is complete, so that RUN/ledger.db is a whole ledger from its first moment, and an empty or
// foreign file there is damage, never a new start.

namespace sortie::ledger {

[[nodiscard]] std::string ledger_path(const std::string& run_directory);

/// Makes the directory (0700) if it is not there, durably.
[[nodiscard]] base::Status make_run_directory(const std::string& run_directory);

/// Opens the ledger for writing and proves that it is one, creating it if the directory holds none
/// and migrating one of an older version.
/// `log_pages` as in LedgerOptions. The caller holds the run's lock. Errors: integrity (says what
/// was found and that nothing was changed), io.
[[nodiscard]] base::Result<Connection> open_or_create(const std::string& run_directory,
                                                      base::WallTime now,
                                                      int log_pages);

/// Opens an existing ledger for reading and proves that it is one. Never waits for the writer. One
/// of an older version stays as it is and shows NULL for what it does not have.
/// Errors: not_found, integrity, io.
[[nodiscard]] base::Result<Connection> open_to_read(const std::string& run_directory,
                                                    const ReadOptions& options = {});

/// What the write-ahead log looks like; nothing while it is being written. Errors: io.
[[nodiscard]] base::Result<std::optional<WalReport>> examine_log(const std::string& run_directory);

}  // namespace sortie::ledger
