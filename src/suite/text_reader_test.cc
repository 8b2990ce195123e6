#include "sortie/suite/text_reader.h"

#include "sortie/suite/catalog.h"
#include "sortie/suite/plan_draft.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

constexpr std::string_view kChain =
    "First, read results/a.b.csv. Then parse it as csv. Next, filter for rows with amount >= 2.5. "
    "Finally, write it to out/x.csv.";

class TextReader : public ::testing::Test {
 protected:
  [[nodiscard]] std::string tools_in(std::string_view text,
                                     Difficulty difficulty = Difficulty::easy) const {
    const auto steps = read_text(catalog_, text, difficulty);
    if (!steps) {
      return "unreadable";
    }
    std::string out;
    for (const Step& step : *steps) {
      out += step.tool + " " + json::to_text(step.arguments) + "\n";
    }
    return out;
  }

  ToolCatalog catalog_ = ToolCatalog::pilot();
};

}  // namespace

TEST_F(TextReader, gets_the_goal_of_every_task_back_from_every_text) {
  const auto suite = Suite::pilot();
  ASSERT_TRUE(suite);
  for (const Task& task : suite->tasks()) {
    for (const Difficulty difficulty : kDifficulties) {
      const auto steps = read_text(suite->catalog(), task.text(difficulty), difficulty);
      ASSERT_TRUE(steps) << task.id << ": " << task.text(difficulty);
      EXPECT_TRUE(same_goal(suite->catalog(), goal_of(suite->catalog(), *steps), task.goal))
          << task.id << ": " << task.text(difficulty);
    }
  }
}

TEST_F(TextReader, reads_a_chain_with_typed_values_and_the_steps_they_work_on) {
  EXPECT_EQ(tools_in(kChain),
            "file_operations_reader {\"path\":\"results/a.b.csv\"}\n"
            "data_processing_parser {\"source\":{\"$step\":0},\"format\":\"csv\"}\n"
            "data_processing_filter {\"source\":{\"$step\":1},\"field\":\"amount\","
            "\"operator\":\">=\",\"value\":2.5}\n"
            "file_operations_writer {\"source\":{\"$step\":2},\"path\":\"out/x.csv\"}\n");
}

TEST_F(TextReader, reads_two_strands_that_join) {
  EXPECT_EQ(tools_in("Follow two strands. On the first strand, read a.csv. Then parse it as csv. "
                     "On the second strand, read b.csv. Next, parse it as csv. Both strands meet "
                     "here: calculate the total of amount. Finally, write it to c.csv."),
            "file_operations_reader {\"path\":\"a.csv\"}\n"
            "data_processing_parser {\"source\":{\"$step\":0},\"format\":\"csv\"}\n"
            "file_operations_reader {\"path\":\"b.csv\"}\n"
            "data_processing_parser {\"source\":{\"$step\":2},\"format\":\"csv\"}\n"
            "computation_calculator {\"source\":{\"$step\":1},\"measure\":\"total\","
            "\"field\":\"amount\",\"compared_to\":{\"$step\":3}}\n"
            "file_operations_writer {\"source\":{\"$step\":4},\"path\":\"c.csv\"}\n");
}

TEST_F(TextReader, reads_names_and_arguments_where_the_text_gives_them) {
  EXPECT_EQ(tools_in("First, use network_monitor with url = https://a.example, metric = requests, "
                     "minutes = 45. Finally, call utility_cache with key = 7-up, minutes = 30.",
                     Difficulty::very_easy),
            "network_monitor {\"url\":\"https://a.example\",\"metric\":\"requests\","
            "\"minutes\":45}\n"
            "utility_cache {\"source\":{\"$step\":0},\"key\":\"7-up\",\"minutes\":30}\n");
}

TEST_F(TextReader, a_text_of_another_level_is_not_understood) {
  for (const Difficulty difficulty : kDifficulties) {
    EXPECT_EQ(tools_in(kChain, difficulty) != "unreadable", difficulty == Difficulty::easy);
  }
}

TEST_F(TextReader, skips_asides_at_very_hard_only) {
  const std::string aside = "There was a fire drill in the middle of the discussion.";
  const std::string text = "For background, our source for this is https://a.example. " + aside +
                           " Ultimately, the agreed form is json. " + aside;
  EXPECT_NE(tools_in(text, Difficulty::very_hard), "unreadable");
  EXPECT_EQ(tools_in(text, Difficulty::hard), "unreadable");
}

TEST_F(TextReader, what_is_not_of_the_lexicon_is_not_understood) {
  for (const std::string_view text :
       {"",
        "First, read a.csv.",                                    // no end
        "Finally, read a.csv.",                                  // no beginning
        "First, read a.csv. Finally, parse it as csv",           // no full stop
        "First, read a.csv. Finally, parse it as csv. ",         // a sentence is missing
        "First, read a.csv. Finally, parse it as csv. And go.",  // an unknown one
        "First, read a.csv. Finally, parse it as png.",          // no such format
        "First, read a.csv. Finally, read b.csv.",               // takes no result
        "First, read a.csv. Finally, route it to .",             // no value
        "First, monitor cpu_load of https://a.example for 4 minutes. Finally, analyze its "
        "trend.",  // too few minutes
        "Follow two strands. On the first strand, read a.csv. Finally, parse it as csv."}) {
    EXPECT_EQ(tools_in(text), "unreadable") << text;
  }
  EXPECT_EQ(tools_in("First, use network_router with region = eu-west, region = eu-west. Finally, "
                     "use utility_tracker with prefix = INV.",
                     Difficulty::very_easy),
            "unreadable");
}

TEST_F(TextReader, goals_are_compared_without_regard_to_order) {
  const auto suite = Suite::pilot();
  ASSERT_TRUE(suite);
  const Task& task = *suite->find("multi_stage_pipeline-001");
  const Goal& goal = task.goal;
  Goal swapped = goal;
  std::swap(swapped.required[0], swapped.required[1]);
  EXPECT_TRUE(same_goal(catalog_, goal, swapped));
  Goal shorter = goal;
  shorter.required.pop_back();
  EXPECT_FALSE(same_goal(catalog_, goal, shorter));
  Goal other = goal;
  other.required[2].values["focus"] = "outliers";
  EXPECT_FALSE(same_goal(catalog_, goal, other));
  Goal fed = goal;
  fed.required[3].inputs = {1};
  EXPECT_FALSE(same_goal(catalog_, goal, fed));
}

}  // namespace sortie::suite
