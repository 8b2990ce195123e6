#include "sortie/suite/suite_text.h"

#include "sortie/suite/own_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

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
