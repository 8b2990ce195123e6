#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/sqlite.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

// The file format (docs/design/ledger.md). A change of anything here is a new kSchemaVersion.

namespace sortie::ledger {

/// PRAGMA application_id: "Srti".
inline constexpr std::int64_t kApplicationId = 0x53727469;
/// PRAGMA user_version.
inline constexpr std::int64_t kSchemaVersion = 4;
/// Of a ledger's file, in every version.
inline constexpr int kPageBytes = 4096;
/// The oldest version that is read, and migrated when a run goes on.
inline constexpr std::int64_t kOldestSchemaVersion = 1;

/// A table of facts. Its last column is `checksum`, over all columns before it; where the ledger
/// chooses the row id
/// (`id`, the first column), the checksum leaves that out, so that a repeated fact has the same
/// one. Of the `added` columns before `checksum`, which came with a later version, NULLs at the end
/// do not enter, so that older rows keep their checksums.
struct FactTable {
  std::string_view name;
  bool chooses_id = false;
  int added = 0;
  std::int64_t since = 1;  // the schema version that it came with
};

inline constexpr std::array<FactTable, 12> kFactTables = {
    {{.name = "manifest", .chooses_id = true},
     {.name = "cell"},
     {.name = "trial"},
     {.name = "attempt"},
     {.name = "attempt_end"},
     {.name = "message"},
     {.name = "turn"},
     {.name = "outcome", .chooses_id = true},
     {.name = "score", .chooses_id = true, .added = 7},
     {.name = "call", .chooses_id = true},
     {.name = "event", .chooses_id = true},
     {.name = "reuse", .since = 4}}};

/// Every statement that makes an empty ledger, pragmas of the file included.
[[nodiscard]] std::string schema_sql(std::int64_t version = kSchemaVersion);

/// The file is a ledger, of a version that this program knows: which. Errors: integrity, with what
/// was found.
[[nodiscard]] base::Result<std::int64_t> check_identity(Connection& connection);

/// Brings a ledger of an older version to this one, in one transaction: whoever is killed meanwhile
/// leaves the old version. No fact changes. Only for the owner of the run's lock.
[[nodiscard]] base::Status migrate(Connection& connection, std::int64_t version);

/// What makes queries of this version work on a connection that only reads an older one: views of
/// that connection alone, with NULL for what the older version does not have.
[[nodiscard]] base::Status read_as_current(Connection& connection, std::int64_t version);

/// Nothing of a version's schema was added, removed or changed; the difference if something was.
/// Errors: SQLite's own.
[[nodiscard]] base::Result<std::string> schema_difference(Connection& connection,
                                                          std::int64_t version = kSchemaVersion);

}  // namespace sortie::ledger
