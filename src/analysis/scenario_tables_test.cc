#include "sortie/analysis/scenario_tables.h"

#include "sortie/analysis/comparisons.h"
#include "sortie/analysis/test_run.h"
#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/stats/paired.h"
#include "sortie/stats/proportion.h"
#include "sortie/stats/stratified.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

/// Rows as they would be read from a ledger, with the summary that belongs to them.
class Rows {
 public:
  /// Tasks of two types.
  explicit Rows(std::uint32_t tasks = 40) {
    for (std::uint32_t i = 0; i < tasks; ++i) {
      rows.tasks.push_back({.id = fmt::format("t-{:03}", i),
                            .type = i % 2 == 0 ? "basic_task" : "simple_task",
                            .stratum = i % 2});
    }
  }

  /// Models must come in order, and cells of one model together.
  CellFactors& cell(const std::string& model,
                    std::vector<std::string> scenarios,
                    const std::string& prompt = "optimal") {
    PlannedCell& cell = rows.cells.emplace_back();
    cell.factors = {.id = base::digest_of(fmt::format("{}", rows.cells.size())).hex(),
                    .model = model,
                    .scenarios = std::move(scenarios),
                    .prompt = prompt,
                    .flaw = prompt.starts_with("flawed_") ? prompt.substr(7) : "none",
                    .severity = prompt.starts_with("flawed_") ? "severe" : "",
                    .difficulty = "easy",
                    .protocol = "text",
                    .tool_success_rate = 0.8,
                    .max_turns = 30};
    return cell.factors;
  }

  /// A trial of every task in the last cell; those with success(task).
  void trials(const std::function<bool(std::uint32_t)>& success, std::int64_t repeats = 1) {
    PlannedCell& cell = rows.cells.back();
    cell.first_row = rows.rows.size();
    for (std::uint32_t task = 0; task < rows.tasks.size(); ++task) {
      for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
        TrialRow& row = rows.rows.emplace_back();
        row.cell = static_cast<std::uint32_t>(rows.cells.size() - 1);
        row.task = task;
        row.repeat = repeat;
        row.success = success(task);
        row.progress = row.success ? 1 : 0.5;
        row.calls = 6;
        row.calls_ok = 4;
        row.injected = 1;
      }
    }
    cell.row_count = rows.rows.size() - cell.first_row;
    cell.planned = cell.row_count;
  }

  std::vector<ResultTable> tables(std::vector<ReferenceRates> agents = {}) {
    summary = {};
    for (std::size_t i = 0; i < rows.cells.size(); ++i) {
      CellSummary& cell = summary.cells.emplace_back();
      cell.factors = rows.cells[i].factors;
      cell.planned = rows.cells[i].planned;
      cell.lost = rows.cells[i].lost;
      const std::size_t cells[] = {i};
      const Estimate estimate = estimate_success(rows, cells, {});
      cell.success = estimate.interval;
      cell.tally.scored = estimate.n;
      cell.tally.successes = estimate.successes;
      cell.tally.calls = 6;
      cell.tally.valid_calls = 5 * estimate.n;
      cell.tally.injected_failures = estimate.n;
    }
    return scenario_tables(
        {.rows = &rows, .summary = &summary, .declared = &declared, .agents = std::move(agents)});
  }

  RunRows rows;
  Summary summary;
  Declared declared;
};

const ResultTable& table_of(const std::vector<ResultTable>& tables, const std::string& id) {
  const auto found = std::ranges::find(tables, id, &ResultTable::id);
  if (found == tables.end()) {
    ADD_FAILURE() << "no table " << id;
    throw std::out_of_range(id);
  }
  return *found;
}

const Value& value_of(const ResultTable& table, std::size_t row, const std::string& key) {
  const auto column = std::ranges::find(table.columns, key, &Column::key);
  if (column == table.columns.end()) {
    ADD_FAILURE() << table.id << " has no column " << key;
    throw std::out_of_range(key);
  }
  return table.rows.at(row).values.at(static_cast<std::size_t>(column - table.columns.begin()));
}

bool has_mark(const Row& row, const std::string& mark) {
  return std::ranges::find(row.marks, mark) != row.marks.end();
}

