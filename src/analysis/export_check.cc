#include "sortie/analysis/export_check.h"

#include "sortie/analysis/duck.h"
#include "sortie/analysis/export.h"
#include "sortie/analysis/tables.h"
#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
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

// Of one row of a JSON or CSV file.
constexpr std::size_t kRowBytesMax = 128UL * 1024 * 1024;

constexpr std::size_t kShownBytes = 60;  // of a value in a difference

using Row = std::span<const ledger::Cell>;

/// Buffers are made for this, so it is no more than the file has.
std::size_t row_bytes_max_of(const std::string& path) {
  constexpr std::size_t kLeast = 1UL << 16U;
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  return error ? kRowBytesMax : std::clamp<std::size_t>(size + 1, kLeast, kRowBytesMax);
}

/// The query that reads one file with the types that the ledger has.
std::string query_of(const ExportTable& table, ExportFormat format, const std::string& path) {
  std::string names;
  std::string types;
  for (const ExportColumn& column : columns_of(table)) {
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", column.name);
    types += fmt::format("{}'{}': '{}'", types.empty() ? "" : ", ", column.name, column.type);
  }
  const std::string file = sql_quoted(path);
  const std::size_t row_bytes_max = row_bytes_max_of(path);
  switch (format) {
    case ExportFormat::parquet:
      return fmt::format("SELECT {} FROM read_parquet({})", names, file);
    case ExportFormat::json:
    case ExportFormat::jsonl:
      return fmt::format(
          "SELECT {} FROM read_json({}, format = '{}', columns = {{{}}}, maximum_object_size = {})",
          names,
          file,
          format == ExportFormat::json ? "array" : "newline_delimited",
          types,
          row_bytes_max);
    case ExportFormat::csv:
      return fmt::format(
          "SELECT {} FROM read_csv({}, header = true, auto_detect = false, delim = ',', quote = "
          "'\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, columns = {{{}}}, "
          "max_line_size = {}, buffer_size = {}, parallel = false)",
          names,
          file,
          types,
          row_bytes_max,
          2 * row_bytes_max);
  }
  return {};
}

/// The rows of one exported table, file after file.
class TableFiles {
 public:
  TableFiles(Duck& duck,
             const ExportTable& table,
             ExportFormat format,
             fs::path directory,
             std::vector<std::string> files)
      : duck_(duck),
        table_(table),
        format_(format),
        directory_(std::move(directory)),
        files_(std::move(files)) {}

  /// The next row, valid until the next call; nullptr after the last.
  base::Result<const std::vector<ledger::Cell>*> next() {
    while (true) {
      const std::vector<ledger::Cell>* row = cursor_ == nullptr ? nullptr : cursor_->next();
      if (row != nullptr || file_ == files_.size()) {
        return row;
      }
      const std::string path = (directory_ / files_[file_++]).string();
      cursor_.reset();
      TRY_ASSIGN(cursor_, duck_.query(query_of(table_, format_, path)));
    }
  }

 private:
  Duck& duck_;
  const ExportTable& table_;
  ExportFormat format_;
  fs::path directory_;
  std::vector<std::string> files_;
  std::size_t file_ = 0;
  std::unique_ptr<Duck::Cursor> cursor_;
};

/// An export as it is read: one thread, so that rows come in the order of the files.
struct Side {
  std::string directory;
  ExportManifest manifest;
  std::unique_ptr<Duck> duck;

  static base::Result<Side> open(const std::string& directory) {
    Side side;
    side.directory = directory;
    TRY_ASSIGN(side.manifest, read_export_manifest(directory));
    TRY_ASSIGN(side.duck, Duck::open());
    TRY(side.duck->execute("SET threads = 1; SET preserve_insertion_order = true"));
    return side;
  }

  [[nodiscard]] TableFiles rows_of(const ExportTable& table) const {
    const ExportedTable* exported = manifest.table(table.name);
    CHECK(exported != nullptr);
    const auto format = export_format_from(manifest.format);
    CHECK(format.has_value());  // read_export_manifest admits no other
    return {*duck, table, *format, directory, exported->files};
  }
};

