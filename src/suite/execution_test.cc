#include "sortie/suite/execution.h"

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/example_task.h"
#include "sortie/suite/world.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::suite {

TEST(Execution, only_an_object_with_one_step_is_a_reference) {
  EXPECT_EQ(step_reference(make_reference(3)), 3);
  EXPECT_EQ(step_reference(parsed_object(R"({"$step": 0})")), 0);
  EXPECT_EQ(step_reference(parsed_object(R"({"$step": -1})")), -1);
  EXPECT_EQ(step_reference(parsed_object(R"({"$step": "1"})")), -1);
  EXPECT_EQ(step_reference(parsed_object(R"({"$step": 1, "x": 2})")), -1);
  EXPECT_EQ(step_reference(json::Value("$step")), -1);
}

TEST(Execution, references_become_handles_and_gaps_become_handles_that_nobody_knows) {
  const Step step{.tool = "t",
                  .arguments = parsed_object(
                      R"({"a": {"$step": 0}, "b": {"$step": 1}, "c": {"$step": 7}, "d": 5})"),
                  .reason = ""};
  const std::vector<std::string> artifacts = {"raw#1", ""};
  EXPECT_EQ(json::canonical(bound_arguments(step, artifacts)),
            R"({"a":"raw#1","b":"step-2","c":"step-8","d":5})");
}

TEST(Execution, a_plan_runs_once_in_the_order_shown) {
  const ToolCatalog catalog = ToolCatalog::pilot();
  const Task task = example_task(catalog);
  const Execution right = execute_literally(catalog, task, task.plan);
  EXPECT_TRUE(right.world.goal_met());
  EXPECT_EQ(right.calls_ok(), 5U);

  const std::vector<Step> backwards(task.plan.rbegin(), task.plan.rend());
  const Execution wrong = execute_literally(catalog, task, backwards);
  EXPECT_EQ(wrong.world.calls().size(), 5U);
  EXPECT_EQ(wrong.calls_ok(), 1U);
  EXPECT_FALSE(wrong.world.goal_met());
}

}  // namespace sortie::suite