bool has_note(const ResultTable& table, const std::string& part) {
  return std::ranges::any_of(
      table.notes, [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

/// Two models with and without the plan, in 5.1 and 5.5.
void add_models(Rows& rows) {
  for (const auto& [model, of_ten] : {std::pair("a", 4U), std::pair("b", 7U)}) {
    rows.cell(model, {"baseline", "prompts"});
    rows.trials([](std::uint32_t) { return true; });
    rows.cell(model, {"prompts"}, "baseline");
    rows.trials([&](std::uint32_t task) { return task % 10 < of_ten; });
  }
}

TEST(BaselineTables, rank_without_plan_and_mark_a_saturated_column) {
  Rows rows;
  add_models(rows);
  const auto tables = rows.tables();
  const ResultTable& models = table_of(tables, "baseline/models");
  ASSERT_EQ(models.rows.size(), 2U);
  EXPECT_DOUBLE_EQ(value_of(models, 0, "with_plan_success").first, 1);
  EXPECT_DOUBLE_EQ(value_of(models, 0, "without_plan_success").first, 0.4);
  EXPECT_EQ(value_of(models, 0, "rank").first, 2);
  EXPECT_EQ(value_of(models, 1, "rank").first, 1);
  EXPECT_TRUE(has_note(models, "“with plan” is saturated"));
  EXPECT_TRUE(std::ranges::any_of(models.columns, [](const Column& column) {
    return column.title == "with plan: success†, saturated";
  }));
  EXPECT_TRUE(has_mark(models.rows[0], "with plan shared with prompts"));
  // One cell, no task twice, both types alike: Wilson's.
  EXPECT_DOUBLE_EQ(value_of(models, 0, "without_plan_interval").first, stats::wilson(16, 40).low);
}

TEST(BaselineTables, do_not_rank_what_is_saturated_or_simulated) {
  Rows saturated;
  for (const char* model : {"a", "b"}) {
    saturated.cell(model, {"baseline"});
    saturated.trials([](std::uint32_t) { return true; });
    saturated.cell(model, {"prompts"}, "baseline");
    saturated.trials([](std::uint32_t task) { return task > 0; });
  }
  const auto tables = saturated.tables();
  EXPECT_EQ(value_of(table_of(tables, "baseline/models"), 0, "rank").kind, Value::Kind::none);
  EXPECT_TRUE(has_note(table_of(tables, "baseline/models"), "“without plan” is saturated"));

  Rows simulated;
  add_models(simulated);
  for (std::size_t i : {2U, 3U}) {
    simulated.rows.cells[i].factors.simulated = true;
  }
  const auto others = simulated.tables();
  const ResultTable& models = table_of(others, "baseline/models");
  EXPECT_EQ(value_of(models, 0, "rank").first, 1);  // b is no contestant
  EXPECT_EQ(value_of(models, 1, "rank").kind, Value::Kind::none);
  EXPECT_TRUE(has_mark(models.rows[1], "simulated"));
}

TEST(BaselineTables, take_neither_cot_nor_a_flawed_plan_for_the_right_one) {
  Rows rows;
  for (const char* prompt : {"cot", "flawed_missing_step"}) {
    rows.cell(prompt, {"baseline"}, prompt);
    rows.trials([](std::uint32_t) { return false; });
    rows.cell(prompt, {"prompts"});
    rows.trials([](std::uint32_t task) { return task % 10 < 8; });
    rows.cell(prompt, {"prompts"}, "baseline");
    rows.trials([](std::uint32_t task) { return task % 10 < 3; });
  }
  rows.cell("other", {"baseline"}, "cot");
  rows.trials([](std::uint32_t) { return true; });
  const auto tables = rows.tables();
  const ResultTable& models = table_of(tables, "baseline/models");
  ASSERT_EQ(models.rows.size(), 3U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_DOUBLE_EQ(value_of(models, i, "with_plan_success").first, 0.8);
    EXPECT_DOUBLE_EQ(value_of(models, i, "without_plan_success").first, 0.3);
  }
  EXPECT_EQ(value_of(models, 2, "with_plan_n").kind, Value::Kind::none);
  EXPECT_TRUE(has_note(models, "neither the right plan nor none"));
}

TEST(BaselineTables, compare_every_model_with_the_declared_one) {
  Rows rows;
  add_models(rows);
  rows.declared.baseline_model = "b";
  rows.declared.primary = {"baseline/without_plan"};
  const auto tables = rows.tables();
  const ResultTable& table = table_of(tables, "baseline/comparisons");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_TRUE(has_mark(table.rows[0], "exploratory"));
  EXPECT_TRUE(has_mark(table.rows[1], "primary"));
  EXPECT_EQ(value_of(table, 1, "first").text, "a");
  EXPECT_EQ(value_of(table, 1, "second").text, "b");
  EXPECT_EQ(value_of(table, 1, "pairs").first, 40);
  EXPECT_EQ(value_of(table, 1, "only_second").first, 12);
  EXPECT_NEAR(value_of(table, 1, "difference").first, -0.3, 1e-12);
  EXPECT_LT(value_of(table, 1, "difference_interval").second, 0);
  EXPECT_DOUBLE_EQ(value_of(table, 1, "p").first, stats::mcnemar_exact(0, 12));
  EXPECT_EQ(value_of(table, 1, "test").text, "McNemar, exact");
  EXPECT_NEAR(value_of(table, 1, "progress_difference").first, -0.15, 1e-12);
}

TEST(BaselineTables, compare_all_pairs_when_declared) {
  Rows rows;
  for (const auto& [model, of_ten] : {std::pair("a", 2U), std::pair("b", 5U), std::pair("c", 6U)}) {
    rows.cell(model, {"baseline"});
    rows.trials([&](std::uint32_t task) { return task % 10 < of_ten; });
  }
  rows.declared.all_pairs = true;
  const auto tables = rows.tables();
  const ResultTable& table = table_of(tables, "baseline/comparisons");
  ASSERT_EQ(table.rows.size(), 3U);
  const std::vector<double> adjusted = stats::holm(
      {stats::mcnemar_exact(0, 12), stats::mcnemar_exact(0, 16), stats::mcnemar_exact(0, 4)});
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_DOUBLE_EQ(value_of(table, i, "p_holm").first, adjusted[i]);
  }
}

TEST(BaselineTables, show_task_types_as_descriptive) {
  Rows rows;
  add_models(rows);
  const auto tables = rows.tables();
  const ResultTable& types = table_of(tables, "baseline/task_types");
  ASSERT_EQ(types.rows.size(), 4U);
  for (const Row& row : types.rows) {
    EXPECT_TRUE(has_mark(row, "descriptive"));
  }
  EXPECT_EQ(value_of(types, 0, "without_plan_n").first, 20);
  EXPECT_DOUBLE_EQ(value_of(types, 0, "without_plan_success").first, 0.4);
}

TEST(Estimates, are_score_intervals_within_types_and_wilsons_of_one_type) {
  Rows rows;
  rows.cell("a", {"baseline"});
  // Of the even tasks 18 of 20, of the odd ones 2.
  rows.trials([](std::uint32_t task) { return (task < 36) == (task % 2 == 0); });
  const std::size_t cells[] = {0};
  const Estimate estimate = estimate_success(rows.rows, cells, {});
  EXPECT_EQ(estimate.method, kWithinTypes);
  EXPECT_EQ(estimate.successes, 20U);
  const stats::StratumCount types[] = {{.successes = 18, .n = 20}, {.successes = 2, .n = 20}};
  EXPECT_EQ(estimate.interval.low, stats::stratified_score(types).low);
  EXPECT_EQ(estimate.interval.high, stats::stratified_score(types).high);
  EXPECT_GT(estimate.interval.low, stats::wilson(20, 40).low + 0.03);
  const Estimate of_type = estimate_success_of_type(rows.rows, 0, "basic_task");
  EXPECT_EQ(of_type.method, kWilson);
  EXPECT_EQ(of_type.interval.low, stats::wilson(18, 20).low);
  EXPECT_EQ(of_type.interval.high, stats::wilson(18, 20).high);
}

TEST(Estimates, are_bootstrapped_over_tasks_where_trials_share_them) {
  Rows rows;
  rows.cell("a", {"baseline"});
  rows.trials([](std::uint32_t task) { return task % 3 == 0; }, 5);
  const std::size_t cells[] = {0};
  const Estimate estimate = estimate_success(rows.rows, cells, base::digest_of("e"));
  EXPECT_EQ(estimate.method, kBootstrap);
  EXPECT_EQ(estimate.n, 200U);
  EXPECT_EQ(estimate.tasks, 40U);
  // Five alike trials of a task tell as much as one.
  const double wilson = stats::wilson(70, 200).high - stats::wilson(70, 200).low;
  EXPECT_GT(estimate.interval.high - estimate.interval.low, 1.8 * wilson);
}

TEST(Comparisons, with_repeats_are_tested_by_the_bootstrap) {
  Rows rows;
  for (const auto& [model, of_ten] : {std::pair("a", 3U), std::pair("b", 5U)}) {
    rows.cell(model, {"baseline"});
    rows.trials([&](std::uint32_t task) { return task % 10 < of_ten; }, 3);
  }
  const CellPair pair[] = {{0, 1}};
  const Comparison result = compare(rows.rows, pair);
  EXPECT_EQ(result.pairs, 120U);
  EXPECT_FALSE(result.exact);
  EXPECT_GT(result.p, stats::mcnemar_exact(result.only_first, result.only_second));
}

TEST(Comparisons, are_of_common_trials_alone) {
  Rows rows;
  rows.cell("a", {"baseline"});
  rows.trials([](std::uint32_t) { return true; });
  rows.cell("b", {"baseline"});
  rows.trials([](std::uint32_t task) { return task >= 10; });
  // The first ten trials of b are lost.
  rows.rows.cells[1].first_row += 10;
  rows.rows.cells[1].row_count -= 10;
  rows.rows.cells[1].lost["throttled"] = 10;
  const CellPair pair[] = {{0, 1}};
  const Comparison result = compare(rows.rows, pair);
  EXPECT_EQ(result.pairs, 30U);
  EXPECT_EQ(result.success.mean, 0);
  const auto tables = rows.tables();
  const ResultTable& models = table_of(tables, "baseline/models");
  EXPECT_TRUE(has_mark(models.rows[1], "with plan incomplete"));
  EXPECT_DOUBLE_EQ(value_of(models, 1, "with_plan_bounds").first, 0.75);
  EXPECT_DOUBLE_EQ(value_of(models, 1, "with_plan_bounds").second, 1);
  EXPECT_EQ(value_of(models, 0, "with_plan_bounds").kind, Value::Kind::none);
}

TEST(ScaleTables, fit_success_on_size_and_compare_difficulties_over_models) {
  Rows rows;
  const std::map<std::string, double> sizes = {{"q-03", 3}, {"q-14", 14}, {"q-72", 72}};
  for (const auto& [model, size] : sizes) {
    rows.declared.models[model] = {.family = "q", .size_b = size};
    for (const char* prompt : {"optimal", "baseline"}) {
      for (const auto& [difficulty, harder] : {std::pair("easy", 0U), std::pair("medium", 3U)}) {
        rows.cell(model, {"scale"}, prompt).difficulty = difficulty;
        const auto of_ten = static_cast<std::uint32_t>(size == 3 ? 4 : size == 14 ? 6 : 9);
        rows.trials([&](std::uint32_t task) { return task % 10 + harder < of_ten; });
      }
    }
  }
  const auto tables = rows.tables();
  const ResultTable& cells = table_of(tables, "scale/cells");
  ASSERT_EQ(cells.rows.size(), 6U);
  EXPECT_EQ(cells.columns.back().key, "success_per_sqrt_b");
  // Difficulty by difficulty, models within: those are what is ranked against each other.
  EXPECT_EQ(value_of(cells, 1, "difficulty").text, "easy");
  EXPECT_NEAR(value_of(cells, 1, "success_per_sqrt_b").first, 0.6 / std::sqrt(14.0), 1e-12);
  EXPECT_EQ(value_of(cells, 0, "rank").first, 3);
  EXPECT_EQ(value_of(cells, 2, "rank").first, 1);
  EXPECT_EQ(value_of(cells, 5, "rank").first, 1);
  const ResultTable& slopes = table_of(tables, "scale/slopes");
  ASSERT_EQ(slopes.rows.size(), 6U);  // all, easy, medium of two prompts
  EXPECT_GT(value_of(slopes, 0, "slope").first, 0.2);
  EXPECT_GT(value_of(slopes, 0, "slope_interval").first, 0);
  const ResultTable& compared = table_of(tables, "scale/comparisons");
  ASSERT_EQ(compared.rows.size(), 4U);
  EXPECT_EQ(value_of(compared, 0, "first").text, "slope");
  EXPECT_EQ(value_of(compared, 1, "first").text, "medium");
  EXPECT_EQ(value_of(compared, 1, "pairs").first, 120);
  EXPECT_EQ(value_of(compared, 1, "test").text, kBootstrap);
  EXPECT_NEAR(value_of(compared, 1, "difference").first, -0.3, 1e-12);
  // Slope and difficulty of one prompt are one family of two.
  EXPECT_GE(value_of(compared, 0, "p_holm").first, value_of(compared, 0, "p").first);
  EXPECT_NEAR(
      std::max(value_of(compared, 0, "p_holm").first, value_of(compared, 1, "p_holm").first),
      2 * std::min(value_of(compared, 0, "p").first, value_of(compared, 1, "p").first),
      1e-12);
}

TEST(ScaleTables, mark_what_is_saturated_at_one_difficulty_and_rank_the_others) {
  Rows rows;
  for (const auto& [model, of_ten] : {std::pair("a", 6U), std::pair("b", 4U), std::pair("c", 2U)}) {
    rows.cell(model, {"scale"}).difficulty = "very_easy";
    rows.trials([](std::uint32_t) { return true; });
    rows.cell(model, {"scale"}, "baseline").difficulty = "very_easy";
    rows.trials([&](std::uint32_t task) { return of_ten > 2 || task % 2 == 0; });
    rows.cell(model, {"scale"}, "baseline").difficulty = "medium";
    rows.trials([&](std::uint32_t task) { return task % 10 < of_ten; });
  }
  const auto tables = rows.tables();
  const ResultTable& cells = table_of(tables, "scale/cells");
  ASSERT_EQ(cells.rows.size(), 6U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(has_mark(cells.rows[i], "with plan saturated"));
    EXPECT_TRUE(has_mark(cells.rows[i], "without plan saturated"));
    EXPECT_EQ(value_of(cells, i, "rank").kind, Value::Kind::none);
    EXPECT_FALSE(has_mark(cells.rows[3 + i], "without plan saturated"));
    EXPECT_EQ(value_of(cells, 3 + i, "rank").first, static_cast<double>(i + 1));
  }
  EXPECT_TRUE(has_note(cells, "“without plan” is saturated at very_easy"));
  EXPECT_FALSE(has_note(cells, "saturated at medium"));
}

TEST(ScaleTables, judge_saturation_by_simulated_models_only_where_there_are_no_others) {
  Rows rows;
  for (const auto& [model, of_ten] : {std::pair("real", 5U), std::pair("sim", 10U)}) {
    rows.cell(model, {"scale"}, "baseline").simulated = model == std::string("sim");
    rows.trials([&](std::uint32_t task) { return task % 10 < of_ten; });
  }
  const auto mixed = rows.tables();
  EXPECT_EQ(value_of(table_of(mixed, "scale/cells"), 0, "rank").first, 1);
  EXPECT_EQ(value_of(table_of(mixed, "scale/cells"), 1, "rank").kind, Value::Kind::none);
  rows.rows.cells[0].factors.simulated = true;
  const auto simulated = rows.tables();
  EXPECT_TRUE(has_note(table_of(simulated, "scale/cells"), "“without plan” is saturated at easy"));
}

/// Cells of a scale scenario whose models succeed equally often at each difficulty, whatever their
/// size, in tasks of their own.
void add_alike(Rows& rows, const char* model, double size) {
  rows.declared.models[model] = {.family = "q", .size_b = size};
  for (const auto& [difficulty, of_ten] : {std::pair("easy", 8U), std::pair("medium", 3U)}) {
    rows.cell(model, {"scale"}, "baseline").difficulty = difficulty;
    const auto shift = static_cast<std::uint32_t>(size);
    rows.trials([&](std::uint32_t task) { return (task + shift) % 10 < of_ten; });
  }
}

TEST(ScaleTables, fit_on_the_trials_that_every_cell_has_scored) {
  Rows rows;
  add_alike(rows, "q-03", 3);
  add_alike(rows, "q-14", 14);
  // The smaller model lost most of its medium trials, which are the harder ones.
  rows.rows.cells[1].row_count = 10;
  const auto tables = rows.tables();
  const ResultTable& slopes = table_of(tables, "scale/slopes");
  EXPECT_EQ(value_of(slopes, 0, "difficulty").text, "all");
  EXPECT_EQ(value_of(slopes, 0, "tasks").first, 10);
  EXPECT_EQ(value_of(slopes, 0, "n").first, 40);
  EXPECT_EQ(value_of(slopes, 0, "slope").kind, Value::Kind::number);
  EXPECT_NEAR(value_of(slopes, 0, "slope").first, 0, 1e-9);
}

TEST(ScaleTables, leave_a_model_without_one_of_the_difficulties_out_of_the_common_fit) {
  Rows rows;
  add_alike(rows, "q-03", 3);
  add_alike(rows, "q-14", 14);
  add_alike(rows, "q-72", 72);
  rows.rows.cells[5].row_count = 0;
  const auto tables = rows.tables();
  const ResultTable& slopes = table_of(tables, "scale/slopes");
  EXPECT_EQ(value_of(slopes, 0, "models").first, 2);
  EXPECT_EQ(value_of(slopes, 0, "slope").kind, Value::Kind::number);
  EXPECT_NEAR(value_of(slopes, 0, "slope").first, 0, 1e-9);
  EXPECT_EQ(value_of(slopes, 1, "difficulty").text, "easy");
  EXPECT_EQ(value_of(slopes, 1, "models").first, 3);
}

TEST(ScaleTables, never_pool_simulated_models_with_others) {
  Rows rows;
  add_alike(rows, "q-03", 3);
  add_alike(rows, "q-14", 14);
  rows.declared.models["sim"] = {.family = "q", .size_b = 72};
  for (const char* difficulty : {"easy", "medium"}) {
    CellFactors& factors = rows.cell("sim", {"scale"}, "baseline");
    factors.difficulty = difficulty;
    factors.simulated = true;
    rows.trials([](std::uint32_t) { return true; });
  }
  const auto mixed = rows.tables();
  const ResultTable& slopes = table_of(mixed, "scale/slopes");
  EXPECT_EQ(value_of(slopes, 0, "models").first, 2);
  EXPECT_EQ(value_of(slopes, 0, "slope").kind, Value::Kind::number);
  EXPECT_NEAR(value_of(slopes, 0, "slope").first, 0, 1e-9);
  EXPECT_FALSE(has_mark(slopes.rows[0], "simulated"));
  const ResultTable& pairs = table_of(mixed, "scale/comparisons");
  ASSERT_EQ(pairs.rows.size(), 2U);
  EXPECT_EQ(value_of(pairs, 1, "pairs").first, 80);
  EXPECT_FALSE(has_mark(pairs.rows[1], "simulated"));
  for (PlannedCell& cell : rows.rows.cells) {
    cell.factors.simulated = true;
  }
  const auto simulated = rows.tables();
  const ResultTable& marked = table_of(simulated, "scale/slopes");
  EXPECT_EQ(value_of(marked, 0, "models").first, 3);
  EXPECT_TRUE(has_mark(marked.rows[0], "simulated"));
  for (const Row& row : table_of(simulated, "scale/comparisons").rows) {
    EXPECT_TRUE(has_mark(row, "simulated"));
  }
}

TEST(Comparisons, with_simulated_models_are_marked_and_a_family_of_their_own) {
  Rows rows;
  for (const auto& [model, of_ten] : {std::pair("a", 2U), std::pair("b", 5U), std::pair("s", 6U)}) {
    rows.cell(model, {"baseline"}).simulated = model == std::string("s");
    rows.trials([&](std::uint32_t task) { return task % 10 < of_ten; });
  }
  const auto tables = rows.tables();
  const ResultTable& table = table_of(tables, "baseline/comparisons");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_FALSE(has_mark(table.rows[0], "simulated"));
  EXPECT_TRUE(has_mark(table.rows[1], "simulated"));
  EXPECT_EQ(value_of(table, 0, "p_holm").first, value_of(table, 0, "p").first);
}

TEST(ScaleTables, say_when_a_slope_cannot_be_estimated) {
  Rows rows;
  rows.declared.models["q"] = {.family = "q", .size_b = 7};
  rows.cell("q", {"scale"});
  rows.trials([](std::uint32_t task) { return task % 2 == 0; });
  const auto tables = rows.tables();
  EXPECT_EQ(value_of(table_of(tables, "scale/slopes"), 0, "slope").text, "not estimable");
}

TEST(FlawedTables, compare_each_flaw_with_the_right_plan_and_with_none) {
  Rows rows;
  rows.cell("a", {"baseline"});
  rows.trials([](std::uint32_t) { return true; });
  rows.cell("a", {"prompts"}, "baseline");
  rows.trials([](std::uint32_t task) { return task % 10 < 6; });
  for (const char* flaw : {"missing_step", "tool_misuse"}) {
    rows.cell("a", {"flawed"}, std::string("flawed_") + flaw);
    rows.trials([](std::uint32_t task) { return task % 10 < 4; });
    for (std::size_t i = 0; i < 40; ++i) {
      TrialRow& row = rows.rows.rows[rows.rows.rows.size() - 40 + i];
      row.obedience = ObedienceCounts{.flawed = 2, .followed = static_cast<std::int32_t>(i % 2)};
    }
  }
  const auto tables = rows.tables();
  const ResultTable& table = table_of(tables, "flawed/comparisons");
  ASSERT_EQ(table.rows.size(), 4U);
  EXPECT_EQ(value_of(table, 0, "family").text, "flawed/right_plan");
  EXPECT_NEAR(value_of(table, 0, "difference").first, -0.6, 1e-12);
  EXPECT_EQ(value_of(table, 1, "family").text, "flawed/no_plan");
  EXPECT_NEAR(value_of(table, 1, "difference").first, -0.2, 1e-12);
  EXPECT_NEAR(
      value_of(table, 1, "p_holm").first, std::min(1.0, 2 * value_of(table, 1, "p").first), 1e-12);
  const ResultTable& obedience = table_of(tables, "flawed/obedience");
  ASSERT_EQ(obedience.rows.size(), 2U);
  EXPECT_DOUBLE_EQ(value_of(obedience, 0, "obedience").first, 0.25);
  EXPECT_DOUBLE_EQ(value_of(obedience, 0, "resistance").first, 0.5);
  // One type followed nothing, the other everything.
  const stats::StratumCount types[] = {{.successes = 20, .n = 20}, {.successes = 0, .n = 20}};
  const Value& resistance = value_of(obedience, 0, "resistance_interval");
  EXPECT_DOUBLE_EQ(resistance.first, stats::stratified_score(types).low);
  EXPECT_DOUBLE_EQ(resistance.second, stats::stratified_score(types).high);
  EXPECT_EQ(value_of(obedience, 0, "recovery_n").first, 20);
  // Of the odd tasks those with last digit 1 or 3 succeed.
  EXPECT_DOUBLE_EQ(value_of(obedience, 0, "recovery").first, 0.4);
}

TEST(ReliabilityTables, compare_rates_with_the_shared_cell_and_split_retries) {
  Rows rows;
  rows.cell("a", {"baseline", "reliability"});
  rows.trials([](std::uint32_t task) { return task % 10 < 8; });
  for (const auto& [rate, of_ten] : {std::pair(0.9, 9U), std::pair(0.7, 6U), std::pair(0.6, 4U)}) {
    rows.cell("a", {"reliability"}).tool_success_rate = rate;
    rows.trials([&](std::uint32_t task) { return task % 10 < of_ten; });
    for (std::size_t i = 0; i < 40; ++i) {
      rows.rows.rows[rows.rows.rows.size() - 40 + i].retry =
          RetryCounts{.same_call = 1, .other_arguments = i % 2 == 0 ? 1 : 0};
    }
  }
  const auto tables = rows.tables();
  const ResultTable& cells = table_of(tables, "reliability/cells");
  ASSERT_EQ(cells.rows.size(), 4U);
  EXPECT_EQ(value_of(cells, 0, "tool_success_rate").text, "0.9");
  EXPECT_EQ(value_of(cells, 1, "tool_success_rate").text, "0.8");
  EXPECT_TRUE(has_mark(cells.rows[1], "shared with baseline"));
  EXPECT_DOUBLE_EQ(value_of(cells, 3, "realised").first, 0.8);
  EXPECT_DOUBLE_EQ(value_of(cells, 3, "calls_per_success").first, 15);
  const ResultTable& table = table_of(tables, "reliability/comparisons");
  ASSERT_EQ(table.rows.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(value_of(table, i, "second").text, "0.8");
  }
  const ResultTable& retry = table_of(tables, "reliability/retry");
  ASSERT_EQ(retry.rows.size(), 3U);
  EXPECT_EQ(value_of(retry, 0, "failures").first, 60);
  EXPECT_NEAR(value_of(retry, 0, "same_call").first, 2.0 / 3, 1e-12);
  EXPECT_LT(value_of(retry, 0, "same_call_interval").first, 2.0 / 3);
  EXPECT_DOUBLE_EQ(value_of(retry, 0, "no_further_call").first, 0);
}

TEST(PromptsTables, show_benefits_as_paired_differences_and_the_deviation_last) {
  Rows rows;
  rows.cell("a", {"baseline", "prompts"});
  rows.trials([](std::uint32_t task) { return task % 10 < 9; });
  rows.cell("a", {"prompts"}, "baseline");
  rows.trials([](std::uint32_t task) { return task % 10 < 5; });
  rows.cell("a", {"prompts"}, "cot");
  rows.trials([](std::uint32_t task) { return task % 10 < 7; });
  const auto tables = rows.tables();
  EXPECT_EQ(table_of(tables, "prompts/comparisons").rows.size(), 2U);
  const ResultTable& benefits = table_of(tables, "prompts/benefits");
  ASSERT_EQ(benefits.rows.size(), 1U);
  EXPECT_NEAR(value_of(benefits, 0, "plan_benefit").first, 0.4, 1e-12);
  EXPECT_NEAR(value_of(benefits, 0, "cot_benefit").first, 0.2, 1e-12);
  EXPECT_EQ(benefits.columns.back().key, "style_deviation");
  EXPECT_NEAR(value_of(benefits, 0, "style_deviation").first, 20, 1e-9);
}

TEST(PromptsTables, take_the_deviation_over_styles_on_common_trials) {
  Rows rows;
  rows.cell("a", {"prompts"});
  rows.trials([](std::uint32_t task) { return task < 10; });
  rows.cell("a", {"prompts"}, "baseline");
  rows.trials([](std::uint32_t task) { return task < 10; });
  rows.rows.cells[0].row_count = 10;  // the others, all failures, are lost
  const auto tables = rows.tables();
  const ResultTable& benefits = table_of(tables, "prompts/benefits");
  EXPECT_EQ(value_of(benefits, 0, "style_trials").first, 10);
  EXPECT_NEAR(value_of(benefits, 0, "style_deviation").first, 0, 1e-12);
}

TEST(ScenarioTables, keep_native_cells_apart) {
  Rows rows;
  rows.cell("a", {"baseline"});
  rows.trials([](std::uint32_t) { return true; });
  rows.cell("b", {"baseline"}).protocol = "native";
  rows.trials([](std::uint32_t) { return true; });
  const auto tables = rows.tables();
  EXPECT_EQ(table_of(tables, "baseline/models").rows.size(), 1U);
  EXPECT_EQ(table_of(tables, "baseline/models/native").rows.size(), 1U);
  EXPECT_TRUE(std::ranges::none_of(tables, [](const ResultTable& table) {
    return table.id.find("comparisons") != std::string::npos && !table.rows.empty();
  }));
}

TEST(ScenarioTables, show_scripted_agents_as_rows_of_their_own) {
  Rows rows;
  add_models(rows);
  ReferenceRates perfect{.agent = "perfect", .by_setting = {}};
  perfect.by_setting[setting_of(rows.rows.cells[0].factors)].all = {.n = 40, .successes = 40};
  perfect.by_setting[setting_of(rows.rows.cells[1].factors)].all = {.n = 40, .successes = 38};
  const auto tables = rows.tables({perfect});
  const ResultTable& models = table_of(tables, "baseline/models");
  ASSERT_EQ(models.rows.size(), 3U);
  EXPECT_EQ(value_of(models, 2, "model").text, "perfect");
  EXPECT_TRUE(has_mark(models.rows[2], "scripted"));
  EXPECT_DOUBLE_EQ(value_of(models, 2, "with_plan_success").first, 1);
  EXPECT_DOUBLE_EQ(value_of(models, 2, "without_plan_success").first, 0.95);
  EXPECT_EQ(value_of(models, 2, "rank").kind, Value::Kind::none);
  const ResultTable& prompts = table_of(tables, "prompts/cells");
  ASSERT_EQ(prompts.rows.size(), 6U);
  EXPECT_EQ(value_of(prompts, 5, "prompt").text, "baseline");
  EXPECT_DOUBLE_EQ(value_of(prompts, 5, "success").first, 0.95);
}

TEST(ScenarioTables, show_scripted_agents_by_task_type) {
  Rows rows;
  add_models(rows);
  ReferenceRates copier{.agent = "plan_copier", .by_setting = {}};
  copier.by_setting[setting_of(rows.rows.cells[0].factors)].by_type = {
      {"basic_task", {.n = 20, .successes = 19}}, {"simple_task", {.n = 20, .successes = 20}}};
  copier.by_setting[setting_of(rows.rows.cells[1].factors)].by_type = {
      {"basic_task", {.n = 20, .successes = 0}}};
  const auto tables = rows.tables({copier});
  const ResultTable& types = table_of(tables, "baseline/task_types");
  ASSERT_EQ(types.rows.size(), 6U);
  EXPECT_TRUE(has_mark(types.rows[4], "scripted"));
  EXPECT_EQ(value_of(types, 4, "task_type").text, "basic_task");
  EXPECT_DOUBLE_EQ(value_of(types, 4, "with_plan_success").first, 0.95);
  EXPECT_EQ(value_of(types, 4, "without_plan_success").kind, Value::Kind::share);
  EXPECT_EQ(value_of(types, 5, "without_plan_success").kind, Value::Kind::none);
}

TEST(ScenarioTables, mark_incomplete_and_shared_cells_in_every_table) {
  Rows rows;
  rows.cell("a", {"baseline", "flawed", "prompts", "reliability"});
  rows.trials([](std::uint32_t) { return true; });
  for (TrialRow& row : rows.rows.rows) {
    row.retry = RetryCounts{.same_call = 1};
    row.obedience = ObedienceCounts{.flawed = 1, .followed = 1};
  }
  rows.rows.cells[0].row_count = 30;
  rows.rows.cells[0].lost["throttled"] = 10;
  const auto tables = rows.tables();
  const std::string incomplete =
      "incomplete (success if all lost failed – succeeded: 75.0–100.0 %)";
  for (const auto& [id, name, others] :
       {std::tuple("baseline/task_types", "with plan ", "flawed and prompts and reliability"),
        std::tuple("flawed/obedience", "", "baseline and prompts and reliability"),
        std::tuple("reliability/retry", "", "baseline and flawed and prompts"),
        std::tuple("prompts/benefits", "optimal ", "baseline and flawed and reliability")}) {
    const ResultTable& table = table_of(tables, id);
    ASSERT_FALSE(table.rows.empty()) << id;
    EXPECT_TRUE(has_mark(table.rows[0], name + incomplete)) << id;
    EXPECT_TRUE(has_mark(table.rows[0], fmt::format("{}shared with {}", name, others))) << id;
  }
}

TEST(ResultTable, has_one_value_per_column_and_prints_none_that_are_empty) {
  Rows rows;
  add_models(rows);
  for (const ResultTable& table : rows.tables()) {
    for (const Row& row : table.rows) {
      EXPECT_EQ(row.values.size(), table.columns.size()) << table.id;
    }
    EXPECT_EQ(to_text(table).find("all lost failed"), std::string::npos) << table.id;
  }
}

/// The tables of a run whose cells and trials were written in the order of `random`.
std::vector<ResultTable> tables_of_shuffled_run(base::RandomStream& random) {
  struct Trial {
    base::Digest cell;
    std::string task;
    bool success = false;
  };

  TestRun run;
  std::vector<std::tuple<std::string, std::string, std::string>> cells;
  for (const char* model : {"a", "b"}) {
    cells.emplace_back(model, "optimal", "baseline,prompts");
    cells.emplace_back(model, "baseline", "prompts");
    cells.emplace_back(model, "cot", "prompts");
  }
  random.shuffle(std::span(cells));
  std::vector<Trial> trials;
  for (const auto& [model, prompt, scenarios] : cells) {
    const base::Digest cell = run.cell(model, prompt, scenarios, 12);
    for (int i = 0; i < 12; ++i) {
      const std::string task =
          fmt::format("{}-{:02}", i % 2 == 0 ? "basic_task" : "simple_task", i / 2);
      const base::Digest luck = base::digest_of(model + prompt + task);
      trials.push_back({.cell = cell, .task = task, .success = luck.bytes[0] % 3 != 0});
    }
  }
  random.shuffle(std::span(trials));
  for (const Trial& trial : trials) {
    run.scored(trial.cell, trial.task, trial.success);
  }
  const auto reader = run.reader();
  const auto rows = read_rows(*reader).value();
  const auto summary = summarize(*reader, rows).value();
  Declared declared;
  declared.all_pairs = true;
  return scenario_tables({.rows = &rows, .summary = &summary, .declared = &declared, .agents = {}});
}

TEST(ResultTable, has_the_same_bytes_whatever_the_order_of_cells_and_trials) {
  base::RandomStream random(base::digest_of("order"));
  const auto first = tables_of_shuffled_run(random);
  ASSERT_EQ(first.size(), 6U);
  for (int order = 0; order < 2; ++order) {
    const auto other = tables_of_shuffled_run(random);
    ASSERT_EQ(other.size(), first.size());
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(json::to_text(to_json(first[i])), json::to_text(to_json(other[i])));
    }
  }
}

}  // namespace
}  // namespace sortie::analysis