/// Calls the visitor with each row until it returns false.
using Scan = std::function<base::Status(const ledger::RowVisitor&)>;

bool same(const ledger::Cell& a, const ledger::Cell& b) {
  const auto* real = std::get_if<double>(&a);
  const auto* other = std::get_if<double>(&b);
  if (real != nullptr && other != nullptr) {
    return json::number_text(*real) == json::number_text(*other);
  }
  return a == b;
}

/// A value as a difference shows it, of a text the part from a little before `at`.
std::string shown(const ledger::Cell& cell, std::size_t at) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    return fmt::format("{}", *number);
  }
  if (const auto* real = std::get_if<double>(&cell)) {
    return json::number_text(*real);
  }
  if (const auto* text = std::get_if<std::string_view>(&cell)) {
    const std::size_t from = at < kShownBytes / 2 ? 0 : at - kShownBytes / 2;
    const std::string part =
        base::valid_utf8(text->substr(std::min(from, text->size()), kShownBytes));
    return fmt::format("{}'{}'{}",
                       from == 0 ? "" : "…",
                       base::printable(part),
                       from + kShownBytes < text->size() ? "…" : "");
  }
  return "NULL";
}

/// Where two texts differ first, 0 for other values.
std::size_t first_difference(const ledger::Cell& a, const ledger::Cell& b) {
  const auto* left = std::get_if<std::string_view>(&a);
  const auto* right = std::get_if<std::string_view>(&b);
  if (left == nullptr || right == nullptr) {
    return 0;
  }
  const auto ends = std::ranges::mismatch(*left, *right);
  return static_cast<std::size_t>(ends.in1 - left->begin());
}

/// Two tables, row by row.
class TableComparison {
 public:
  TableComparison(const ExportTable& table, std::string first, std::string second)
      : table_(table),
        columns_(columns_of(table)),
        first_(std::move(first)),
        second_(std::move(second)) {}

  base::Status run(const Scan& first, TableFiles& second) {
    base::Status status;
    TRY(first([&](Row row) {
      status = add(row, second);
      return status.has_value() && !difference_.has_value();
    }));
    TRY(std::move(status));
    if (!difference_.has_value()) {
      TRY_ASSIGN(const auto* more, second.next());
      if (more != nullptr) {
        differ(fmt::format("is only in {}", second_));
      }
    }
    return {};
  }

  [[nodiscard]] const std::optional<std::string>& difference() const { return difference_; }

  [[nodiscard]] std::uint64_t rows() const { return rows_; }

  [[nodiscard]] std::string content() { return hasher_.finish().hex(); }

 private:
  base::Status add(Row row, TableFiles& second) {
    TRY_ASSIGN(const auto* other, second.next());
    if (other == nullptr) {
      differ(fmt::format("is only in {}", first_));
      return {};
    }
    CHECK(row.size() == columns_.size() && other->size() == columns_.size());
    for (std::size_t i = 0; i < row.size() && !difference_.has_value(); ++i) {
      if (!same(row[i], (*other)[i])) {
        const std::size_t at = first_difference(row[i], (*other)[i]);
        differ(fmt::format("column {}: {} in {}, {} in {} ({} {})",
                           columns_[i].name,
                           shown(row[i], at),
                           first_,
                           shown((*other)[i], at),
                           second_,
                           columns_[0].name,
                           shown(row[0], 0)));
      }
    }
    feed_row(hasher_, row);
    ++rows_;
    return {};
  }

  void differ(const std::string& how) {
    difference_ = fmt::format("table {}, row {}, {}", table_.name, rows_, how);
  }

  const ExportTable& table_;
  std::vector<ExportColumn> columns_;
  std::string first_;
  std::string second_;
  std::optional<std::string> difference_;
  base::FieldHasher hasher_{kContentDomain};
  std::uint64_t rows_ = 0;
};

