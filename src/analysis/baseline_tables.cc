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
  const Phrases& say = context.phrases();
  const LineLayout layout{.name = "models",
                          .title = say("baseline.models"),
                          .labels = {},
                          .rates = {rate_name(with_plan, say), rate_name(without_plan, say)}};
  ResultTable table = context.line_table(layout);
  const Contest contest(context, lines);
  for (const Side side : kSides) {
    if (contest.is_saturated(side)) {
      std::string& title =
          std::ranges::find(table.columns, key_of(side) + "_success", &Column::key)->title;
      title = say("column.saturated", fmt::arg("column", title));
      table.notes.push_back(say("baseline.saturated", fmt::arg("column", title_of(side, say))));
    }
  }
  table.columns.push_back({.key = "rank", .title = say("column.rank")});
  for (const Line& line : lines) {
    Row row = context.row_of(line, layout);
    const auto place = contest.rank_of(line);
    row.values.push_back(place.has_value() ? count_value(*place) : Value{});
    table.rows.push_back(std::move(row));
  }
  if (std::ranges::any_of(lines, &Line::simulated)) {
    table.notes.push_back(say("note.not_ranked"));
  }
  if (std::ranges::any_of(lines, has_no_cell)) {
    table.notes.push_back(say("baseline.no_rates"));
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

/// n, rate and an empty interval of both sides; says whether there is any trial.
bool add_agent_values(const TableContext& context,
                      const ReferenceRates& agent,
                      const std::vector<Line>& lines,
                      std::string_view type,
                      Row& row) {
  bool any = false;
  for (const Side side : kSides) {
    ReferenceCount count;
    for (const Line& line : lines) {
      count = count.n > 0 ? count : count_of_type(context, agent, line, {side, type});
    }
    if (count.n == 0) {
      row.values.resize(row.values.size() + 3);
      continue;
    }
    any = true;
    row.values.push_back(count_value(count.n));
    row.values.push_back(
        share_value(static_cast<double>(count.successes) / static_cast<double>(count.n)));
    row.values.emplace_back();
  }
  return any;
}

/// A row for each scripted agent and type; a setting's rate is the same whichever model names it.
void append_type_agents(const TableContext& context,
                        const std::vector<Line>& lines,
                        const std::set<std::string>& types,
                        ResultTable& table) {
  for (const ReferenceRates& agent : context.agents()) {
    for (const std::string& type : types) {
      Row row{.values = {text_value(context.name_of(agent)), text_value(type)},
              .marks = {"descriptive", "scripted"}};
      if (add_agent_values(context, agent, lines, type, row)) {
        table.rows.push_back(std::move(row));
      }
    }
  }
}

ResultTable types_table(const TableContext& context, const std::vector<Line>& lines) {
  const Phrases& say = context.phrases();
  ResultTable table = context.table_named("task_types", say("baseline.types"));
  table.columns = {{.key = "model", .title = say("column.model")},
                   {.key = "task_type", .title = say("column.task_type")}};
  for (const Side side : kSides) {
    const RateName name = rate_name(side, say);
    table.columns.push_back(rate_column(name, "n", "n", say));
    table.columns.push_back(rate_column(name, "success", say("column.success"), say));
    table.columns.push_back(rate_column(name, "interval", say("column.interval"), say));
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
          context.add_marks(row, line.cells[side], title_of(side, say));
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
  const Phrases& say = context.phrases();
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
    notes.push_back(say("baseline.all_pairs"));
  } else if (baseline == lines.end()) {
    ResultTable missing = context.table_named("comparisons", say("comparisons.title"));
    missing.notes.push_back(say("baseline.missing", fmt::arg("model", wanted)));
    tables.push_back(std::move(missing));
  } else {
    notes.push_back(say("baseline.of", fmt::arg("model", wanted)));
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
