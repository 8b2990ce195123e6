#pragma once

#include "sortie/analysis/report_data.h"
#include "sortie/analysis/result_table.h"

#include <string>

// Tables that every run has, whatever its scenarios: models at a glance, error labels, cells, what
// to know of cells at 0 or 100 %, routes, provenance.

namespace sortie::analysis {

/// One row per model and protocol, pooled over the scenario's cells.
[[nodiscard]] ResultTable overview_table(const ReportData& data, const std::string& scenario);

/// Why trials failed: one row per model and protocol of the scenario, one column per label.
[[nodiscard]] ResultTable labels_table(const ReportData& data, const std::string& scenario);

[[nodiscard]] ResultTable cells_table(const ReportData& data);

/// When each cell was asked: its first request, and the last end of one.
[[nodiscard]] ResultTable times_table(const ReportData& data);

/// One row per cell at 0 or 100 %.
[[nodiscard]] ResultTable diagnosis_table(const ReportData& data);

/// One row per route: its requests by how they ended, wrong models' answers among them.
[[nodiscard]] ResultTable routes_table(const ReportData& data);

/// Versions, hashes, seeds: what a run was made of.
[[nodiscard]] ResultTable provenance_table(const ReportData& data);

}  // namespace sortie::analysis
