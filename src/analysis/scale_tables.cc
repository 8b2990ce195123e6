#include "sortie/analysis/table_context.h"
#include "sortie/base/hash.h"
#include "sortie/stats/logistic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
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
constexpr std::string_view kAll = "all";  // difficulties, pooled

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
  const Phrases& say = context.phrases();
  Row row = context.row_of(line, layout);
  for (const Side side : kSides) {
    if (contest.is_saturated(side)) {
      row.marks.push_back(say("marked.of",
                              fmt::arg("what", title_of(side, say)),
                              fmt::arg("mark", say("marked.saturated"))));
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
  const Phrases& say = phrases_in(table.language);
  for (const Side side : kSides) {
    if (contest.is_saturated(side)) {
      table.notes.push_back(say("scale.saturated",
                                fmt::arg("column", title_of(side, say)),
                                fmt::arg("difficulty", difficulty)));
    }
  }
}

ResultTable cells_table(const TableContext& context) {
  const Phrases& say = context.phrases();
  const LineLayout layout{.name = "cells",
                          .title = say("scale.cells"),
                          .labels = {{.key = "difficulty", .title = say("column.difficulty")}},
                          .rates = {rate_name(with_plan, say), rate_name(without_plan, say)}};
  ResultTable table = context.line_table(layout);
  table.columns.push_back({.key = "rank", .title = say("column.rank")});
  table.columns.push_back({.key = "size_b", .title = "B"});
  table.columns.push_back({.key = "success_per_sqrt_b", .title = say("scale.per_root")});
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
    table.notes.push_back(say("note.not_ranked"));
  }
  table.notes.push_back(say("scale.note"));
  context.append_agents(table, lines);
  return table;
}

/// The models that are pooled: never simulated ones with others, and the simulated ones only where
/// there are no others.
std::vector<Entrant> pooled_entrants(const TableContext& context) {
  std::vector<Entrant> entrants = context.entrants();
  if (!std::ranges::all_of(entrants, &Entrant::simulated)) {
    std::erase_if(entrants, [](const Entrant& entrant) { return entrant.simulated; });
  }
  return entrants;
}

/// The cells of one fit: the models that have a size, with a cell in each of its difficulties.
struct SizedCells {
  std::vector<double> x;  // log2 of billions
  std::vector<std::vector<std::size_t>> cells;
  bool simulated = false;

  [[nodiscard]] std::vector<std::size_t> all() const {
    std::vector<std::size_t> joined;
    for (const std::vector<std::size_t>& own : cells) {
      joined.insert(joined.end(), own.begin(), own.end());
    }
    return joined;
  }
};

