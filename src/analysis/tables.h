#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::analysis {

/// One exported table: its columns for DuckDB and the query that fills them from a ledger, in a
/// fixed order of rows.
struct ExportTable {
  std::string_view name;
  std::string_view columns;  // "id BIGINT, model VARCHAR, …"
  std::string_view query;
};

struct ExportColumn {
  std::string_view name;
  std::string_view type;  // BIGINT, DOUBLE, BOOLEAN, VARCHAR
};

/// docs/reference/exports.md describes them.
[[nodiscard]] std::span<const ExportTable> export_tables();

/// nullptr: there is none of that name.
[[nodiscard]] const ExportTable* export_table(std::string_view name);

[[nodiscard]] std::vector<std::string> export_table_names();

[[nodiscard]] std::vector<ExportColumn> columns_of(const ExportTable& table);

}  // namespace sortie::analysis
