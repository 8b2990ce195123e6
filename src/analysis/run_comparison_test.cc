#include "sortie/analysis/run_comparison.h"

#include "sortie/analysis/test_run.h"
#include "sortie/analysis/trial_rows.h"

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

RunRows rows_of(TestRun& run) {
  auto rows = read_rows(*run.reader());
  EXPECT_TRUE(rows.has_value()) << rows.error().message;
  return std::move(rows).value();
}

TEST(RunComparison, pairs_two_models_on_the_trials_that_both_have) {
  TestRun run;
  const auto a = run.cell("a", "optimal", "baseline", 20);
  const auto b = run.cell("b", "optimal", "baseline", 20);
  for (int i = 0; i < 12; ++i) {
    run.scored(a, "simple-" + std::to_string(i), i < 10);
    if (i != 11) {  // lost of b
      run.scored(b, "simple-" + std::to_string(i), i < 2);
    }
  }
  const RunRows rows = rows_of(run);
  const auto compared = compare_runs(rows, rows, {.factor = "model", .first = "a", .second = "b"});
  ASSERT_TRUE(compared.has_value()) << compared.error().message;
  ASSERT_EQ(compared->lines.size(), 1U);
  const ComparedLine& line = compared->lines[0];
  EXPECT_EQ(line.result.pairs, 11U);
  EXPECT_EQ(line.result.both, 2U);
  EXPECT_EQ(line.result.only_first, 8U);
  EXPECT_EQ(line.result.only_second, 0U);
  EXPECT_NEAR(line.result.p, 2.0 / 256, 1e-12);  // McNemar: 8 to 0
  EXPECT_EQ(line.better(), "first");
  EXPECT_TRUE(line.simulated);
  ASSERT_EQ(compared->disagreements.size(), 8U);
  EXPECT_TRUE(compared->disagreements[0].first_succeeded);
  EXPECT_NE(to_text(table_of(*compared)).find("McNemar, exact"), std::string::npos);
}

TEST(RunComparison, pairs_the_cells_of_two_runs_by_their_factors_and_tasks_by_their_names) {
  TestRun june;
  TestRun july;
  // The second run has one task more before the others, and knows another cell.
  const auto one = june.cell("m", "optimal", "baseline", 3);
  const auto two = july.cell("m", "optimal", "baseline", 3);
  july.scored(july.cell("m", "baseline", "prompts", 1), "simple-1", true);
  july.scored(two, "basic-1", true);
  for (const char* task : {"simple-1", "simple-2"}) {
    june.scored(one, task, true);
    july.scored(two, task, std::string(task) == "simple-1");
  }
  const auto compared = compare_runs(rows_of(june), rows_of(july), {});
  ASSERT_TRUE(compared.has_value()) << compared.error().message;
  ASSERT_EQ(compared->lines.size(), 1U);
  EXPECT_EQ(compared->lines[0].result.pairs, 2U);
  EXPECT_EQ(compared->lines[0].result.only_first, 1U);
  EXPECT_EQ(compared->lines[0].better(), "");
  EXPECT_EQ(compared->unpaired_first, 0U);
  EXPECT_EQ(compared->unpaired_second, 1U);
  ASSERT_EQ(compared->disagreements.size(), 1U);
  EXPECT_EQ(compared->disagreements[0].task, "simple-2");
}

TEST(RunComparison, corrects_over_its_lines_and_adds_one_over_all) {
  TestRun run;
  for (const char* prompt : {"optimal", "baseline", "cot"}) {
    const auto a = run.cell("a", prompt, "prompts", 10);
    const auto b = run.cell("b", prompt, "prompts", 10);
    for (int i = 0; i < 10; ++i) {
      run.scored(a, "simple-" + std::to_string(i), true);
      run.scored(b, "simple-" + std::to_string(i), i > 5);
    }
  }
  const RunRows rows = rows_of(run);
  const auto compared = compare_runs(rows, rows, {.factor = "model", .first = "a", .second = "b"});
  ASSERT_TRUE(compared.has_value()) << compared.error().message;
  ASSERT_EQ(compared->lines.size(), 4U);
  EXPECT_NEAR(compared->lines[0].result.p, 2.0 / 64, 1e-12);
  EXPECT_NEAR(compared->lines[0].p_holm, 6.0 / 64, 1e-12);
  EXPECT_EQ(compared->lines[0].better(), "");  // not after Holm
  EXPECT_EQ(compared->lines[3].result.pairs, 30U);
  EXPECT_FALSE(compared->lines[3].result.exact);  // its pairs share tasks
  EXPECT_EQ(compared->lines[3].p_holm, compared->lines[3].result.p);
}

TEST(RunComparison, speaks_every_language_and_changes_no_number) {
  TestRun run;
  for (const char* prompt : {"optimal", "baseline"}) {
    const auto a = run.cell("a", prompt, "prompts", 10);
    const auto b = run.cell("b", prompt, "prompts", 10);
    for (int i = 0; i < 10; ++i) {
      run.scored(a, "simple-" + std::to_string(i), true);
      run.scored(b, "simple-" + std::to_string(i), i > 7);
    }
  }
  run.scored(run.cell("a", "cot", "prompts", 1), "simple-1", true);
  const RunRows rows = rows_of(run);
  const auto compared = compare_runs(rows, rows, {.factor = "model", .first = "a", .second = "b"});
  ASSERT_TRUE(compared.has_value()) << compared.error().message;
  const ResultTable english = table_of(*compared);
  const ResultTable chinese = table_of(*compared, Language::chinese);
  EXPECT_NE(english.title, chinese.title);
  EXPECT_EQ(chinese.notes.size(), 2U);
  for (std::size_t i = 0; i < english.columns.size(); ++i) {
    EXPECT_EQ(english.columns[i].key, chinese.columns[i].key);
    EXPECT_TRUE(english.columns[i].title == "p" ||
                english.columns[i].title != chinese.columns[i].title)
        << english.columns[i].title;
  }
  ASSERT_EQ(english.rows.size(), 3U);
  ASSERT_EQ(chinese.rows.size(), 3U);
  for (std::size_t row = 0; row < english.rows.size(); ++row) {
    for (std::size_t i = 0; i < english.columns.size(); ++i) {
      const Value& here = english.rows[row].values[i];
      if (here.kind != Value::Kind::text) {
        EXPECT_EQ(to_text(here), to_text(chinese.rows[row].values[i]));
      }
    }
  }
  const std::string text = to_text(chinese);
  for (const char* word : {"first", "second", "all", "better", "bootstrap", "McNemar, exact"}) {
    EXPECT_EQ(text.find(word), std::string::npos) << word;
  }
  EXPECT_NE(text.find("optimal"), std::string::npos);  // a name
}

TEST(RunComparison, says_what_there_is_where_a_value_is_unknown) {
  TestRun run;
  run.scored(run.cell("model-a", "optimal", "baseline", 1), "simple-1", true);
  const RunRows rows = rows_of(run);
  const auto compared =
      compare_runs(rows, rows, {.factor = "model", .first = "model-a", .second = "model-b"});
  ASSERT_FALSE(compared.has_value());
  EXPECT_NE(compared.error().message.find("--model model-b: no cell has it"), std::string::npos);
  EXPECT_NE(compared.error().message.find("model-a"), std::string::npos);
}

}  // namespace
}  // namespace sortie::analysis
