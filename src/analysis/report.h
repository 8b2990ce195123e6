#pragma once

#include "sortie/analysis/report_data.h"
#include "sortie/analysis/result_table.h"
#include "sortie/base/json.h"

#include <string>
#include <string_view>

namespace sortie::analysis {

/// One self-contained HTML page: no script, no network. Everything that came from outside is
/// escaped.
[[nodiscard]] std::string to_html(const ReportData& data);

/// One table of it.
[[nodiscard]] std::string to_html(const ResultTable& table);

/// The same tables for a terminal.
[[nodiscard]] std::string to_text(const ReportData& data);

/// The scored table with the scenarios' tables: the same bytes for the same scores.
[[nodiscard]] json::Value tables_json(const ReportData& data);

/// What belongs to one scenario, whose id it is.
[[nodiscard]] ReportData only_scenario(ReportData data, const std::string& scenario);

/// Text for HTML: & < > " ' as entities.
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace sortie::analysis
