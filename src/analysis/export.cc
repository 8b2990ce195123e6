#include "sortie/analysis/export.h"

#include "sortie/analysis/duck.h"
#include "sortie/analysis/tables.h"
#include "sortie/base/hash.h"

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace sortie::analysis {

namespace {

namespace fs = std::filesystem;

std::string_view extension_of(ExportFormat format) {
  return to_string(format);
}

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

void feed(base::FieldHasher& hasher, const ledger::Cell& cell) {
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

std::string sql_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("''") : std::string(1, c);
  }
  return out + "'";
}

base::Status sync_and_rename(const fs::path& from, const fs::path& to) {
  const int file = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return base::io_error(fmt::format("cannot open {}", from.string()), errno);
  }
  const int synced = ::fsync(file);
  const int sync_errno = errno;
  ::close(file);
  if (synced != 0) {
    return base::io_error(fmt::format("cannot sync {}", from.string()), sync_errno);
  }
  std::error_code error;
  fs::rename(from, to, error);
  if (error) {
    return base::io_error(fmt::format("cannot rename {} to {}", from.string(), to.string()),
                          error.value());
  }
  return {};
}

fs::path temporary_for(const fs::path& path) {
  return path.parent_path() / fmt::format(".{}.tmp-{}", path.filename().string(), ::getpid());
}

class Exporter {
 public:
  Exporter(ledger::Reader& reader, fs::path directory, ExportFormat format)
      : reader_(reader), directory_(std::move(directory)), format_(format) {}

  base::Result<ExportManifest> run() {
    std::error_code error;
    fs::create_directories(directory_, error);
    if (error) {
      return base::io_error(fmt::format("cannot create {}", directory_.string()), error.value());
    }
    TRY_ASSIGN(duck_, Duck::open());
    TRY(reader_.begin());
    base::Status status = write_tables();
    reader_.end();
    if (!status.has_value()) {
      return std::unexpected(std::move(status).error());
    }
    TRY(write_atomically((directory_ / "manifest.json").string(),
                         json::to_pretty_text(to_json(manifest_))));
    return std::move(manifest_);
  }

 private:
  base::Status write_tables() {
    manifest_.format = to_string(format_);
    TRY_ASSIGN(manifest_.high_water_mark, reader_.high_water_mark());
    for (const ExportTable& table : export_tables()) {
      TRY(write_table(table));
    }
    return {};
  }

  base::Status write_table(const ExportTable& table) {
    TRY(duck_->execute(fmt::format("CREATE TABLE {} ({})", table.name, table.columns)));
    TRY_ASSIGN(const auto loader, duck_->load(std::string(table.name)));
    base::FieldHasher hasher("sortie.export.v1");
    std::uint64_t rows = 0;
    base::Status appended;
    TRY(reader_.scan(table.query, [&](std::span<const ledger::Cell> row) {
      appended = loader->append(row);
      for (const ledger::Cell& cell : row) {
        feed(hasher, cell);
      }
      ++rows;
      return appended.has_value();
    }));
    TRY(std::move(appended));
    TRY(loader->finish());
    const fs::path path = directory_ / fmt::format("{}.{}", table.name, extension_of(format_));
    const fs::path temporary = temporary_for(path);
    TRY(duck_->execute(fmt::format(
        "COPY {} TO {} ({})", table.name, sql_quoted(temporary.string()), copy_options(format_))));
    TRY(sync_and_rename(temporary, path));
    manifest_.tables.push_back({.name = std::string(table.name),
                                .file = path.filename().string(),
                                .rows = rows,
                                .content = hasher.finish().hex()});
    return duck_->execute(fmt::format("DROP TABLE {}", table.name));
  }

  ledger::Reader& reader_;
  fs::path directory_;
  ExportFormat format_;
  std::unique_ptr<Duck> duck_;
  ExportManifest manifest_;
};

}  // namespace

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

json::Value to_json(const ExportManifest& manifest) {
  json::Array tables;
  for (const ExportedTable& table : manifest.tables) {
    tables.push_back(json::Object{{"name", table.name},
                                  {"file", table.file},
                                  {"rows", table.rows},
                                  {"content", table.content}});
  }
  return json::Object{{"format", manifest.format},
                      {"high_water_mark", manifest.high_water_mark},
                      {"tables", std::move(tables)}};
}

base::Result<ExportManifest> export_run(ledger::Reader& reader,
                                        const std::string& directory,
                                        ExportFormat format) {
  return Exporter(reader, directory, format).run();
}

base::Status write_atomically(const std::string& path, std::string_view text) {
  const fs::path temporary = temporary_for(path);
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    return base::io_error(fmt::format("cannot create {}", temporary.string()), errno);
  }
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      const int write_errno = errno;
      ::close(file);
      ::unlink(temporary.c_str());
      return base::io_error(fmt::format("cannot write {}", temporary.string()), write_errno);
    }
    text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  ::close(file);
  return sync_and_rename(temporary, path);
}

}  // namespace sortie::analysis
