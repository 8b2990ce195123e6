#include "sortie/suite/flaws.h"

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/example_task.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/own_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

std::vector<std::size_t> steps_of(const FlawedPlan& plan) {
  std::vector<std::size_t> out;
  for (const Place& place : plan.places) {
    out.push_back(place.step);
  }
  return out;
}

std::vector<std::string> tools_of(const std::vector<Step>& plan) {
  std::vector<std::string> out;
  for (const Step& step : plan) {
    out.push_back(step.tool);
  }
  return out;
}

/// A digest per flaw, over all tasks and severities: prompts of finished runs showed these plans.
constexpr std::string_view kFlawedOfPilot =
    R"(sequence_disorder 54ea49d97ade287fee9e4a28dd006076
tool_misuse 1131c491c61107266a27bc6c7d185acf
parameter_error 9400aa66a6aa5ee7caa4a3b4c9ee9c64
missing_step cdf8f4a732246469a284f676b6eb5124
redundant_operations 81271400e9143cffaa4dbf9bc8395cce
logical_inconsistency a03a6aa90e94680fce450e45da2c28c7
semantic_drift 4e77e481eacb48319bb3675e90e58d07
)";

}  // namespace

class Flaws : public ::testing::Test {
 protected:
  [[nodiscard]] FlawedPlan flawed(Flaw flaw, Severity severity) const {
    auto plan = flawed_plan(catalog_, task_, flaw, severity);
    EXPECT_TRUE(plan) << to_string(flaw) << " " << to_string(severity);
    return plan.value_or(FlawedPlan{});
  }

  ToolCatalog catalog_ = ToolCatalog::pilot();
  Task task_ = example_task(catalog_);
};

TEST_F(Flaws, baseline_and_cot_show_no_plan_and_optimal_the_right_one) {
  for (const PromptStyle style : {PromptStyle::baseline, PromptStyle::cot}) {
    EXPECT_TRUE(shown_plan(catalog_, task_, {.style = style, .flaw = Flaw::none}, Severity::severe)
                    ->empty());
  }
  const auto optimal = shown_plan(
      catalog_, task_, {.style = PromptStyle::optimal, .flaw = Flaw::none}, Severity::light);
  EXPECT_TRUE(same_plan(*optimal, task_.plan));
}

TEST_F(Flaws, disorder_turns_a_segment_round_and_keeps_every_step) {
  for (const Severity severity : kSeverities) {
    const FlawedPlan plan = flawed(Flaw::sequence_disorder, severity);
    auto right = tools_of(task_.plan);
    auto shown = tools_of(plan.steps);
    EXPECT_NE(shown, right);
    std::ranges::sort(right);
    std::ranges::sort(shown);
    EXPECT_EQ(shown, right);
  }
  EXPECT_EQ(flawed(Flaw::sequence_disorder, Severity::light).places.size(), 1U);
  EXPECT_EQ(flawed(Flaw::sequence_disorder, Severity::medium).places.size(), 2U);
  EXPECT_EQ(flawed(Flaw::sequence_disorder, Severity::severe).places.size(), 4U);
  auto reversed = tools_of(task_.plan);
  std::ranges::reverse(reversed);
  EXPECT_EQ(tools_of(flawed(Flaw::sequence_disorder, Severity::severe).steps), reversed);
}

TEST_F(Flaws, disorder_keeps_each_reference_on_the_step_it_meant) {
  const FlawedPlan plan = flawed(Flaw::sequence_disorder, Severity::severe);
  // Storing comes first and names the last but three step, which aggregates: it points forward.
  EXPECT_EQ(plan.steps[0].tool, "file_operations_writer");
  EXPECT_EQ(step_reference(plan.steps[0].arguments.at("source")), 1);
  EXPECT_EQ(plan.steps[1].tool, "data_processing_aggregator");
}

