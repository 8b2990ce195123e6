#pragma once

#include "sortie/analysis/report_data.h"
#include "sortie/analysis/result_table.h"

// What requests held and who answered them, per model and route. Not part of the scored tables.

namespace sortie::analysis {

/// One row per model: its protocols and sampling parameters as sent.
[[nodiscard]] ResultTable sent_table(const ReportData& data);

/// One row per route: the name that the campaign says, the one that was sent, those that the server
/// stated. A note for each route that is suspect.
[[nodiscard]] ResultTable names_table(const ReportData& data);

}  // namespace sortie::analysis
