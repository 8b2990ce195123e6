#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/ledger/reader.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Tables of a run as files for other programs (docs/reference/exports.md).

namespace sortie::analysis {

enum class ExportFormat : std::uint8_t { parquet, json, jsonl, csv };

[[nodiscard]] std::string_view to_string(ExportFormat format);
[[nodiscard]] std::optional<ExportFormat> export_format_from(std::string_view name);

struct ExportedTable {
  std::string name;
  std::vector<std::string> files;  // in the order of their rows; one unless the table is large
  std::uint64_t rows = 0;
  std::string content;  // digest of the rows, the same whatever the format
};

struct ExportManifest {
  std::string format;
  std::string run;              // the ledger's key
  std::string high_water_mark;  // of the ledger's snapshot
  std::vector<ExportedTable> tables;

  [[nodiscard]] const ExportedTable* table(std::string_view name) const;
};

[[nodiscard]] json::Value to_json(const ExportManifest& manifest);

/// The manifest of the export in `directory`. Errors: not_found, integrity (not a manifest of
/// ours).
[[nodiscard]] base::Result<ExportManifest> read_export_manifest(const std::string& directory);

/// An export may be replaced or removed with its folder where this holds nothing else. Errors:
/// refused, with the name of a file that is not of an export; io.
[[nodiscard]] base::Status check_only_export(const std::string& directory);

/// Feeds a row to a table's content digest.
void feed_row(base::FieldHasher& hasher, std::span<const ledger::Cell> row);

/// Starts a table's content digest.
inline constexpr std::string_view kContentDomain = "sortie.export.v2";

struct ExportOptions {
  ExportFormat format = ExportFormat::parquet;
  std::vector<std::string> tables{};  // empty: all
  // A table goes on in another file beyond these.
  std::uint64_t file_rows_max = 1'000'000;
  std::size_t file_text_bytes_max = 256UL * 1024 * 1024;
};

/// Writes the tables from one snapshot into a new directory, syncs it and puts it in the place of
/// `directory` in one step: whoever reads sees the old export or the new one, whole. Errors:
/// refused, when `directory` holds files that are not of an export; io.
[[nodiscard]] base::Result<ExportManifest> export_run(ledger::Reader& reader,
                                                      const std::string& directory,
                                                      const ExportOptions& options);

/// 'text' for SQL, its quotes doubled.
[[nodiscard]] std::string sql_quoted(std::string_view text);

}  // namespace sortie::analysis
