#pragma once

#include "sortie/analysis/report_data.h"

#include <string>

namespace sortie::analysis {

/// One self-contained HTML page: no script, no network. Everything that came from outside is
/// escaped.
[[nodiscard]] std::string to_html(const ReportData& data);

/// Text for HTML: & < > " ' as entities.
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace sortie::analysis