/// Rows that were compared are the same on both sides: their digest is that of each manifest.
std::optional<std::string> manifest_difference(const Side& side,
                                               const ExportTable& table,
                                               std::uint64_t rows,
                                               const std::string& content) {
  const ExportedTable* exported = side.manifest.table(table.name);
  if (exported->rows != rows) {
    return fmt::format("table {}: {} has {} rows, its manifest says {}",
                       table.name,
                       side.directory,
                       rows,
                       exported->rows);
  }
  if (exported->content != content) {
    return fmt::format("table {}: the rows of {} have the content {}, its manifest says {}",
                       table.name,
                       side.directory,
                       content,
                       exported->content);
  }
  return std::nullopt;
}

Scan scan_of(TableFiles& files) {
  return [&files](const ledger::RowVisitor& visit) -> base::Status {
    while (true) {
      TRY_ASSIGN(const auto* row, files.next());
      if (row == nullptr || !visit(*row)) {
        return {};
      }
    }
  };
}

std::optional<std::string> table_only_in_one(const Side& first, const Side& second) {
  for (const auto& [here, there] : {std::pair(&first, &second), std::pair(&second, &first)}) {
    for (const ExportedTable& table : here->manifest.tables) {
      if (there->manifest.table(table.name) == nullptr) {
        return fmt::format("table {} is only in {}", table.name, here->directory);
      }
    }
  }
  return std::nullopt;
}

base::Result<const ExportTable*> known_table(const Side& side, const std::string& name) {
  const ExportTable* table = export_table(name);
  if (table == nullptr) {
    return base::bad_input(
        fmt::format("{} holds a table '{}' that this Sortie does not know", side.directory, name));
  }
  return table;
}

}  // namespace

base::Result<ExportComparison> compare_exports(const std::string& first,
                                               const std::string& second) {
  TRY_ASSIGN(const Side left, Side::open(first));
  TRY_ASSIGN(const Side right, Side::open(second));
  ExportComparison out{.difference = table_only_in_one(left, right)};
  for (const ExportedTable& exported : left.manifest.tables) {
    if (out.difference.has_value()) {
      break;
    }
    TRY_ASSIGN(const ExportTable* table, known_table(left, exported.name));
    TableFiles left_rows = left.rows_of(*table);
    TableFiles right_rows = right.rows_of(*table);
    TableComparison comparison(*table, first, second);
    TRY(comparison.run(scan_of(left_rows), right_rows));
    out.difference = comparison.difference();
    out.rows += comparison.rows();
    if (!out.difference.has_value()) {
      const std::string content = comparison.content();
      out.difference = manifest_difference(left, *table, comparison.rows(), content);
      if (!out.difference.has_value()) {
        out.difference = manifest_difference(right, *table, comparison.rows(), content);
      }
    }
    out.tables += out.difference.has_value() ? 0U : 1U;
  }
  return out;
}

base::Result<ExportComparison> compare_export(const std::string& directory,
                                              ledger::Reader& reader) {
  TRY_ASSIGN(const Side side, Side::open(directory));
  TRY(reader.begin());
  ExportComparison out;
  for (const ExportedTable& exported : side.manifest.tables) {
    TRY_ASSIGN(const ExportTable* table, known_table(side, exported.name));
    TableFiles rows = side.rows_of(*table);
    TableComparison comparison(*table, "the ledger", directory);
    TRY(comparison.run(
        [&](const ledger::RowVisitor& visit) { return reader.scan(table->query, visit); }, rows));
    out.difference = comparison.difference();
    out.rows += comparison.rows();
    if (!out.difference.has_value()) {
      out.difference = manifest_difference(side, *table, comparison.rows(), comparison.content());
    }
    if (out.difference.has_value()) {
      break;
    }
    ++out.tables;
  }
  reader.end();
  return out;
}

}  // namespace sortie::analysis
