#include "sortie/analysis/table_context.h"
#include "sortie/base/hash.h"
#include "sortie/stats/logistic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

// 5.2: size. What is fitted describes these checkpoints as served, not a law of scaling.

namespace sortie::analysis {

namespace {

constexpr std::array<std::string_view, 5> kDifficulties = {
    "very_easy", "easy", "medium", "hard", "very_hard"};
constexpr std::array<std::string_view, 2> kPrompts = {"optimal", "baseline"};
constexpr std::string_view kComparedWith = "easy";

std::string family_of(std::string_view prompt) {
  return prompt == "optimal" ? "scale/with_plan" : "scale/without_plan";
}

std::optional<double> size_of(const TableContext& context, const std::string& model) {
  const auto found = context.declared().models.find(model);
  return found == context.declared().models.end() ? std::nullopt : found->second.size_b;
}

std::optional<std::size_t> cell_of(const TableContext& context,
                                   const Entrant& entrant,
                                   std::string_view difficulty,
                                   std::string_view prompt) {
  for (const std::size_t cell : entrant.cells) {
    const CellFactors& factors = context.cell(cell).factors;
    if (factors.difficulty == difficulty && factors.prompt == prompt) {
      return cell;
    }
  }
  return std::nullopt;
}

Value size_value(std::optional<double> size) {
  return size.has_value() ? text_value(fmt::format("{}", *size)) : Value{};
}

Value per_root_value(const TableContext& context,
                     std::optional<std::size_t> cell,
                     std::optional<double> size) {
  if (!cell.has_value() || !size.has_value() || context.cell(*cell).tally.scored == 0) {
    return {};
  }
  return number_value(context.cell(*cell).tally.success_rate() / std::sqrt(*size));
}

/// The models at one difficulty, in the order of the entrants.
Contest contest_at(const TableContext& context, std::string_view difficulty) {
  std::vector<Line> lines;
  for (const Entrant& entrant : context.entrants()) {
    Line line{.model = entrant.model,
              .simulated = entrant.simulated,
              .labels = {std::string(difficulty)},
              .cells = {cell_of(context, entrant, difficulty, "optimal"),
                        cell_of(context, entrant, difficulty, "baseline")}};
    if (line.cells[with_plan].has_value() || line.cells[without_plan].has_value()) {
      lines.push_back(std::move(line));
    }
  }
  return {context, std::move(lines)};
}

Row cells_row(const TableContext& context,
              const Contest& contest,
              const Line& line,
              const LineLayout& layout) {
  Row row = context.row_of(line, layout);
  for (const Side side : kSides) {
    if (contest.is_saturated(side)) {
      row.marks.push_back(name_of(side) + " saturated");
    }
  }
  const std::optional<double> size = size_of(context, line.model);
  const auto place = contest.rank_of(line);
  row.values.push_back(place.has_value() ? count_value(*place) : Value{});
  row.values.push_back(size_value(size));
  row.values.push_back(per_root_value(context, line.cells[with_plan], size));
  return row;
}

void note_saturation(const Contest& contest, std::string_view difficulty, ResultTable& table) {
  for (const Side side : kSides) {
    if (contest.is_saturated(side)) {
      table.notes.push_back(
          fmt::format("Column “{}” is saturated at {}: half of the models exceed 95 %. It is not "
                      "ranked there.",
                      name_of(side),
                      difficulty));
    }
  }
}

ResultTable cells_table(const TableContext& context) {
  const LineLayout layout{.name = "cells",
                          .title = "5.2 Model scale",
                          .labels = {{.key = "difficulty", .title = "difficulty"}},
                          .rates = {name_of(with_plan), name_of(without_plan)}};
  ResultTable table = context.line_table(layout);
  table.columns.push_back({.key = "rank", .title = "rank without plan"});
  table.columns.push_back({.key = "size_b", .title = "B"});
  table.columns.push_back({.key = "success_per_sqrt_b", .title = "success/√B†"});
  std::vector<Line> lines;
  for (const std::string_view difficulty : kDifficulties) {
    const Contest contest = contest_at(context, difficulty);
    note_saturation(contest, difficulty, table);
    for (const Line& line : contest.lines()) {
      table.rows.push_back(cells_row(context, contest, line, layout));
      lines.push_back(line);
    }
  }
  if (std::ranges::any_of(lines, &Line::simulated)) {
    table.notes.emplace_back("Simulated models are not ranked.");
  }
  table.notes.emplace_back(
      "Describes these checkpoints as served; ranks are within a difficulty. success/√B is of the "
      "rate with plan, for continuity.");
  context.append_agents(table, lines);
  return table;
}

/// The cells of one fit: a size, and the cells of the models that have it.
struct SizedCells {
  std::vector<double> x;  // log2 of billions
  std::vector<std::vector<std::size_t>> cells;
};

SizedCells sized_cells(const TableContext& context,
                       std::string_view prompt,
                       std::string_view difficulty) {
  SizedCells sized;
  for (const Entrant& entrant : context.entrants()) {
    const std::optional<double> size = size_of(context, entrant.model);
    if (!size.has_value() || *size <= 0) {
      continue;
    }
    std::vector<std::size_t> cells;
    for (const std::size_t cell : entrant.cells) {
      const CellFactors& factors = context.cell(cell).factors;
      if (factors.prompt == prompt && (difficulty == "all" || factors.difficulty == difficulty)) {
        cells.push_back(cell);
      }
    }
    if (!cells.empty()) {
      sized.x.push_back(std::log2(*size));
      sized.cells.push_back(std::move(cells));
    }
  }
  return sized;
}

std::optional<stats::Slope> slope_of(const TableContext& context, const SizedCells& sized) {
  const RunRows& rows = context.rows();
  std::vector<stats::SizedTask> tasks(rows.tasks.size());
  base::FieldHasher seed("sortie.slope.v1");
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i] = {.stratum = rows.tasks[i].stratum,
                .successes = std::vector<double>(sized.x.size()),
                .n = std::vector<double>(sized.x.size())};
  }
  for (std::size_t i = 0; i < sized.x.size(); ++i) {
    for (const std::size_t cell : sized.cells[i]) {
      seed.field("cell", rows.cells[cell].factors.id);
      for (const TrialRow& trial : rows.of_cell(cell)) {
        tasks[trial.task].successes[i] += trial.success ? 1 : 0;
        tasks[trial.task].n[i] += 1;
      }
    }
  }
  std::erase_if(tasks, [](const stats::SizedTask& task) {
    return std::ranges::all_of(task.n, [](double n) { return n == 0; });
  });
  return stats::bootstrap_slope(sized.x, tasks, {.seed = seed.finish()});
}

