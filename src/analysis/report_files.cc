#include "sortie/analysis/files.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report.h"
#include "sortie/analysis/report_queries.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/printable.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

// What reports of several files have in common.

namespace sortie::analysis {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytes = 100;

constexpr std::array<std::pair<ReportFormat, std::string_view>, 3> kFormats = {
    {{ReportFormat::markdown, "markdown"},
     {ReportFormat::latex, "latex"},
     {ReportFormat::csv, "csv"}}};

/// Where a table of this format stands; "" where all are in one file.
std::string table_file(const ResultTable& table, ReportFormat format) {
  switch (format) {
    case ReportFormat::markdown:
      return "report.md";
    case ReportFormat::latex:
      return file_name("tables", table.id, "tex");
    case ReportFormat::csv:
      return file_name("tables", table.id, "csv");
  }
  return "";
}

std::string index_text(const ReportDocument& document, ReportFormat format) {
  json::Array tables;
  for (const ResultTable* table : tables_of(document)) {
    tables.push_back(
        json::Object{{"id", table->id},
                     {"title", table->title},
                     {"file", table_file(*table, format)},
                     {"rows", table->rows.size()},
                     {"query", query_of(*table)},
                     {"notes", json::Array(table->notes.begin(), table->notes.end())}});
  }
  json::Array figures;
  for (const Figure* figure : figures_of(document)) {
    figures.push_back(json::Object{{"id", figure->id},
                                   {"title", figure->title},
                                   {"file", file_name("figures", figure->id, "svg")},
                                   {"table", figure->table}});
  }
  return base::printable(json::to_pretty_text(
      json::Object{{"format", to_string(format)},
                   {"campaign", document.title},
                   {"high_water_mark", document.mark},
                   {"note", phrases_in(document.language)("page.queries_note")},
                   {"tables", std::move(tables)},
                   {"figures", std::move(figures)}}));
}

constexpr std::string_view kIndexFile = "index.json";

/// What may stand in a folder of a report: its files, and what people make of them.
bool is_of_report(const fs::path& path, bool at_top) {
  const std::string name = path.filename().string();
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return at_top && (name == "tables" || name == "figures");
  }
  const std::string extension = path.extension().string();
  return at_top ? name == kIndexFile || name.starts_with("report.")
                : extension == ".tex" || extension == ".csv" || extension == ".svg" ||
                      extension == ".pdf";
}

/// A report may replace an older one, and nothing else.
base::Status check_replaceable(const std::string& directory) {
  std::error_code error;
  if (!fs::exists(directory, error)) {
    return {};
  }
  const auto refused = [&](const std::string& name) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::refused,
                         fmt::format("{} holds '{}', which is not of a report: a report of several "
                                     "files replaces the whole folder; name a new one with -o",
                                     directory,
                                     name));
  };
  if (!fs::is_directory(directory, error)) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::refused,
                         fmt::format("{} is a file, and a report of several files needs a folder: "
                                     "name a new one with -o",
                                     directory));
  }
  const bool is_empty = fs::is_empty(directory, error);
  if (!is_empty && !fs::exists(fs::path(directory) / kIndexFile, error)) {
    return refused("files without an index.json");
  }
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_of_report(entry->path(), entry.depth() == 0)) {
      return refused(entry->path().filename().string());
    }
  }
  if (error) {
    return base::io_error(fmt::format("cannot read the folder {}", directory), error.value());
  }
  return {};
}

}  // namespace

base::Status write_report(const std::string& directory, const std::vector<ReportFile>& files) {
  TRY(check_replaceable(directory));
  TRY_ASSIGN(NewDirectory fresh, NewDirectory::beside(directory));
  std::set<std::string> folders;
  for (const ReportFile& file : files) {
    const fs::path path = fs::path(fresh.path()) / file.name;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) {
      return base::io_error(fmt::format("cannot create {}", path.parent_path().string()),
                            error.value());
    }
    TRY(write_atomically(path.string(), file.text));
    folders.insert(path.parent_path().string());
  }
  for (const std::string& folder : folders) {
    TRY(sync_path(folder));
  }
  return fresh.take_place();
}

std::optional<ReportFormat> report_format_from(std::string_view name) {
  for (const auto& [format, own] : kFormats) {
    if (own == name) {
      return format;
    }
  }
  return std::nullopt;
}

std::string_view to_string(ReportFormat format) {
  return std::ranges::find(kFormats, format, [](const auto& entry) { return entry.first; })->second;
}

std::string file_name(std::string_view folder, std::string_view id, std::string_view extension) {
  std::string name;
  bool exact = id.size() <= kNameBytes;
  for (const char c : id.substr(0, kNameBytes)) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '-';
    exact = exact && (is_plain || c == '/');
    name.push_back(is_plain ? c : '-');
  }
  if (!exact) {
    name += "-" + base::digest_of(id).hex().substr(0, 8);  // two ids never share a file
  }
  const bool is_label = folder.ends_with(':');  // of LaTeX
  return fmt::format(
      "{}{}{}{}{}", folder, is_label ? "" : "/", name, extension.empty() ? "" : ".", extension);
}

std::vector<ReportFile> report_files(const ReportDocument& document, ReportFormat format) {
  std::vector<ReportFile> files;
  if (format == ReportFormat::markdown) {
    files.push_back({.name = "report.md", .text = to_markdown(document)});
  } else if (format == ReportFormat::latex) {
    files = to_latex(document);
  } else {
    for (const ResultTable* table : tables_of(document)) {
      files.push_back({.name = table_file(*table, format), .text = to_csv(*table)});
    }
  }
  for (const Figure* figure : figures_of(document)) {
    files.push_back(
        {.name = file_name("figures", figure->id, "svg"), .text = to_svg(*figure, true)});
  }
  files.push_back({.name = std::string(kIndexFile), .text = index_text(document, format)});
  return files;
}

}  // namespace sortie::analysis
