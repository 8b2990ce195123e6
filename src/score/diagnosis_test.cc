#include "sortie/score/diagnosis.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::score {
namespace {

using Counts = std::map<std::string, std::size_t>;

TrialRow failed(std::string trial, std::string label, std::string end, int turns) {
  const bool silent = label == "no_command";
  return {.trial = std::move(trial),
          .outcome = "scored",
          .success = false,
          .end = std::move(end),
          .label = std::move(label),
          .turns = turns,
          .turns_repaired = 1,
          .turns_not_understood = turns - 1,
          .calls = silent ? 0 : 2,
          .served_models = {"m-1", "m-1"}};
}

TrialRow succeeded(std::string trial) {
  TrialRow row = failed(std::move(trial), "none", "finish", 4);
  row.success = true;
  row.calls = 3;
  return row;
}

TrialRow lost(std::string trial, std::string outcome) {
  return {.trial = std::move(trial),
          .outcome = std::move(outcome),
          .success = false,
          .end = {},
          .label = {},
          .turns = 3,
          .turns_repaired = 3,
          .turns_not_understood = 0,
          .calls = 0,
          .served_models = {"m-2"}};
}

TEST(Diagnosis, is_for_cells_at_zero_or_one_hundred_percent_alone) {
  EXPECT_FALSE(diagnose({}).has_value());
  EXPECT_FALSE(diagnose(std::vector{lost("1", "throttled")}).has_value());
  EXPECT_FALSE(diagnose(std::vector{succeeded("1"), failed("2", "loop", "loop", 5)}).has_value());
  EXPECT_TRUE(diagnose(std::vector{succeeded("1")})->all_succeeded);
  EXPECT_FALSE(diagnose(std::vector{failed("2", "loop", "loop", 5)})->all_succeeded);
}

TEST(Diagnosis, counts_what_was_scored_and_lists_what_was_lost) {
  const auto found = diagnose(std::vector{failed("1", "no_command", "max_turns", 30),
                                          failed("2", "no_command", "max_turns", 30),
                                          failed("3", "loop", "loop", 10),
                                          lost("4", "throttled"),
                                          lost("5", "")});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->scored, 3U);
  EXPECT_EQ(found->turns, 70U);
  EXPECT_EQ(found->turns_repaired, 3U);
  EXPECT_EQ(found->without_calls, 2U);
  EXPECT_EQ(found->turns_not_understood, 67U);
  EXPECT_EQ(found->ends, (Counts{{"loop", 1}, {"max_turns", 2}}));
  EXPECT_EQ(found->labels, (Counts{{"loop", 1}, {"no_command", 2}}));
  EXPECT_EQ(found->losses, (Counts{{"throttled", 1}}));
  EXPECT_EQ(found->served_models, (Counts{{"m-1", 3}, {"m-2", 2}}));
  EXPECT_EQ(found->transcripts, (std::vector<std::string>{"2", "3", "1"}));
}

TEST(Diagnosis, of_a_full_success_names_no_labels) {
  const auto found = diagnose(std::vector{succeeded("1")});
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->all_succeeded);
  EXPECT_EQ(found->turns, 4U);
  EXPECT_EQ(found->turns_repaired, 1U);
  EXPECT_EQ(found->turns_not_understood, 3U);
  EXPECT_EQ(found->ends, (Counts{{"finish", 1}}));
  EXPECT_TRUE(found->labels.empty());
  EXPECT_TRUE(found->losses.empty());
  EXPECT_EQ(found->transcripts, std::vector<std::string>{"1"});
}

TEST(Diagnosis, shows_different_kinds_of_trials_before_two_of_one_kind) {
  std::vector<TrialRow> cell;
  for (int i = 0; i < 10; ++i) {
    cell.push_back(failed(std::to_string(i), "loop", "loop", i + 1));
  }
  cell.push_back(failed("other", "early_finish", "finish", 3));
  const auto found = diagnose(cell);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->transcripts, (std::vector<std::string>{"5", "other", "4"}));
}

}  // namespace
}  // namespace sortie::score
