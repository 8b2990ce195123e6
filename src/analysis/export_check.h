#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <optional>
#include <string>

// Proves that two exports, or an export and its ledger, are equal in every field, whatever the
// formats.

namespace sortie::analysis {

struct ExportComparison {
  std::uint64_t tables = 0;  // compared whole, up to the first difference
  std::uint64_t rows = 0;
  std::optional<std::string> difference;  // the first one: table, row, column, both values
};

/// Also recomputes what each export's manifest says of its rows. Errors: what cannot be read.
[[nodiscard]] base::Result<ExportComparison> compare_exports(const std::string& first,
                                                             const std::string& second);

/// The tables that the export holds, with those of the ledger's present snapshot.
[[nodiscard]] base::Result<ExportComparison> compare_export(const std::string& directory,
                                                            ledger::Reader& reader);

}  // namespace sortie::analysis