TEST_F(Flaws, misuse_shows_another_tool_of_the_same_category_with_inputs_of_the_right_one) {
  const std::map<Severity, std::size_t> counts = {
      {Severity::light, 1}, {Severity::medium, 2}, {Severity::severe, 3}};
  for (const Severity severity : kSeverities) {
    const FlawedPlan plan = flawed(Flaw::tool_misuse, severity);
    ASSERT_EQ(plan.steps.size(), task_.plan.size());
    EXPECT_EQ(plan.places.size(), counts.at(severity));
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const bool changed = std::ranges::binary_search(steps_of(plan), i);
      EXPECT_EQ(plan.steps[i].tool != task_.plan[i].tool, changed);
      EXPECT_EQ(catalog_.find(plan.steps[i].tool)->category,
                catalog_.find(task_.plan[i].tool)->category);
      EXPECT_EQ(plan.steps[i].reason.empty(), false);
    }
  }
}

TEST_F(Flaws, a_parameter_error_changes_arguments_and_nothing_else) {
  const std::map<Severity, std::size_t> counts = {
      {Severity::light, 1}, {Severity::medium, 2}, {Severity::severe, 3}};
  for (const Severity severity : kSeverities) {
    const FlawedPlan plan = flawed(Flaw::parameter_error, severity);
    EXPECT_EQ(tools_of(plan.steps), tools_of(task_.plan));
    EXPECT_EQ(plan.places.size(), counts.at(severity));
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const bool same =
          json::canonical(plan.steps[i].arguments) == json::canonical(task_.plan[i].arguments);
      EXPECT_EQ(same, !std::ranges::binary_search(steps_of(plan), i));
    }
  }
}

TEST_F(Flaws, missing_steps_come_from_the_middle_and_point_to_the_step_shown_before) {
  EXPECT_EQ(flawed(Flaw::missing_step, Severity::light).steps.size(), 4U);
  EXPECT_EQ(flawed(Flaw::missing_step, Severity::medium).steps.size(), 3U);
  const FlawedPlan severe = flawed(Flaw::missing_step, Severity::severe);
  EXPECT_EQ(tools_of(severe.steps),
            (std::vector<std::string>{"file_operations_reader", "file_operations_writer"}));
  EXPECT_EQ(step_reference(severe.steps[1].arguments.at("source")), 0);
}

TEST_F(Flaws, redundant_steps_stand_twice_in_a_row_and_the_goal_is_reached_with_more_calls) {
  const std::map<Severity, std::size_t> counts = {
      {Severity::light, 6}, {Severity::medium, 7}, {Severity::severe, 10}};
  for (const Severity severity : kSeverities) {
    const FlawedPlan plan = flawed(Flaw::redundant_operations, severity);
    EXPECT_EQ(plan.steps.size(), counts.at(severity));
    const Execution execution = execute_literally(catalog_, task_, plan.steps);
    EXPECT_EQ(execution.calls_ok(), plan.steps.size());
    EXPECT_TRUE(execution.world.goal_met());
    EXPECT_TRUE(execution.world.clean());
  }
}

TEST_F(Flaws, an_inconsistent_plan_feeds_a_step_with_a_kind_that_it_does_not_take) {
  const std::map<Severity, std::size_t> counts = {
      {Severity::light, 1}, {Severity::medium, 2}, {Severity::severe, 4}};
  for (const Severity severity : kSeverities) {
    const FlawedPlan plan = flawed(Flaw::logical_inconsistency, severity);
    EXPECT_EQ(plan.places.size(), counts.at(severity));
    EXPECT_EQ(plan.steps.size(), task_.plan.size() + plan.places.size());
  }
  const FlawedPlan light = flawed(Flaw::logical_inconsistency, Severity::light);
  const Execution execution = execute_literally(catalog_, task_, light.steps);
  const auto& calls = execution.world.calls();
  // The step put in between works; the one after it is the first to fail, because of the kind.
  const auto broken = std::ranges::find_if(
      calls, [](const CallRecord& call) { return call.result.status != CallStatus::ok; });
  ASSERT_NE(broken, calls.end());
  EXPECT_EQ(broken->rejection, Rejection::wrong_kind);
  EXPECT_EQ(broken - calls.begin(), static_cast<std::ptrdiff_t>(light.places[0].step) + 1);
}

