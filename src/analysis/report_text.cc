#include "sortie/analysis/phrases.h"
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
  const Phrases& say = phrases_in(data.language);
  std::string out;
  for (const CellSummary& cell : data.summary.cells) {
    const CellFactors& f = cell.factors;
    const auto line = data.diagnoses.find(f.id);
    if (line == data.diagnoses.end()) {
      continue;
    }
    out += fmt::format("{}, {}{}, {}, {}, {}: {}\n",
                       named(f.model, f.simulated, say),
                       f.prompt,
                       f.severity.empty() ? "" : ", " + f.severity,
                       f.difficulty,
                       say("rate", fmt::arg("rate", f.tool_success_rate)),
                       f.protocol,
                       base::printable_line(line->second));
  }
  return out.empty() ? out : say("diagnosis.title") + "\n" + out + "\n";
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
  std::string out = to_text(data.summary, data.language) + "\n";
  for (const ResultTable& table : data.tables) {
    out += to_text(table) + "\n";
  }
  out += diagnoses_text(data);
  out += to_text(sent_table(data)) + "\n";
  out += to_text(names_table(data)) + "\n";
  if (!data.reused.empty()) {
    out += to_text(reused_table(data.reused, data.language)) + "\n";
  }
  out += to_text(cost_table("model", data.costs.models, data.language)) + "\n";
  if (!data.speeds.empty()) {
    out += to_text(speed_table(data.speeds, data.language)) + "\n";
  }
  if (is_pilot(data.declared)) {
    out += phrases_in(data.language)("comparability") + "\n";
  }
  return out;
}

namespace {

json::Array suspects_json(const ReportData& data) {
  json::Array suspects;
  for (const RouteUse& use : data.routes) {
    if (use.answers.suspect()) {
      suspects.push_back(json::Object{{"route", use.route},
                                      {"answers", use.answers.all},
                                      {"empty_answers", use.answers.empty}});
    }
  }
  return suspects;
}

}  // namespace

json::Value tables_json(const ReportData& data) {
  json::Value document = to_json(data.summary);
  json::Array tables;
  for (const ResultTable& table : data.tables) {
    tables.push_back(to_json(table));
  }
  document.as_object()["scenario_tables"] = std::move(tables);
  if (is_pilot(data.declared)) {
    document.as_object()["comparability"] = phrases_in(data.language)("comparability");
  }
  if (json::Array suspects = suspects_json(data); !suspects.empty()) {
    document.as_object()["suspect_routes"] = std::move(suspects);
  }
  return document;
}

}  // namespace sortie::analysis
