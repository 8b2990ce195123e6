#pragma once

#include "sortie/analysis/report_data.h"
#include "sortie/analysis/report_document.h"
#include "sortie/analysis/result_table.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::analysis {

/// One self-contained HTML page: no script, no network. Everything that came from outside is
/// escaped.
[[nodiscard]] std::string to_html(const ReportData& data);

/// One table of it, with its query.
[[nodiscard]] std::string to_html(const ResultTable& table);

/// The same tables for a terminal.
[[nodiscard]] std::string to_text(const ReportData& data);

/// The scored table with the scenarios' tables: the same bytes for the same scores. Beside them,
/// and only if there are any, "suspect_routes", which say how the run went.
[[nodiscard]] json::Value tables_json(const ReportData& data);

/// What belongs to one scenario, whose id it is.
[[nodiscard]] ReportData only_scenario(ReportData data, const std::string& scenario);

/// Text for HTML: & < > " ' as entities.
[[nodiscard]] std::string escape_html(std::string_view text);

// --- Formats of several files ---

/// One file of a report, named relative to its folder.
struct ReportFile {
  std::string name;  // "tables/baseline-models.csv"
  std::string text;
};

enum class ReportFormat : std::uint8_t { markdown, latex, csv };

[[nodiscard]] std::optional<ReportFormat> report_format_from(std::string_view name);
[[nodiscard]] std::string_view to_string(ReportFormat format);

/// All files of a report: those of the format, the figures as SVG, and index.json, which names each
/// table and figure with its title, file and query.
[[nodiscard]] std::vector<ReportFile> report_files(const ReportDocument& document,
                                                   ReportFormat format);

/// Puts them into a folder, which appears complete or not at all and takes an older report's place.
/// A folder that holds anything else is refused.
[[nodiscard]] base::Status write_report(const std::string& directory,
                                        const std::vector<ReportFile>& files);

/// report.md: GitHub's Markdown; figures are links to the files beside it.
[[nodiscard]] std::string to_markdown(const ReportDocument& document);

/// report.tex and tables/*.tex, which it reads and which other documents can read too.
[[nodiscard]] std::vector<ReportFile> to_latex(const ReportDocument& document);

/// RFC 4180, all columns under their keys, numbers in full; an interval is two columns. What a
/// spreadsheet would take for a formula has an apostrophe before it.
[[nodiscard]] std::string to_csv(const ResultTable& table);

/// "tables/baseline-models.csv": from an id, without characters that file systems or TeX mind.
[[nodiscard]] std::string file_name(std::string_view folder,
                                    std::string_view id,
                                    std::string_view extension);

}  // namespace sortie::analysis