TEST_F(Flaws, drift_replaces_the_end_by_neighbours_of_other_categories) {
  const std::map<Severity, std::vector<std::size_t>> places = {
      {Severity::light, {4}}, {Severity::medium, {2, 3, 4}}, {Severity::severe, {1, 2, 3, 4}}};
  for (const Severity severity : kSeverities) {
    const FlawedPlan plan = flawed(Flaw::semantic_drift, severity);
    EXPECT_EQ(steps_of(plan), places.at(severity));
    ASSERT_EQ(plan.steps.size(), task_.plan.size());
    for (const std::size_t i : steps_of(plan)) {
      EXPECT_NE(catalog_.find(plan.steps[i].tool)->category,
                catalog_.find(task_.plan[i].tool)->category);
      // A neighbour of the step before: its input fits.
      const Execution execution = execute_literally(catalog_, task_, plan.steps);
      EXPECT_NE(execution.world.calls()[i].rejection, Rejection::wrong_kind);
    }
  }
}

TEST_F(Flaws, a_flaw_is_a_pure_function_of_the_task) {
  for (const Flaw flaw : kPlanFlaws) {
    const auto once = flawed_plan(catalog_, task_, flaw, Severity::severe);
    const auto again = flawed_plan(catalog_, example_task(catalog_), flaw, Severity::severe);
    ASSERT_TRUE(once && again);
    EXPECT_TRUE(same_plan(once->steps, again->steps)) << to_string(flaw);
  }
}

TEST_F(Flaws, the_flawed_plans_of_pilot_1_never_change) {
  const auto suite = Suite::pilot();
  ASSERT_TRUE(suite);
  std::string found;
  for (const Flaw flaw : kPlanFlaws) {
    base::FieldHasher hasher("flawed plans");
    for (const Task& task : suite->tasks()) {
      for (const Severity severity : kSeverities) {
        const auto plan = flawed_plan(suite->catalog(), task, flaw, severity);
        hasher.field("task", task.id);
        for (const Step& step : plan.value_or(FlawedPlan()).steps) {
          hasher.field(step.tool, json::to_text(step.arguments));
        }
      }
    }
    found += fmt::format("{} {}\n", to_string(flaw), hasher.finish().hex());
  }
  EXPECT_EQ(found, kFlawedOfPilot);
}

TEST_F(Flaws, other_content_mutates_in_other_places) {
  std::set<std::vector<Place>> places;
  for (int i = 0; i < 40; ++i) {
    Task task = task_;
    task.id += std::to_string(i);
    task.hash = content_hash(task);
    places.insert(flawed_plan(catalog_, task, Flaw::tool_misuse, Severity::light)->places);
  }
  EXPECT_GE(places.size(), 3U);
}

TEST(FlawsOfAUser, a_drift_without_way_out_is_given_up) {
  constexpr int kWalksOfPlan = 9;
  const ToolCatalog catalog = entangled_catalog(kWalksOfPlan);
  const Task task = entangled_task(catalog, kWalksOfPlan);
  EXPECT_FALSE(task.eligible);
  EXPECT_FALSE(flawed_plan(catalog, task, Flaw::semantic_drift, Severity::severe));
}

/// A wrong value that the goal leaves open does no harm, so it would be no flaw.
TEST(FlawsOfAUser, a_parameter_error_is_in_a_value_that_the_goal_checks) {
  const ToolCatalog catalog = own_catalog();
  const std::string_view unchecked =
      R"("goal": [{"step": 1, "values": []}, {"step": 3, "values": []}], "plan")";
  for (int i = 0; i < 30; ++i) {
    const Task task = own_task(
        catalog,
        changed(changed(kOwnTask, "\"plan\"", unchecked), "refund-1", fmt::format("refund-{}", i)));
    const auto light = flawed_plan(catalog, task, Flaw::parameter_error, Severity::light);
    ASSERT_TRUE(light);
    EXPECT_EQ(steps_of(*light), std::vector<std::size_t>{1});
    EXPECT_FALSE(execute_literally(catalog, task, light->steps).world.goal_met());
    EXPECT_FALSE(flawed_plan(catalog, task, Flaw::parameter_error, Severity::severe));
  }
}

}  // namespace sortie::suite
