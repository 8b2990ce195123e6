#include "sortie/analysis/run_comparison.h"

#include "sortie/analysis/phrases.h"
#include "sortie/base/text.h"
#include "sortie/stats/paired.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

constexpr double kSignificant = 0.05;

struct Factor {
  std::string_view name;
  std::string_view title;  // the key of its phrase
  std::string (*value)(const CellFactors&);
};

constexpr std::array kFactors = {
    Factor{"model", "column.model", [](const CellFactors& f) { return f.model; }},
    Factor{"prompt", "column.prompt", [](const CellFactors& f) { return f.prompt; }},
    Factor{"severity", "column.severity", [](const CellFactors& f) { return f.severity; }},
    Factor{"difficulty", "column.difficulty", [](const CellFactors& f) { return f.difficulty; }},
    Factor{"rate",
           "column.tool_rate",
           [](const CellFactors& f) { return fmt::to_string(f.tool_success_rate); }},
    Factor{"protocol", "column.protocol", [](const CellFactors& f) { return f.protocol; }},
    Factor{"turns",
           "column.max_turns",
           [](const CellFactors& f) { return fmt::to_string(f.max_turns); }},
};

const Factor* factor_named(std::string_view name) {
  const auto* const found = std::ranges::find(kFactors, name, &Factor::name);
  return found == kFactors.end() ? nullptr : found;
}

/// Every factor but the one that is compared.
std::vector<std::string> settings_of(const CellFactors& factors, std::string_view compared) {
  std::vector<std::string> settings;
  for (const Factor& factor : kFactors) {
    settings.push_back(factor.name == compared ? std::string() : factor.value(factors));
  }
  return settings;
}

/// Both sides' cells in one set of rows: the second's after the first's, tasks by their ids.
RunRows joined(const RunRows& first, const RunRows& second) {
  RunRows rows;
  std::map<std::string, TaskInfo> tasks;
  std::map<std::string, std::uint32_t> strata;
  for (const RunRows* side : {&first, &second}) {
    for (const TaskInfo& task : side->tasks) {
      tasks.emplace(task.id, task);
      strata.emplace(task.type, 0);
    }
  }
  std::uint32_t number = 0;
  for (auto& [type, stratum] : strata) {
    stratum = number++;
  }
  std::map<std::string, std::uint32_t> numbers;
  for (auto& [id, task] : tasks) {
    task.stratum = strata[task.type];
    numbers.emplace(id, static_cast<std::uint32_t>(rows.tasks.size()));
    rows.tasks.push_back(task);
  }
  for (const RunRows* side : {&first, &second}) {
    for (const PlannedCell& own : side->cells) {
      PlannedCell cell = own;
      cell.first_row = rows.rows.size();
      for (TrialRow trial : std::span(side->rows).subspan(own.first_row, own.row_count)) {
        trial.cell = static_cast<std::uint32_t>(rows.cells.size());
        trial.task = numbers[side->tasks[trial.task].id];
        rows.rows.push_back(trial);
      }
      rows.cells.push_back(std::move(cell));
    }
  }
  return rows;  // ids keep their order, so each cell's rows stay sorted
}

using CellsBySettings = std::map<std::vector<std::string>, std::size_t>;

/// The cells `begin`… of one side, by what they share with the other's.
CellsBySettings side_of(const RunRows& rows,
                        std::pair<std::size_t, std::size_t> range,
                        const ComparedSides& sides,
                        const std::string& value) {
  CellsBySettings cells;
  const Factor* factor = factor_named(sides.factor);
  for (std::size_t i = range.first; i < range.second; ++i) {
    const CellFactors& factors = rows.cells[i].factors;
    if (factor == nullptr || factor->value(factors) == value) {
      cells.emplace(settings_of(factors, sides.factor), i);
    }
  }
  return cells;
}

void add_disagreements(const RunRows& rows,
                       const CellPair& pair,
                       std::size_t second_offset,
                       std::vector<Disagreement>& found) {
  std::map<Place, const TrialRow*> second;
  for (const TrialRow& trial : rows.of_cell(pair.second)) {
    second.emplace(Place{.task = trial.task, .repeat = trial.repeat}, &trial);
  }
  for (const TrialRow& trial : rows.of_cell(pair.first)) {
    const auto other = second.find(Place{.task = trial.task, .repeat = trial.repeat});
    if (other != second.end() && other->second->success != trial.success) {
      found.push_back({.first_cell = pair.first,
                       .second_cell = pair.second - second_offset,
                       .task = rows.tasks[trial.task].id,
                       .repeat = trial.repeat,
                       .first_succeeded = trial.success});
    }
  }
}

void adjust(std::vector<ComparedLine>& lines) {
  std::vector<double> p_values;
  p_values.reserve(lines.size());
  for (const ComparedLine& line : lines) {
    p_values.push_back(line.result.p);
  }
  const std::vector<double> adjusted = stats::holm(p_values);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i].p_holm = adjusted[i];
  }
}

base::Status check_value(const CellsBySettings& cells,
                         const RunRows& rows,
                         const ComparedSides& sides,
                         const std::string& value) {
  if (!cells.empty() || sides.factor.empty()) {
    return {};
  }
  std::set<std::string> known;
  for (const PlannedCell& cell : rows.cells) {
    known.insert(factor_named(sides.factor)->value(cell.factors));
  }
  const std::vector<std::string> names(known.begin(), known.end());
  return base::bad_input(fmt::format("--{} {}: no cell has it{}; there are: {}",
                                     sides.factor,
                                     value,
                                     base::suggestion(value, names),
                                     base::join(names, ", ")));
}

Value share_of(std::uint64_t part, std::uint64_t pairs) {
  return pairs == 0 ? Value{} : share_value(static_cast<double>(part) / static_cast<double>(pairs));
}

