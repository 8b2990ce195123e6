#include "sortie/suite/validator.h"

#include "sortie/suite/catalog.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::suite {

class Validator : public ::testing::Test {
 protected:
  void SetUp() override {
    auto suite = Suite::pilot();
    ASSERT_TRUE(suite) << suite.error().message;
    suite_ = std::move(*suite);
    task_ = *suite_.find("data_pipeline-010");
  }

  /// The rules that a changed task breaks, the hash taken anew.
  std::vector<std::string> broken() {
    task_.hash = content_hash(task_);
    std::vector<std::string> rules;
    for (const Finding& finding : validate_task(suite_.catalog(), task_)) {
      EXPECT_EQ(finding.task, task_.id);
      EXPECT_FALSE(finding.message.empty());
      rules.push_back(finding.rule);
    }
    std::ranges::sort(rules);
    const auto repeated = std::ranges::unique(rules);
    rules.erase(repeated.begin(), repeated.end());
    return rules;
  }

  Suite suite_;
  Task task_;
};

using Rules = std::vector<std::string>;

TEST_F(Validator, the_pilot_suite_has_no_finding) {
  for (const Finding& finding : validate(suite_)) {
    ADD_FAILURE() << finding.task << ": " << finding.rule << ": " << finding.message;
  }
}

TEST_F(Validator, a_plan_that_does_not_work_is_not_solvable) {
  task_.plan.back().arguments.erase(task_.plan.back().arguments.begin());
  const Rules rules = broken();
  EXPECT_NE(std::ranges::find(rules, "solvable"), rules.end());
}

TEST_F(Validator, a_goal_that_does_not_need_a_step_is_found) {
  // Only the source is asked for: everything after it is unnecessary.
  task_.goal.required.resize(1);
  task_.eligible = false;
  const Rules rules = broken();
  EXPECT_NE(std::ranges::find(rules, "necessary"), rules.end());
}

TEST_F(Validator, a_value_that_is_not_checked_is_found) {
  task_.goal.required.back().values.clear();
  task_.eligible = false;
  EXPECT_EQ(broken(), Rules{"necessary"});
}

TEST_F(Validator, a_value_missing_in_a_text_is_found) {
  task_.texts[static_cast<std::size_t>(Difficulty::hard)] = "We would like something to happen.";
  EXPECT_EQ(broken(), Rules{"verbatim"});
}

TEST_F(Validator, a_value_inside_a_longer_word_does_not_count) {
  Task task = task_;
  task.goal.required = {
      {.tool = task.plan[0].tool, .values = {{"path", "a/b.csv"}, {"n", 5}}, .inputs = {}}};
  EXPECT_EQ(masked_text(task, "take 5 from a/b.csv."), "take _ from _.");
  EXPECT_EQ(masked_text(task, "take 15 or 5.5 or x-5 from data/a/b.csv2"),
            "take 15 or 5.5 or x-5 from data/a/b.csv2");
}

TEST_F(Validator, a_tool_name_above_very_easy_is_found_and_so_is_its_absence_there) {
  const auto easy = static_cast<std::size_t>(Difficulty::easy);
  const std::string text = task_.texts[easy];
  task_.texts[easy] += " Use network_router.";
  EXPECT_EQ(broken(), Rules{"names"});
  task_.texts[easy] = text;
  task_.texts[static_cast<std::size_t>(Difficulty::very_easy)] = text;
  EXPECT_EQ(broken(), Rules{"names"});
}

TEST_F(Validator, a_stem_of_an_operation_from_medium_on_is_found) {
  task_.texts[static_cast<std::size_t>(Difficulty::medium)] += " Afterwards, validate it.";
  EXPECT_EQ(broken(), Rules{"vocabulary"});
}

TEST_F(Validator, a_stale_hash_is_found) {
  task_.hash = base::digest_of("other");
  const auto findings = validate_task(suite_.catalog(), task_);
  EXPECT_TRUE(std::ranges::any_of(findings, [](const Finding& f) { return f.rule == "hash"; }));
}

TEST_F(Validator, an_eligible_task_without_a_flaw_is_found) {
  // Two steps have no middle one to leave out.
  task_ = *suite_.find("simple_task-001");
  task_.plan.resize(2);
  task_.goal.required.resize(2);
  const auto findings = validate_task(suite_.catalog(), task_);
  EXPECT_TRUE(std::ranges::any_of(findings, [](const Finding& f) {
    return f.rule == "flaws" && f.message.find("missing_step") != std::string::npos;
  }));
}

TEST_F(Validator, twins_are_found) {
  Task twin = task_;
  twin.id = "data_pipeline-999";
  Suite suite("own/1", suite_.catalog());
  ASSERT_TRUE(suite.add_tasks("own.json", task_file_text("own/1", std::vector<Task>{task_, twin})));
  const auto findings = validate(suite);
  EXPECT_EQ(std::ranges::count_if(findings, [](const Finding& f) { return f.rule == "unique"; }),
            5);
}

TEST_F(Validator, every_tool_is_needed_in_two_types_or_more) {
  const auto counts = coverage(suite_);
  EXPECT_EQ(counts.size(), 30U);
}

}  // namespace sortie::suite
