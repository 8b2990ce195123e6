#include "sortie/analysis/report_document.h"

#include "sortie/analysis/overview_tables.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/scenario_tables.h"
#include "sortie/analysis/validity_tables.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

constexpr std::size_t kCellBytes = 400;

void add_table(ReportSection& section, ResultTable table) {
  if (!table.rows.empty() || !table.notes.empty()) {
    section.parts.emplace_back(std::move(table));
  }
}

ReportSection scenario_section(const ReportData& data, const std::string& scenario) {
  ReportSection section{
      .title = phrases_in(data.language)("page.scenario", fmt::arg("scenario", scenario)),
      .paragraphs = {},
      .parts = {},
      .remarks = {}};
  ResultTable overview = overview_table(data, scenario);
  section.parts.emplace_back(overview_figure(overview));
  add_table(section, std::move(overview));
  for (const ResultTable& table : data.tables) {
    if (table.scenario != scenario) {
      continue;
    }
    for (Figure& figure : figures_of(table)) {
      section.parts.emplace_back(std::move(figure));
    }
    add_table(section, table);
  }
  add_table(section, labels_table(data, scenario));
  return section;
}

ReportSection cells_section(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ReportSection section{
      .title = say("cells.title"), .paragraphs = {say("cells.note")}, .parts = {}, .remarks = {}};
  add_table(section, diagnosis_table(data));
  add_table(section, cells_table(data));
  add_table(section, times_table(data));
  return section;
}

ReportSection validity_section(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ReportSection section{.title = say("validity.title"),
                        .paragraphs = {say("validity.note")},
                        .parts = {},
                        .remarks = {}};
  add_table(section, sent_table(data));
  add_table(section, names_table(data));
  add_table(section, routes_table(data));
  if (!data.reused.empty()) {
    add_table(section, reused_table(data.reused, data.language));
  }
  for (const std::string& event : data.events) {
    section.remarks.push_back(event);
  }
  return section;
}

ReportSection costs_section(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  std::int64_t cost = 0;
  std::int64_t reserved = 0;
  for (const RouteUse& use : data.routes) {
    cost += use.cost;
    reserved += use.reserved;
  }
  ReportSection section{
      .title = say("costs.section"),
      .paragraphs = {say("validity.total",
                         fmt::arg("cost", static_cast<double>(cost) / 1e6),
                         fmt::arg("reserved", static_cast<double>(reserved) / 1e6))},
      .parts = {},
      .remarks = {}};
  add_table(section, cost_table("model", data.costs.models, data.language));
  add_table(section, cost_table("key", data.costs.keys, data.language));
  add_table(section, cost_table("cell", data.costs.cells, data.language));
  if (!data.speeds.empty()) {
    add_table(section, speed_table(data.speeds, data.language));
  }
  return section;
}

ReportSection provenance_section(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  ReportSection section{
      .title = say("provenance.title"),
      .paragraphs = {say("provenance.reproduce", fmt::arg("command", "sortie run"))},
      .parts = {},
      .remarks = {}};
  add_table(section, provenance_table(data));
  if (is_pilot(data.declared)) {
    section.remarks.push_back(say("comparability"));
  }
  return section;
}

template <typename Part>
std::vector<const Part*> parts_of(const ReportDocument& document) {
  std::vector<const Part*> parts;
  for (const ReportSection& section : document.sections) {
    for (const ReportPart& part : section.parts) {
      if (const Part* found = std::get_if<Part>(&part)) {
        parts.push_back(found);
      }
    }
  }
  return parts;
}

}  // namespace

ReportDocument document_of(const ReportData& data) {
  const Phrases& say = phrases_in(data.language);
  const Summary& summary = data.summary;
  ReportDocument document{.title = summary.run,
                          .mark = summary.high_water_mark,
                          .warned = {},
                          .paragraphs = {say("page.note")},
                          .sections = {},
                          .language = data.language};
  if (std::ranges::any_of(summary.groups, &GroupSummary::simulated)) {
    document.warned.push_back(say("page.simulated"));
  }
  std::vector<std::string> scenarios;
  for (const GroupSummary& group : summary.groups) {
    if (std::ranges::find(scenarios, group.scenario) == scenarios.end()) {
      scenarios.push_back(group.scenario);
    }
  }
  for (const std::string& scenario : scenarios) {
    document.sections.push_back(scenario_section(data, scenario));
  }
  document.sections.push_back(cells_section(data));
  document.sections.push_back(validity_section(data));
  document.sections.push_back(costs_section(data));
  document.sections.push_back(provenance_section(data));
  return document;
}

std::vector<const ResultTable*> tables_of(const ReportDocument& document) {
  return parts_of<ResultTable>(document);
}

std::vector<const Figure*> figures_of(const ReportDocument& document) {
  return parts_of<Figure>(document);
}

std::string cell_text(const Value& value) {
  return base::printable_line(base::shortened(to_text(value), kCellBytes));
}

}  // namespace sortie::analysis
