#include "sortie/analysis/export.h"

#include "sortie/analysis/cells.h"
#include "sortie/analysis/duck.h"
#include "sortie/analysis/files.h"
#include "sortie/analysis/tables.h"
#include "sortie/base/hash.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kManifestFile = "manifest.json";

std::string_view copy_options(ExportFormat format) {
  switch (format) {
    case ExportFormat::parquet:
      return "FORMAT parquet, COMPRESSION zstd";
    case ExportFormat::json:
      return "FORMAT json, ARRAY true";
    case ExportFormat::jsonl:
      return "FORMAT json, ARRAY false";
    case ExportFormat::csv:
      return "FORMAT csv, HEADER true";
  }
  return "";
}

std::size_t text_bytes(std::span<const ledger::Cell> row) {
  std::size_t bytes = 0;
  for (const ledger::Cell& cell : row) {
    const auto* text = std::get_if<std::string_view>(&cell);
    bytes += text == nullptr ? 0 : text->size();
  }
  return bytes;
}

/// One table: gathers rows in DuckDB and writes them out whenever they are many.
class TableWriter {
 public:
  TableWriter(Duck& duck, const ExportTable& table, const ExportOptions& options, fs::path folder)
      : duck_(duck), table_(table), options_(options), folder_(std::move(folder)) {}

  base::Result<ExportedTable> run(ledger::Reader& reader) {
    TRY(begin_part());
    base::Status appended;
    TRY(reader.scan(table_.query, [&](std::span<const ledger::Cell> row) {
      appended = add(row);
      return appended.has_value();
    }));
    TRY(std::move(appended));
    TRY(write_part());
    out_.name = table_.name;
    out_.content = hasher_.finish().hex();
    return std::move(out_);
  }

 private:
  base::Status begin_part() {
    TRY(duck_.execute(fmt::format("CREATE TABLE {} ({})", table_.name, table_.columns)));
    TRY_ASSIGN(loader_, duck_.load(std::string(table_.name)));
    part_rows_ = 0;
    part_bytes_ = 0;
    return {};
  }

  base::Status add(std::span<const ledger::Cell> row) {
    if (part_rows_ >= options_.file_rows_max || part_bytes_ >= options_.file_text_bytes_max) {
      numbered_ = true;
      TRY(write_part());
      TRY(begin_part());
    }
    if (base::Status added = loader_->append(row); !added.has_value()) {
      return std::unexpected(base::with_context(
          std::move(added).error(), fmt::format("table {}, row {}", table_.name, out_.rows)));
    }
    feed_row(hasher_, row);
    ++out_.rows;
    ++part_rows_;
    part_bytes_ += text_bytes(row);
    return {};
  }

  base::Status write_part() {
    TRY(loader_->finish());
    loader_.reset();
    const std::string number = numbered_ ? fmt::format("-{:05}", out_.files.size() + 1) : "";
    const std::string file =
        fmt::format("{}{}.{}", table_.name, number, to_string(options_.format));
    const std::string path = (folder_ / file).string();
    TRY(duck_.execute(fmt::format(
        "COPY {} TO {} ({})", table_.name, sql_quoted(path), copy_options(options_.format))));
    TRY(sync_path(path));
    out_.files.push_back(file);
    return duck_.execute(fmt::format("DROP TABLE {}", table_.name));
  }

  Duck& duck_;
  const ExportTable& table_;
  const ExportOptions& options_;
  fs::path folder_;
  std::unique_ptr<Duck::Loader> loader_;
  base::FieldHasher hasher_{kContentDomain};
  ExportedTable out_;
  bool numbered_ = false;
  std::uint64_t part_rows_ = 0;
  std::size_t part_bytes_ = 0;
};

base::Result<std::string> run_key(ledger::Reader& reader) {
  std::string key;
  TRY(reader.scan("SELECT key FROM run", [&](std::span<const ledger::Cell> row) {
    key = text_of(row[0]);
    return false;
  }));
  return key;
}

base::Status write_tables(ledger::Reader& reader,
                          const ExportOptions& options,
                          const fs::path& folder,
                          ExportManifest& manifest) {
  TRY_ASSIGN(const auto duck, Duck::open());
  TRY_ASSIGN(manifest.high_water_mark, reader.high_water_mark());
  TRY_ASSIGN(manifest.run, run_key(reader));
  for (const ExportTable& table : export_tables()) {
    const bool wanted = options.tables.empty() ||
                        std::ranges::find(options.tables, table.name) != options.tables.end();
    if (wanted) {
      TRY_ASSIGN(ExportedTable written, TableWriter(*duck, table, options, folder).run(reader));
      manifest.tables.push_back(std::move(written));
    }
  }
  return {};
}

base::Status check_tables(const std::vector<std::string>& tables) {
  const std::vector<std::string> names = export_table_names();
  for (const std::string& table : tables) {
    if (std::ranges::find(names, table) == names.end()) {
      return base::bad_input(fmt::format("there is no table '{}'{}; tables: {}",
                                         table,
                                         base::suggestion(table, names),
                                         base::join(names, ", ")));
    }
  }
  return {};
}

