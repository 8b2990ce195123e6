#include "sortie/analysis/own_tables.h"

#include "sortie/analysis/table_context.h"
#include "sortie/spec/cells.h"

#include <array>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

// A user's own scenario: every cell with the factors that vary in it.

namespace sortie::analysis {

namespace {

struct Factor {
  const char* key;
  const char* title;  // a phrase
  std::string (*value)(const CellFactors&);
};

constexpr std::array kFactors = {
    Factor{"prompt", "column.prompt", [](const CellFactors& f) { return f.prompt; }},
    Factor{"severity", "column.severity", [](const CellFactors& f) { return f.severity; }},
    Factor{"difficulty", "column.difficulty", [](const CellFactors& f) { return f.difficulty; }},
    Factor{"tool_success_rate",
           "column.tool_rate",
           [](const CellFactors& f) { return fmt::to_string(f.tool_success_rate); }},
    Factor{"max_turns",
           "column.max_turns",
           [](const CellFactors& f) { return fmt::to_string(f.max_turns); }},
};

/// Those with more than one value in the scenario.
std::vector<Factor> varied(const TableContext& context) {
  std::vector<Factor> found;
  for (const Factor& factor : kFactors) {
    std::set<std::string> values;
    for (const Entrant& entrant : context.entrants()) {
      for (const std::size_t cell : entrant.cells) {
        values.insert(factor.value(context.cell(cell).factors));
      }
    }
    if (values.size() > 1) {
      found.push_back(factor);
    }
  }
  return found;
}

ResultTable cells_table(const TableContext& context, const std::string& scenario) {
  const std::vector<Factor> factors = varied(context);
  const Phrases& say = context.phrases();
  LineLayout layout{.name = "cells",
                    .title = say("own.cells", fmt::arg("scenario", scenario)),
                    .labels = {},
                    .rates = {RateName{}}};
  for (const Factor& factor : factors) {
    layout.labels.push_back({.key = factor.key, .title = say(factor.title)});
  }
  ResultTable table = context.line_table(layout);
  std::vector<Line> lines;
  for (const Entrant& entrant : context.entrants()) {
    for (const std::size_t cell : entrant.cells) {
      Line line{
          .model = entrant.model, .simulated = entrant.simulated, .labels = {}, .cells = {cell}};
      for (const Factor& factor : factors) {
        line.labels.push_back(factor.value(context.cell(cell).factors));
      }
      table.rows.push_back(context.row_of(line, layout));
      lines.push_back(std::move(line));
    }
  }
  context.append_agents(table, lines);
  return table;
}

}  // namespace

std::vector<ResultTable> own_scenario_tables(const TableInputs& inputs) {
  std::set<std::string, std::greater<>> protocols;  // text before native
  std::set<std::string> scenarios;
  for (const PlannedCell& cell : inputs.rows->cells) {
    protocols.insert(cell.factors.protocol);
    for (const std::string& scenario : cell.factors.scenarios) {
      if (!spec::preset_named(scenario).has_value()) {
        scenarios.insert(scenario);
      }
    }
  }
  std::vector<ResultTable> tables;
  for (const std::string& scenario : scenarios) {
    for (const std::string& protocol : protocols) {
      const TableContext context(inputs, scenario, protocol);
      if (!context.entrants().empty()) {
        tables.push_back(cells_table(context, scenario));
      }
    }
  }
  return tables;
}

}  // namespace sortie::analysis
