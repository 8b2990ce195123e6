#include "sortie/suite/suite_text.h"

#include "sortie/suite/own_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

/// Numbered tasks; the first `eligible` of them are marked so.
Suite own_suite(int count, int eligible = 0) {
  Suite suite("shop/1", own_catalog());
  for (int i = 0; i < count; ++i) {
    Task task =
        own_task(suite.catalog(), changed(kOwnTask, "refund-1", fmt::format("refund-{}", i)));
    task.eligible = i < eligible;
    task.hash = content_hash(task);
    EXPECT_TRUE(suite.add_task(std::move(task)));
  }
  return suite;
}

}  // namespace

TEST(SuiteText, holds_the_whole_suite) {
  const Suite suite = own_suite(3);
  const auto again = suite_from_text("manifest", suite_text(suite));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->name(), "shop/1");
  EXPECT_EQ(again->catalog().version(), suite.catalog().version());
  ASSERT_EQ(again->tasks().size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again->tasks()[i].id, suite.tasks()[i].id);
    EXPECT_EQ(again->tasks()[i].hash, suite.tasks()[i].hash);
  }
  EXPECT_EQ(suite_text(*again), suite_text(suite));
}

TEST(SuiteText, keeps_which_levels_people_have_reviewed) {
  Suite suite = own_suite(1);
  EXPECT_EQ(suite_from_text("manifest", suite_text(suite))->reviewed(), std::set<Difficulty>());
  suite.set_reviewed({Difficulty::easy, Difficulty::hard});
  const std::string text = suite_text(suite);
  EXPECT_EQ(suite_from_text("manifest", text)->reviewed(), suite.reviewed());
  const auto damaged = suite_from_text("manifest", changed(text, "[\"easy\"", "[\"esay\""));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().message,
            "manifest: 'reviewed' has to be a list of levels, such as easy");
}

TEST(UserSuite, has_levels_not_reviewed_by_people_where_it_has_texts_and_nobody_says_otherwise) {
  Suite suite = own_suite(2);
  EXPECT_EQ(suite.texts(Difficulty::easy), 2U);
  EXPECT_EQ(suite.texts(Difficulty::hard), 0U);
  EXPECT_EQ(not_reviewed(suite), std::vector<Difficulty>{Difficulty::easy});
  suite.set_reviewed({Difficulty::easy});
  EXPECT_EQ(not_reviewed(suite), std::vector<Difficulty>());
  const auto pilot = Suite::pilot();
  ASSERT_TRUE(pilot);
  EXPECT_EQ(not_reviewed(*pilot).size(), 5U);
}

TEST(UserSuite, has_another_version_with_another_task_tool_or_name) {
  const Suite suite = own_suite(2);
  EXPECT_EQ(own_suite(2).version(), suite.version());
  EXPECT_NE(own_suite(3).version(), suite.version());
  EXPECT_NE(own_suite(2, 1).version(), suite.version());
  EXPECT_NE(Suite("shop/2", own_catalog()).version(), Suite("shop/1", own_catalog()).version());
  EXPECT_NE(Suite("shop/1", own_catalog(changed(kOwnTools, "Pays an", "Pays one"))).version(),
            Suite("shop/1", own_catalog()).version());
  // Who reads its texts changes no result.
  Suite read = own_suite(2);
  read.set_reviewed({Difficulty::easy});
  EXPECT_EQ(read.version(), suite.version());
}

TEST(SuiteText, says_what_is_wrong_with_a_text_that_was_tampered_with) {
  const std::string text = suite_text(own_suite(1));
  EXPECT_FALSE(suite_from_text("manifest", text.substr(1)));
  const auto damaged =
      suite_from_text("manifest", changed(text, "\"kind\":\"order\"", "\"kind\":7"));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().message.substr(0, 10), "manifest: ");
}

TEST(UserSuite, has_no_two_tasks_of_one_id) {
  Suite suite = own_suite(1);
  EXPECT_FALSE(suite.add_task(suite.tasks().front()));
}

TEST(UserSuite, offers_all_its_tasks_and_draws_the_eligible_ones_first) {
  const Suite suite = own_suite(12, 5);
  EXPECT_EQ(suite.eligible(TaskType::simple_task), 5U);
  EXPECT_EQ(suite.available(TaskType::simple_task), 12U);
  EXPECT_EQ(suite.available(TaskType::basic_task), 0U);
  const auto drawn = suite.draw(7, TaskType::simple_task, 12);
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    EXPECT_EQ(suite.tasks()[drawn[i]].eligible, i < 5) << i;
  }
  const auto fewer = suite.draw(7, TaskType::simple_task, 7);
  EXPECT_EQ(fewer, std::vector<std::size_t>(drawn.begin(), drawn.begin() + 7));
}

TEST(UserSuite, the_built_in_one_offers_its_eligible_tasks) {
  const auto pilot = Suite::pilot();
  ASSERT_TRUE(pilot);
  EXPECT_TRUE(pilot->built_in());
  EXPECT_FALSE(own_suite(1).built_in());
  for (const TaskType type : kTaskTypes) {
    EXPECT_EQ(pilot->available(type), pilot->eligible(type));
  }
}

}  // namespace sortie::suite
