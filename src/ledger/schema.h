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
inline constexpr std::int64_t kSchemaVersion = 1;

/// A table of facts. Its last column is `checksum`, over all columns before it; where the ledger
/// chooses the row id
/// (`id`, the first column), the checksum leaves that out, so that a repeated fact has the same
/// one.
struct FactTable {
  std::string_view name;
  bool chooses_id = false;
};

inline constexpr std::array<FactTable, 11> kFactTables = {{{.name = "manifest", .chooses_id = true},
                                                           {.name = "cell"},
                                                           {.name = "trial"},
                                                           {.name = "attempt"},
                                                           {.name = "attempt_end"},
                                                           {.name = "message"},
                                                           {.name = "turn"},
                                                           {.name = "outcome", .chooses_id = true},
                                                           {.name = "score", .chooses_id = true},
                                                           {.name = "call", .chooses_id = true},
                                                           {.name = "event", .chooses_id = true}}};

/// Every statement that makes an empty ledger, pragmas of the file included.
[[nodiscard]] std::string schema_sql();

/// The file is a ledger of this version. Errors: integrity, with what was found.
[[nodiscard]] base::Status check_identity(Connection& connection);

/// Nothing of the schema was added, removed or changed; the difference if something was. Errors:
/// SQLite's own.
[[nodiscard]] base::Result<std::string> schema_difference(Connection& connection);

}  // namespace sortie::ledger
