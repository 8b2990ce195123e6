#include "sortie/analysis/table_context.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

// 5.1: models. With the plan in the prompt a plan copier succeeds always, so the rank is that
// without a plan.

namespace sortie::analysis {

namespace {

/// The cell itself if it has this prompt, else the one that differs from it in that alone.
std::optional<std::size_t> at_prompt(const TableContext& context,
                                     std::size_t cell,
                                     std::string_view prompt) {
  return context.cell(cell).factors.prompt == prompt ? cell : context.with_prompt(cell, prompt);
}

/// One line for each setting of a model but the prompt, which its two columns vary.
std::vector<Line> lines_of(const TableContext& context) {
  std::vector<Line> lines;
  for (const Entrant& entrant : context.entrants()) {
    for (const std::size_t cell : entrant.cells) {
      Line line{
          .model = entrant.model,
          .simulated = entrant.simulated,
          .labels = {},
          .cells = {at_prompt(context, cell, "optimal"), at_prompt(context, cell, "baseline")}};
      if (lines.empty() || lines.back().model != line.model || lines.back().cells != line.cells) {
        lines.push_back(std::move(line));
      }
    }
  }
  return lines;
}

bool has_no_cell(const Line& line) {
  return !line.cells[with_plan].has_value() && !line.cells[without_plan].has_value();
}

ResultTable models_table(const TableContext& context, const std::vector<Line>& lines) {
  const LineLayout layout{.name = "models",
                          .title = "5.1 Models",
                          .labels = {},
                          .rates = {name_of(with_plan), name_of(without_plan)}};
  ResultTable table = context.line_table(layout);
  const Contest contest(context, lines);
  for (const Side side : kSides) {
    if (contest.is_saturated(side)) {
      const std::string title = fmt::format("{}: success†", name_of(side));
      std::ranges::find(table.columns, title, &Column::title)->title += ", saturated";
      table.notes.push_back(
          fmt::format("Column “{}” is saturated: half of the models exceed 95 %. It is not ranked.",
                      name_of(side)));
    }
  }
  table.columns.push_back({.key = "rank", .title = "rank without plan"});
  for (const Line& line : lines) {
    Row row = context.row_of(line, layout);
    const auto place = contest.rank_of(line);
    row.values.push_back(place.has_value() ? count_value(*place) : Value{});
    table.rows.push_back(std::move(row));
  }
  if (std::ranges::any_of(lines, &Line::simulated)) {
    table.notes.emplace_back("Simulated models are not ranked.");
  }
  if (std::ranges::any_of(lines, has_no_cell)) {
    table.notes.emplace_back(
        "A model without rates has cells of other prompts alone: neither the right plan nor none.");
  }
  context.append_agents(table, lines);
  return table;
}

/// False: the line has no trials of this type.
bool add_type_rates(const TableContext& context,
                    const Line& line,
                    const std::string& type,
                    Row& row) {
  bool any = false;
  for (const std::optional<std::size_t> cell : line.cells) {
    const Estimate estimate =
        cell.has_value() ? estimate_success_of_type(context.rows(), *cell, type) : Estimate{};
    if (estimate.n == 0) {
      row.values.resize(row.values.size() + 3);
      continue;
    }
    any = true;
    row.values.push_back(count_value(estimate.n));
    row.values.push_back(share_value(estimate.rate()));
    row.values.push_back(interval_value(estimate.interval));
  }
  return any;
}

ReferenceCount count_of_type(const TableContext& context,
                             const ReferenceRates& agent,
                             const Line& line,
                             std::pair<Side, std::string_view> place) {
  const ReferenceRate* rate = context.rate_of(agent, line.cells[place.first]);
  if (rate == nullptr) {
    return {};
  }
  const auto found = rate->by_type.find(std::string(place.second));
  return found == rate->by_type.end() ? ReferenceCount{} : found->second;
}

/// A row for each scripted agent and type; a setting's rate is the same whichever model names it.
void append_type_agents(const TableContext& context,
                        const std::vector<Line>& lines,
                        const std::set<std::string>& types,
                        ResultTable& table) {
  for (const ReferenceRates& agent : context.agents()) {
    for (const std::string& type : types) {
      Row row{.values = {text_value(agent.agent), text_value(type)},
              .marks = {"descriptive", "scripted"}};
      bool any = false;
      for (const Side side : kSides) {
        ReferenceCount count;
        for (const Line& line : lines) {
          count = count.n > 0 ? count : count_of_type(context, agent, line, {side, type});
        }
        any = any || count.n > 0;
        row.values.push_back(count.n > 0 ? count_value(count.n) : Value{});
        row.values.push_back(count.n > 0 ? share_value(static_cast<double>(count.successes) /
                                                       static_cast<double>(count.n))
                                         : Value{});
        row.values.emplace_back();
      }
      if (any) {
        table.rows.push_back(std::move(row));
      }
    }
  }
}

ResultTable types_table(const TableContext& context, const std::vector<Line>& lines) {
  ResultTable table = context.table_named("task_types", "5.1 Task types, descriptive");
  table.columns = {{.key = "model", .title = "model"}, {.key = "task_type", .title = "task type"}};
  for (const Side side : kSides) {
    const std::string name = name_of(side);
    const std::string_view key = side == with_plan ? "with_plan" : "without_plan";
    table.columns.push_back({.key = fmt::format("{}_n", key), .title = name + ": n"});
    table.columns.push_back({.key = fmt::format("{}_success", key), .title = name + ": success†"});
    table.columns.push_back(
        {.key = fmt::format("{}_interval", key), .title = name + ": 95 % interval"});
  }
  std::set<std::string> types;
  for (const TaskInfo& task : context.rows().tasks) {
    types.insert(task.type);
  }
  for (const Line& line : lines) {
    for (const std::string& type : types) {
      Row row{.values = {text_value(line.model), text_value(type)}, .marks = {"descriptive"}};
      if (line.simulated) {
        row.marks.emplace_back("simulated");
      }
      if (add_type_rates(context, line, type, row)) {
        for (const Side side : kSides) {
          context.add_marks(row, line.cells[side], name_of(side));
        }
        table.rows.push_back(std::move(row));
      }
    }
  }
  append_type_agents(context, lines, types, table);
  return table;
}

void add_pair(const TableContext& context,
              const std::pair<const Line*, const Line*>& models,
              Side side,
              std::vector<FamilyMember>& members) {
  const auto first = models.first->cells[side];
  const auto second = models.second->cells[side];
  if (!first.has_value() || !second.has_value()) {
    return;
  }
  FamilyMember member = compared(context.rows(),
                                 side == with_plan ? "baseline/with_plan" : "baseline/without_plan",
                                 {*first, *second});
  member.subject.clear();
  member.first = models.first->model;
  member.second = models.second->model;
  members.push_back(std::move(member));
}

void append_model_comparisons(const TableContext& context,
                              const std::vector<Line>& lines,
                              std::vector<ResultTable>& tables) {
  const Declared& declared = context.declared();
  const std::string& wanted =
      declared.baseline_model.empty() ? lines.front().model : declared.baseline_model;
  const auto baseline = std::ranges::find(lines, wanted, &Line::model);
  std::vector<FamilyMember> members;
  std::vector<std::string> notes;
  for (const Side side : kSides) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
      for (std::size_t j = i + 1; declared.all_pairs && j < lines.size(); ++j) {
        add_pair(context, {&lines[i], &lines[j]}, side, members);
      }
      if (!declared.all_pairs && baseline != lines.end() && lines[i].model != wanted) {
        add_pair(context, {&lines[i], &*baseline}, side, members);
      }
    }
  }
  if (declared.all_pairs) {
    notes.emplace_back("Declared: all pairs of models.");
  } else if (baseline == lines.end()) {
    ResultTable missing = context.table_named("comparisons", "Comparisons");
    missing.notes.push_back(fmt::format(
        "The declared baseline model {} has no cell here: nothing is compared.", wanted));
    tables.push_back(std::move(missing));
  } else {
    notes.push_back(fmt::format("Baseline model: {}.", wanted));
  }
  context.append_comparisons(tables, members, std::move(notes));
}

}  // namespace

std::vector<ResultTable> baseline_tables(const TableContext& context) {
  const std::vector<Line> lines = lines_of(context);
  std::vector<ResultTable> tables;
  tables.push_back(models_table(context, lines));
  append_model_comparisons(context, lines, tables);
  tables.push_back(types_table(context, lines));
  return tables;
}

}  // namespace sortie::analysis
