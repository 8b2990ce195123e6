#include "sortie/analysis/table_context.h"
#include "sortie/stats/spread.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// 5.5: prompts.

namespace sortie::analysis {

namespace {

constexpr std::array<std::string_view, 3> kStyles = {"optimal", "baseline", "cot"};

std::optional<std::size_t> cell_of(const TableContext& context,
                                   const Entrant& entrant,
                                   std::string_view prompt) {
  for (const std::size_t cell : entrant.cells) {
    if (context.cell(cell).factors.prompt == prompt) {
      return cell;
    }
  }
  return std::nullopt;
}

/// A benefit over the same trials without a plan.
void add_benefit(const TableContext& context,
                 std::optional<std::size_t> first,
                 std::optional<std::size_t> second,
                 Row& row) {
  if (!first.has_value() || !second.has_value()) {
    row.values.resize(row.values.size() + 3);
    return;
  }
  const CellPair pair[] = {{*first, *second}};
  const Comparison result = compare(context.rows(), pair);
  row.values.push_back(count_value(result.pairs));
  row.values.push_back(result.pairs > 0 ? points_value(result.success.mean) : Value{});
  row.values.push_back(result.pairs > 0 ? points_value(result.success.interval) : Value{});
}

/// The standard deviation of the rates of the styles that have scored trials, on those that all of
/// them have.
void add_deviation(const TableContext& context, const Entrant& entrant, Row& row) {
  std::vector<std::size_t> cells;
  for (const std::string_view style : kStyles) {
    const auto cell = cell_of(context, entrant, style);
    if (cell.has_value() && context.cell(*cell).tally.scored > 0) {
      cells.push_back(*cell);
    }
  }
  const std::vector<Place> common = common_places(context.rows(), cells);
  std::vector<double> rates;
  for (const std::size_t cell : cells) {
    const auto successes =
        std::ranges::count_if(context.rows().of_cell(cell), [&](const TrialRow& trial) {
          return trial.success &&
                 std::ranges::binary_search(common, Place{trial.task, trial.repeat});
        });
    rates.push_back(static_cast<double>(successes) / static_cast<double>(common.size()));
  }
  const auto deviation = common.empty() ? std::nullopt : stats::standard_deviation(rates);
  row.values.push_back(count_value(common.size()));
  row.values.push_back(deviation.has_value() ? number_value(100 * *deviation) : Value{});
}

/// The rate of an agent under a style, whichever model names the setting; nullptr without one.
const ReferenceRate* rate_under(const TableContext& context,
                                const ReferenceRates& agent,
                                std::string_view style) {
  for (const Entrant& entrant : context.entrants()) {
    if (const ReferenceRate* rate = context.rate_of(agent, cell_of(context, entrant, style))) {
      return rate;
    }
  }
  return nullptr;
}

/// Over the same trials only, or it would be no paired difference.
void add_benefit_of_agent(const ReferenceRate* first, const ReferenceRate* second, Row& row) {
  const bool paired = first != nullptr && second != nullptr && first->all.n == second->all.n;
  if (paired && first->all.n > 0) {
    const auto n = static_cast<double>(first->all.n);
    row.values.push_back(count_value(first->all.n));
    row.values.push_back(points_value(
        (static_cast<double>(first->all.successes) - static_cast<double>(second->all.successes)) /
        n));
    row.values.emplace_back();
    return;
  }
  row.values.resize(row.values.size() + 3);
}

void append_benefits_of_agents(const TableContext& context, ResultTable& table) {
  for (const ReferenceRates& agent : context.agents()) {
    const ReferenceRate* none = rate_under(context, agent, "baseline");
    Row row{.values = {text_value(context.name_of(agent))}, .marks = {"scripted"}};
    add_benefit_of_agent(rate_under(context, agent, "optimal"), none, row);
    add_benefit_of_agent(rate_under(context, agent, "cot"), none, row);
    row.values.resize(table.columns.size());
    table.rows.push_back(std::move(row));
  }
}

ResultTable benefits_table(const TableContext& context) {
  const Phrases& say = context.phrases();
  ResultTable table = context.table_named("benefits", say("prompts.benefits"));
  table.columns = {{.key = "model", .title = say("column.model")},
                   {.key = "plan_pairs", .title = say("comparisons.pairs")},
                   {.key = "plan_benefit", .title = say("prompts.plan_benefit")},
                   {.key = "plan_benefit_interval", .title = say("column.interval")},
                   {.key = "cot_pairs", .title = say("comparisons.pairs")},
                   {.key = "cot_benefit", .title = say("prompts.cot_benefit")},
                   {.key = "cot_benefit_interval", .title = say("column.interval")},
                   {.key = "style_trials", .title = say("prompts.style_trials")},
                   {.key = "style_deviation", .title = say("prompts.style_deviation")}};
  for (const Entrant& entrant : context.entrants()) {
    const auto none = cell_of(context, entrant, "baseline");
    Row row{.values = {text_value(entrant.model)}, .marks = {}};
    add_benefit(context, cell_of(context, entrant, "optimal"), none, row);
    add_benefit(context, cell_of(context, entrant, "cot"), none, row);
    add_deviation(context, entrant, row);
    if (entrant.simulated) {
      row.marks.emplace_back("simulated");
    }
    for (const std::string_view style : kStyles) {
      context.add_marks(row, cell_of(context, entrant, style), std::string(style));
    }
    table.rows.push_back(std::move(row));
  }
  append_benefits_of_agents(context, table);
  table.notes.push_back(say("prompts.note"));
  return table;
}

}  // namespace

std::vector<ResultTable> prompts_tables(const TableContext& context) {
  const Phrases& say = context.phrases();
  const LineLayout layout{.name = "cells",
                          .title = say("prompts.cells"),
                          .labels = {{.key = "prompt", .title = say("column.prompt")}},
                          .rates = {RateName{}}};
  ResultTable table = context.line_table(layout);
  std::vector<Line> lines;
  std::vector<FamilyMember> members;
  for (const Entrant& entrant : context.entrants()) {
    const auto optimal = cell_of(context, entrant, "optimal");
    for (const std::string_view style : kStyles) {
      const auto cell = cell_of(context, entrant, style);
      if (!cell.has_value()) {
        continue;
      }
      lines.push_back({.model = entrant.model,
                       .simulated = entrant.simulated,
                       .labels = {std::string(style)},
                       .cells = {cell}});
      table.rows.push_back(context.row_of(lines.back(), layout));
      if (style != "optimal" && optimal.has_value()) {
        members.push_back(compared(context.rows(), "prompts/optimal", {*cell, *optimal}));
      }
    }
  }
  context.append_agents(table, lines);
  std::vector<ResultTable> tables;
  tables.push_back(std::move(table));
  context.append_comparisons(tables, members, {});
  tables.push_back(benefits_table(context));
  return tables;
}

}  // namespace sortie::analysis
