#include "sortie/score/diagnosis.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::score {
namespace {

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
  EXPECT_EQ(found->line(),
            "0 of 3 succeeded: 4 % of 70 turns repaired, 96 % not understood, 2 trials without any "
            "call; ends: max_turns 2, loop 1; labels: no_command 2, loop 1; lost: throttled 1; "
            "served: m-1 3, m-2 2; look at trials 2, 3, 1");
}

TEST(Diagnosis, of_a_full_success_names_no_labels) {
  const auto found = diagnose(std::vector{succeeded("1")});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->line(),
            "1 of 1 succeeded: 25 % of 4 turns repaired, 75 % not understood, 0 trials without any "
            "call; ends: finish 1; lost: none; served: m-1 1; look at trial 1");
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
