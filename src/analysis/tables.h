#pragma once

#include <span>
#include <string_view>

namespace sortie::analysis {

/// One exported table: its columns for DuckDB and the query that fills them from a ledger, in a
/// fixed order of rows.
struct ExportTable {
  std::string_view name;
  std::string_view columns;  // "id BIGINT, model VARCHAR, …"
  std::string_view query;
};

/// docs/reference/exports.md describes them.
[[nodiscard]] std::span<const ExportTable> export_tables();

}  // namespace sortie::analysis
