#include "sortie/analysis/report.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/result_table.h"
#include "sortie/analysis/scenario_tables.h"
#include "sortie/analysis/summary.h"
#include "sortie/analysis/validity_tables.h"
#include "sortie/base/printable.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

std::string diagnoses_text(const ReportData& data) {
  std::string out;
  for (const CellSummary& cell : data.summary.cells) {
    const CellFactors& f = cell.factors;
    const auto line = data.diagnoses.find(f.id);
    if (line == data.diagnoses.end()) {
      continue;
    }
    out += fmt::format("{}{}, {}{}, {}, rate {}, {}: {}\n",
                       f.model,
                       f.simulated ? " (simulated)" : "",
                       f.prompt,
                       f.severity.empty() ? "" : ", " + f.severity,
                       f.difficulty,
                       f.tool_success_rate,
                       f.protocol,
                       base::printable_line(line->second));
  }
  return out.empty() ? out : "Cells at 0 or 100 %\n" + out + "\n";
}

}  // namespace

ReportData only_scenario(ReportData data, const std::string& scenario) {
  std::erase_if(data.summary.groups,
                [&](const GroupSummary& group) { return group.scenario != scenario; });
  std::erase_if(data.summary.cells, [&](const CellSummary& cell) {
    const std::vector<std::string>& shown = cell.factors.scenarios;
    return std::ranges::find(shown, scenario) == shown.end();
  });
  std::erase_if(data.tables, [&](const ResultTable& table) { return table.scenario != scenario; });
  return data;
}

std::string to_text(const ReportData& data) {
  std::string out = to_text(data.summary) + "\n";
  for (const ResultTable& table : data.tables) {
    out += to_text(table) + "\n";
  }
  out += diagnoses_text(data);
  out += to_text(sent_table(data)) + "\n";
  out += to_text(names_table(data)) + "\n";
  if (!data.reused.empty()) {
    out += to_text(reused_table(data.reused)) + "\n";
  }
  out += to_text(cost_table("model", "Cost per model", data.costs.models)) + "\n";
  if (!data.speeds.empty()) {
    out += to_text(speed_table(data.speeds)) + "\n";
  }
  if (is_pilot(data.declared)) {
    out += std::string(kComparability) + "\n";
  }
  return out;
}

json::Value tables_json(const ReportData& data) {
  json::Value document = to_json(data.summary);
  json::Array tables;
  for (const ResultTable& table : data.tables) {
    tables.push_back(to_json(table));
  }
  document.as_object()["scenario_tables"] = std::move(tables);
  if (is_pilot(data.declared)) {
    document.as_object()["comparability"] = kComparability;
  }
  return document;
}

}  // namespace sortie::analysis