base::Result<ExportedTable> table_from(const json::Value& value) {
  ExportedTable table;
  const auto name = json::get_string(value, "name");
  const auto rows = json::get_int(value, "rows");
  const auto content = json::get_string(value, "content");
  const json::Array* files = json::get_array(value, "files");
  if (!name || !rows || *rows < 0 || !content || files == nullptr) {
    return base::bad_input("a table lacks name, files, rows or content");
  }
  table.name = *name;
  table.rows = static_cast<std::uint64_t>(*rows);
  table.content = *content;
  for (const json::Value& file : *files) {
    const std::string text(file.is_string() ? json::view(file.as_string()) : "");
    if (text.empty() || text.find('/') != std::string::npos) {
      return base::bad_input(fmt::format("table {}: '{}' is no file name", table.name, text));
    }
    table.files.push_back(text);
  }
  return table;
}

base::Result<ExportManifest> manifest_from(const json::Value& value) {
  ExportManifest manifest;
  const auto format = json::get_string(value, "format");
  const auto mark = json::get_string(value, "high_water_mark");
  const json::Array* tables = json::get_array(value, "tables");
  if (!format || !export_format_from(*format) || !mark || tables == nullptr) {
    return base::bad_input("format, high_water_mark or tables are missing");
  }
  manifest.format = *format;
  manifest.high_water_mark = *mark;
  manifest.run = json::get_string(value, "run").value_or("");
  for (const json::Value& table : *tables) {
    TRY_ASSIGN(ExportedTable read, table_from(table));
    manifest.tables.push_back(std::move(read));
  }
  return manifest;
}

}  // namespace

std::string sql_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("''") : std::string(1, c);
  }
  return out + "'";
}

void feed_row(base::FieldHasher& hasher, std::span<const ledger::Cell> row) {
  for (const ledger::Cell& cell : row) {
    if (const auto* number = std::get_if<std::int64_t>(&cell)) {
      hasher.field("i", *number);
    } else if (const auto* real = std::get_if<double>(&cell)) {
      hasher.field("d", json::number_text(*real));
    } else if (const auto* text = std::get_if<std::string_view>(&cell)) {
      hasher.field("t", *text);
    } else {
      hasher.field("n", std::string_view());
    }
  }
}

std::string_view to_string(ExportFormat format) {
  switch (format) {
    case ExportFormat::parquet:
      return "parquet";
    case ExportFormat::json:
      return "json";
    case ExportFormat::jsonl:
      return "jsonl";
    case ExportFormat::csv:
      return "csv";
  }
  return "parquet";
}

std::optional<ExportFormat> export_format_from(std::string_view name) {
  for (const ExportFormat format :
       {ExportFormat::parquet, ExportFormat::json, ExportFormat::jsonl, ExportFormat::csv}) {
    if (to_string(format) == name) {
      return format;
    }
  }
  return std::nullopt;
}

const ExportedTable* ExportManifest::table(std::string_view name) const {
  const auto found = std::ranges::find(tables, name, &ExportedTable::name);
  return found == tables.end() ? nullptr : &*found;
}

json::Value to_json(const ExportManifest& manifest) {
  json::Array tables;
  for (const ExportedTable& table : manifest.tables) {
    json::Array columns;
    if (const ExportTable* known = export_table(table.name)) {
      for (const ExportColumn& column : columns_of(*known)) {
        columns.push_back(json::Object{{"name", column.name}, {"type", column.type}});
      }
    }
    tables.push_back(json::Object{{"name", table.name},
                                  {"files", json::Array(table.files.begin(), table.files.end())},
                                  {"rows", table.rows},
                                  {"content", table.content},
                                  {"columns", std::move(columns)}});
  }
  return json::Object{{"format", manifest.format},
                      {"run", manifest.run},
                      {"high_water_mark", manifest.high_water_mark},
                      {"tables", std::move(tables)}};
}

base::Result<ExportManifest> read_export_manifest(const std::string& directory) {
  const fs::path path = fs::path(directory) / kManifestFile;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::not_found,
                         fmt::format("{} is no export: it holds no {}", directory, kManifestFile));
  }
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  auto value = json::parse(text);
  auto manifest = value.has_value() ? manifest_from(*value) : std::unexpected(value.error());
  if (!manifest.has_value()) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::integrity,
                         fmt::format("{}: {}", path.string(), manifest.error().message));
  }
  return manifest;
}

base::Status check_only_export(const std::string& directory) {
  std::error_code error;
  if (!fs::exists(directory, error)) {
    return {};
  }
  std::set<std::string> ours{std::string(kManifestFile)};
  if (const auto manifest = read_export_manifest(directory)) {
    for (const ExportedTable& table : manifest->tables) {
      ours.insert(table.files.begin(), table.files.end());
    }
  }
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!ours.contains(name)) {
      return base::failure(base::Remedy::bad_input,
                           base::ErrorCode::refused,
                           fmt::format("{} holds '{}', which is not of an export: an export "
                                       "replaces the whole folder; name a new one with -o",
                                       directory,
                                       name));
    }
  }
  if (error) {
    return base::io_error(fmt::format("cannot read the folder {}", directory), error.value());
  }
  return {};
}

base::Result<ExportManifest> export_run(ledger::Reader& reader,
                                        const std::string& directory,
                                        const ExportOptions& options) {
  TRY(check_tables(options.tables));
  TRY(check_only_export(directory));
  TRY_ASSIGN(NewDirectory fresh, NewDirectory::beside(directory));
  ExportManifest manifest;
  manifest.format = to_string(options.format);
  TRY(reader.begin());
  base::Status written = write_tables(reader, options, fresh.path(), manifest);
  reader.end();
  TRY(std::move(written));
  TRY(write_atomically((fs::path(fresh.path()) / kManifestFile).string(),
                       json::to_pretty_text(to_json(manifest))));
  TRY(fresh.take_place());
  return manifest;
}

}  // namespace sortie::analysis