void add_slope_row(const TableContext& context,
                   std::string_view prompt,
                   std::string_view difficulty,
                   ResultTable& table,
                   std::vector<FamilyMember>& members) {
  const SizedCells sized = sized_cells(context, prompt, difficulty);
  if (sized.x.empty()) {
    return;
  }
  const bool pooled = difficulty == "all";
  Row row{.values = {text_value(std::string(prompt)),
                     text_value(std::string(difficulty)),
                     count_value(sized.x.size())},
          .marks = {pooled ? context.status_of(family_of(prompt)) : "exploratory"}};
  const auto slope = slope_of(context, sized);
  if (slope.has_value()) {
    row.values.push_back(number_value(slope->fit.slope));
    row.values.push_back(number_value(slope->interval));
    row.values.push_back(number_value(std::exp(slope->fit.slope)));
    row.values.push_back(probability_value(slope->p));
    if (pooled) {
      FamilyMember& member = members.emplace_back();
      member.family = family_of(prompt);
      member.first = "slope";
      member.result.p = slope->p;
      member.test = kBootstrap;
    }
  } else {
    row.values.push_back(text_value("not estimable"));
  }
  row.values.resize(table.columns.size());
  table.rows.push_back(std::move(row));
}

/// One difficulty against easy, over all models of the scenario.
void add_difficulty(const TableContext& context,
                    std::string_view prompt,
                    std::string_view difficulty,
                    std::vector<FamilyMember>& members) {
  std::vector<CellPair> pairs;
  for (const Entrant& entrant : context.entrants()) {
    const auto first = cell_of(context, entrant, difficulty, prompt);
    const auto second = cell_of(context, entrant, kComparedWith, prompt);
    if (first.has_value() && second.has_value()) {
      pairs.emplace_back(*first, *second);
    }
  }
  if (difficulty != kComparedWith && !pairs.empty()) {
    members.push_back({.family = family_of(prompt),
                       .subject = {},
                       .first = std::string(difficulty),
                       .second = std::string(kComparedWith),
                       .result = compare(context.rows(), pairs),
                       .test = {},
                       .p_holm = 1});
  }
}

}  // namespace

std::vector<ResultTable> scale_tables(const TableContext& context) {
  std::vector<ResultTable> tables;
  tables.push_back(cells_table(context));
  ResultTable slopes =
      context.table_named("slopes", "5.2 Logistic fit of success on log2 of parameters");
  slopes.columns = {{.key = "prompt", .title = "prompt"},
                    {.key = "difficulty", .title = "difficulty"},
                    {.key = "models", .title = "models"},
                    {.key = "slope", .title = "slope, log odds per doubling"},
                    {.key = "slope_interval", .title = "95 % interval"},
                    {.key = "odds_ratio", .title = "odds ratio"},
                    {.key = "p", .title = "p"}};
  std::vector<FamilyMember> members;
  for (const std::string_view prompt : kPrompts) {
    add_slope_row(context, prompt, "all", slopes, members);
    for (const std::string_view difficulty : kDifficulties) {
      add_slope_row(context, prompt, difficulty, slopes, members);
      add_difficulty(context, prompt, difficulty, members);
    }
  }
  slopes.notes.emplace_back(
      "Firth's penalised likelihood; intervals and p by a bootstrap over tasks. The slope over all "
      "difficulties of a prompt and its comparisons of difficulties are one family, adjusted "
      "below.");
  tables.push_back(std::move(slopes));
  context.append_comparisons(tables, members, {"Difficulties are compared over all models."});
  return tables;
}

}  // namespace sortie::analysis