/// The columns of settings that tell lines apart.
std::vector<std::size_t> varied(const std::vector<ComparedLine>& lines) {
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < kFactors.size(); ++i) {
    std::set<std::string> values;
    for (const ComparedLine& line : lines) {
      if (i < line.settings.size()) {
        values.insert(line.settings[i]);
      }
    }
    if (values.size() > 1) {
      columns.push_back(i);
    }
  }
  return columns;
}

}  // namespace

std::vector<std::string> compared_factors() {
  std::vector<std::string> names;
  for (const Factor& factor : kFactors) {
    names.emplace_back(factor.name);
  }
  return names;
}

std::string ComparedLine::better() const {
  if (p_holm >= kSignificant || result.pairs == 0) {
    return "";
  }
  return result.success.mean > 0 ? "first" : "second";
}

base::Result<RunComparison> compare_runs(const RunRows& first,
                                         const RunRows& second,
                                         const ComparedSides& sides) {
  const RunRows rows = joined(first, second);
  const std::size_t middle = first.cells.size();
  const CellsBySettings one = side_of(rows, {0, middle}, sides, sides.first);
  const CellsBySettings two = side_of(rows, {middle, rows.cells.size()}, sides, sides.second);
  TRY(check_value(one, first, sides, sides.first));
  TRY(check_value(two, second, sides, sides.second));
  RunComparison comparison{.sides = sides, .lines = {}, .disagreements = {}};
  std::vector<CellPair> pairs;
  bool simulated = false;
  for (const auto& [settings, cell] : one) {
    const auto partner = two.find(settings);
    if (partner == two.end()) {
      continue;
    }
    const CellPair pair[] = {{cell, partner->second}};
    pairs.push_back(pair[0]);
    ComparedLine line{.settings = settings, .result = compare(rows, pair)};
    line.simulated =
        rows.cells[cell].factors.simulated || rows.cells[partner->second].factors.simulated;
    simulated = simulated || line.simulated;
    comparison.lines.push_back(std::move(line));
    add_disagreements(rows, pair[0], middle, comparison.disagreements);
  }
  comparison.unpaired_first = one.size() - pairs.size();
  comparison.unpaired_second = two.size() - pairs.size();
  if (pairs.empty()) {
    return base::bad_input(
        "nothing to compare: no cell of the first side has one of the second that is alike in "
        "every "
        "other factor");
  }
  adjust(comparison.lines);
  if (pairs.size() > 1) {
    ComparedLine all{.settings = {}, .simulated = simulated, .result = compare(rows, pairs)};
    all.p_holm = all.result.p;
    comparison.lines.push_back(std::move(all));
  }
  return comparison;
}

ResultTable table_of(const RunComparison& comparison, Language language) {
  const Phrases& say = phrases_in(language);
  const std::vector<std::size_t> settings = varied(comparison.lines);
  ResultTable table{.id = "comparison",
                    .scenario = {},
                    .title = say("compare.title"),
                    .columns = {},
                    .rows = {},
                    .notes = {},
                    .language = language};
  for (const std::size_t column : settings) {
    table.columns.push_back(
        {.key = std::string(kFactors[column].name), .title = say(kFactors[column].title)});
  }
  for (Column column : {Column{.key = "pairs", .title = say("comparisons.pairs")},
                        Column{.key = "first_success", .title = say("comparisons.first")},
                        Column{.key = "second_success", .title = say("comparisons.second")},
                        Column{.key = "only_first", .title = say("comparisons.only_first")},
                        Column{.key = "only_second", .title = say("comparisons.only_second")},
                        Column{.key = "difference", .title = say("comparisons.difference")},
                        Column{.key = "difference_interval", .title = say("column.interval")},
                        Column{.key = "p", .title = "p"},
                        Column{.key = "p_holm", .title = say("comparisons.p_holm")},
                        Column{.key = "test", .title = say("comparisons.test")},
                        Column{.key = "better", .title = say("compare.better")}}) {
    table.columns.push_back(std::move(column));
  }
  for (const ComparedLine& line : comparison.lines) {
    const Comparison& result = line.result;
    Row row;
    for (const std::size_t column : settings) {
      row.values.push_back(
          text_value(line.settings.empty() ? say("scale.all") : line.settings[column]));
    }
    row.values.push_back(count_value(result.pairs));
    row.values.push_back(share_of(result.both + result.only_first, result.pairs));
    row.values.push_back(share_of(result.both + result.only_second, result.pairs));
    row.values.push_back(count_value(result.only_first));
    row.values.push_back(count_value(result.only_second));
    if (result.pairs > 0) {
      row.values.push_back(points_value(result.success.mean));
      row.values.push_back(points_value(result.success.interval));
      row.values.push_back(probability_value(result.p));
      row.values.push_back(probability_value(line.p_holm));
      row.values.push_back(
          text_value(result.exact ? say("method.mcnemar") : method_text(kBootstrap, say)));
      row.values.push_back(text_value(line.better().empty()      ? say("compare.not_shown")
                                      : line.better() == "first" ? say("comparisons.first")
                                                                 : say("comparisons.second")));
    }
    row.values.resize(table.columns.size());
    if (line.simulated) {
      row.marks.emplace_back("simulated");
    }
    table.rows.push_back(std::move(row));
  }
  table.notes.push_back(say("compare.note"));
  if (comparison.unpaired_first + comparison.unpaired_second > 0) {
    table.notes.push_back(say("compare.unpaired",
                              fmt::arg("first", comparison.unpaired_first),
                              fmt::arg("second", comparison.unpaired_second)));
  }
  return table;
}

}  // namespace sortie::analysis