/// A model without a scored trial at one of the difficulties is left out: its own mix of
/// difficulties would pass for an effect of its size.
SizedCells sized_cells(const TableContext& context,
                       std::string_view prompt,
                       std::string_view difficulty) {
  SizedCells sized;
  std::size_t difficulties = 0;
  for (const Entrant& entrant : pooled_entrants(context)) {
    const std::optional<double> size = size_of(context, entrant.model);
    if (!size.has_value() || *size <= 0) {
      continue;
    }
    std::vector<std::size_t> cells;
    for (const std::string_view own : kDifficulties) {
      const auto cell = difficulty == kAll || difficulty == own
                            ? cell_of(context, entrant, own, prompt)
                            : std::nullopt;
      if (cell.has_value() && context.rows().cells[*cell].row_count > 0) {
        cells.push_back(*cell);
      }
    }
    difficulties = std::max(difficulties, cells.size());
    sized.x.push_back(std::log2(*size));
    sized.cells.push_back(std::move(cells));
    sized.simulated = entrant.simulated;
  }
  for (std::size_t i = sized.x.size(); i-- > 0;) {
    if (difficulties == 0 || sized.cells[i].size() < difficulties) {
      sized.x.erase(sized.x.begin() + static_cast<std::ptrdiff_t>(i));
      sized.cells.erase(sized.cells.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return sized;
}

/// A fit and what it is of.
struct SizedFit {
  std::uint64_t trials = 0;
  std::uint64_t tasks = 0;
  std::optional<stats::Slope> slope;
};

/// Over the trials that every cell of the fit has scored, so that each model is judged by the same
/// tasks at the same difficulties.
SizedFit fit_of(const TableContext& context, const SizedCells& sized) {
  const RunRows& rows = context.rows();
  const std::vector<std::size_t> all = sized.all();
  const std::vector<Place> common = common_places(rows, all);
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
        if (std::ranges::binary_search(common, Place{trial.task, trial.repeat})) {
          tasks[trial.task].successes[i] += trial.success ? 1 : 0;
          tasks[trial.task].n[i] += 1;
        }
      }
    }
  }
  std::erase_if(tasks, [](const stats::SizedTask& task) {
    return std::ranges::all_of(task.n, [](double n) { return n == 0; });
  });
  return {.trials = common.size() * all.size(),
          .tasks = tasks.size(),
          .slope = stats::bootstrap_slope(sized.x, tasks, {.seed = seed.finish()})};
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
  const Phrases& say = context.phrases();
  const bool pooled = difficulty == kAll;
  const SizedFit fit = fit_of(context, sized);
  Row row{.values = {text_value(std::string(prompt)),
                     text_value(pooled ? say("scale.all") : std::string(difficulty)),
                     count_value(sized.x.size()),
                     count_value(fit.tasks),
                     count_value(fit.trials)},
          .marks = {pooled ? context.status_of(family_of(prompt)) : "exploratory"}};
  if (sized.simulated) {
    row.marks.emplace_back("simulated");
  }
  if (fit.slope.has_value()) {
    row.values.push_back(number_value(fit.slope->fit.slope));
    row.values.push_back(number_value(fit.slope->interval));
    row.values.push_back(number_value(std::exp(fit.slope->fit.slope)));
    row.values.push_back(probability_value(fit.slope->p));
    if (pooled) {
      FamilyMember& member = members.emplace_back();
      member.family = family_of(prompt);
      member.first = say("scale.slope_of");
      member.simulated = sized.simulated;
      member.result.p = fit.slope->p;
      member.test = kBootstrap;
    }
  } else {
    row.values.push_back(text_value(say("scale.not_estimable")));
  }
  row.values.resize(table.columns.size());
  table.rows.push_back(std::move(row));
}

/// One difficulty against easy, over all models that are pooled.
void add_difficulty(const TableContext& context,
                    std::string_view prompt,
                    std::string_view difficulty,
                    std::vector<FamilyMember>& members) {
  std::vector<CellPair> pairs;
  bool simulated = false;
  for (const Entrant& entrant : pooled_entrants(context)) {
    const auto first = cell_of(context, entrant, difficulty, prompt);
    const auto second = cell_of(context, entrant, kComparedWith, prompt);
    if (first.has_value() && second.has_value()) {
      pairs.emplace_back(*first, *second);
      simulated = simulated || entrant.simulated;
    }
  }
  if (difficulty != kComparedWith && !pairs.empty()) {
    members.push_back({.family = family_of(prompt),
                       .subject = {},
                       .first = std::string(difficulty),
                       .second = std::string(kComparedWith),
                       .simulated = simulated,
                       .result = compare(context.rows(), pairs),
                       .test = {},
                       .p_holm = 1});
  }
}

}  // namespace

std::vector<ResultTable> scale_tables(const TableContext& context) {
  const Phrases& say = context.phrases();
  std::vector<ResultTable> tables;
  tables.push_back(cells_table(context));
  ResultTable slopes = context.table_named("slopes", say("scale.slopes"));
  slopes.columns = {{.key = "prompt", .title = say("column.prompt")},
                    {.key = "difficulty", .title = say("column.difficulty")},
                    {.key = "models", .title = say("scale.models")},
                    {.key = "tasks", .title = say("scale.tasks")},
                    {.key = "n", .title = "n"},
                    {.key = "slope", .title = say("scale.slope")},
                    {.key = "slope_interval", .title = say("column.interval")},
                    {.key = "odds_ratio", .title = say("scale.odds_ratio")},
                    {.key = "p", .title = "p"}};
  std::vector<FamilyMember> members;
  for (const std::string_view prompt : kPrompts) {
    add_slope_row(context, prompt, kAll, slopes, members);
    for (const std::string_view difficulty : kDifficulties) {
      add_slope_row(context, prompt, difficulty, slopes, members);
      add_difficulty(context, prompt, difficulty, members);
    }
  }
  slopes.notes.push_back(say("scale.slopes_common"));
  slopes.notes.push_back(say("scale.slopes_note"));
  tables.push_back(std::move(slopes));
  context.append_comparisons(tables, members, {say("scale.comparisons_note")});
  return tables;
}

}  // namespace sortie::analysis
