#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::analysis {

enum class ExportFormat : std::uint8_t { parquet, json, jsonl, csv };

[[nodiscard]] std::string_view to_string(ExportFormat format);
[[nodiscard]] std::optional<ExportFormat> export_format_from(std::string_view name);

struct ExportedTable {
  std::string name;
  std::string file;
  std::uint64_t rows = 0;
  std::string content;  // digest of the rows, the same whatever the format
};

struct ExportManifest {
  std::string format;
  std::string high_water_mark;  // of the ledger's snapshot
  std::vector<ExportedTable> tables;
};

[[nodiscard]] json::Value to_json(const ExportManifest& manifest);

/// Writes every table from one snapshot into `directory` (created if absent). Each file is written
/// under a temporary name, synced and renamed; manifest.json comes last, so that a manifest always
/// describes complete files.
[[nodiscard]] base::Result<ExportManifest> export_run(ledger::Reader& reader,
                                                      const std::string& directory,
                                                      ExportFormat format);

/// Writes text to a file under a temporary name, syncs and renames it: readers see the old file or
/// the new one.
[[nodiscard]] base::Status write_atomically(const std::string& path, std::string_view text);

}  // namespace sortie::analysis
