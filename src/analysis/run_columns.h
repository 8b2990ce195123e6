#pragma once

#include "sortie/analysis/request_columns.h"
#include "sortie/analysis/trial_columns.h"
#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

// Everything that reports count of a ledger, as one pass over its facts finds it, and how far that
// pass came: facts are only ever added, so what was read once stays true.

namespace sortie::analysis {

/// Tables of facts that the columns do not hold.
struct UncountedTable {
  std::string_view name;
  std::string_view id;
};

inline constexpr std::array<UncountedTable, 5> kUncounted = {{{.name = "manifest", .id = "id"},
                                                              {.name = "message", .id = "id"},
                                                              {.name = "call", .id = "id"},
                                                              {.name = "event", .id = "id"},
                                                              {.name = "reuse", .id = "trial"}}};

struct RunColumns {
  std::string run;  // its key
  FactSum total;    // of all facts of the ledger
  FactSum cells;    // of the table `cell`, the only one whose rows change
  std::array<std::int64_t, kUncounted.size()> last_uncounted{};  // ids
  TrialColumns trials;
  RequestColumns requests;
};

/// Within the caller's snapshot.
[[nodiscard]] base::Result<RunColumns> read_columns(ledger::Reader& reader);

/// Adds what is new since. False: the ledger is not what it was with facts added (by the sums of
/// all checksums), or its scores are by another scorer; the columns are of no use then. Within the
/// caller's snapshot.
[[nodiscard]] base::Result<bool> read_on(ledger::Reader& reader, RunColumns& columns);

}  // namespace sortie::analysis
