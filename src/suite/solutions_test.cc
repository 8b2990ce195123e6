#include "sortie/suite/solutions.h"

#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/content.h"
#include "sortie/suite/example_task.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/own_suite.h"
#include "sortie/suite/plan_draft.h"
#include "sortie/suite/sampling.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/validator.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

class ShortestSolutions : public ::testing::Test {
 protected:
  [[nodiscard]] Solutions solutions(const Task& task) const {
    return shortest_solutions(catalog_, task, calls_of(catalog_, task), task.plan.size());
  }

  /// The task with a plan and the goal that it reaches.
  [[nodiscard]] Task task_of(std::vector<Step> plan) const {
    Task task = example_task(catalog_);
    task.plan = std::move(plan);
    task.goal = goal_of(catalog_, task.plan);
    return task;
  }

  ToolCatalog catalog_ = ToolCatalog::pilot();
};

class OtherChains : public ShortestSolutions {};

/// Every plan of at most some steps over some calls whose steps all succeed, without any shortcut.
struct EveryPlan {
  const ToolCatalog& catalog;
  const Task& task;
  const std::vector<CallValues>& calls;
  std::vector<std::vector<Step>> reaching;

  void extend(const std::vector<Step>& plan, std::size_t length_max) {
    const Execution execution = execute_literally(catalog, task, plan);
    if (execution.calls_ok() < plan.size()) {
      return;
    }
    if (execution.world.goal_met()) {
      reaching.push_back(plan);
    }
    for (std::size_t i = 0; plan.size() < length_max && i < calls.size(); ++i) {
      for (const Step& step : steps_of(calls[i], plan.size())) {
        std::vector<Step> longer = plan;
        longer.push_back(step);
        extend(longer, length_max);
      }
    }
  }

  /// The call with each handle left out or naming each earlier step.
  [[nodiscard]] std::vector<Step> steps_of(const CallValues& call, std::size_t earlier) const {
    std::vector<Step> steps = {{.tool = call.tool, .arguments = call.values, .reason = {}}};
    for (const std::string_view name : catalog.find(call.tool)->handle_parameters()) {
      const std::size_t count = steps.size();
      for (std::size_t i = 0; i < count * earlier; ++i) {
        steps.push_back(steps[i % count]);
        steps.back().arguments[name] = make_reference(i / count);
      }
    }
    return steps;
  }
};

Step read(std::string_view path) {
  return {.tool = "file_operations_reader", .arguments = {{"path", path}}, .reason = "r"};
}

Step parse(std::size_t source) {
  return {.tool = "data_processing_parser",
          .arguments = {{"source", make_reference(source)}, {"format", "csv"}},
          .reason = "r"};
}

}  // namespace

TEST_F(ShortestSolutions, of_a_chain_are_the_chain_alone) {
  const Task task = example_task(catalog_);
  const Solutions found = solutions(task);
  EXPECT_TRUE(found.finished);
  ASSERT_EQ(found.shortest.size(), 1U);
  EXPECT_TRUE(std::ranges::equal(found.shortest[0], task.plan, {}, &Step::tool, &Step::tool));
}

TEST_F(ShortestSolutions, of_a_join_count_both_ways_to_feed_it) {
  const Suite suite = *Suite::pilot();
  // Analyses one series with another one as baseline; the goal does not say which is which.
  const Solutions found = solutions(*suite.find("multi_stage_pipeline-001"));
  EXPECT_EQ(found.shortest.size(), 2U);
}

TEST_F(ShortestSolutions, of_a_plan_that_reads_twice_what_it_needs_once_are_shorter) {
  Step difference{.tool = "computation_calculator",
                  .arguments = {{"source", make_reference(1)},
                                {"measure", "total"},
                                {"field", "amount"},
                                {"compared_to", make_reference(3)}},
                  .reason = "r"};
  const Task task = task_of({read("data/orders/a.csv"),
                             parse(0),
                             read("data/orders/a.csv"),
                             parse(2),
                             std::move(difference)});
  const Solutions found = solutions(task);
  ASSERT_FALSE(found.shortest.empty());
  EXPECT_EQ(found.shortest.front().size(), 3U);
}

TEST_F(ShortestSolutions, of_a_goal_that_no_call_reaches_are_none) {
  Task task = example_task(catalog_);
  task.goal.required.back().values["path"] = "out/other.csv";
  task.plan.back().arguments["path"] = "out/sums.csv";
  Task unreachable = task;
  unreachable.goal.required.back().tool = "network_poster";
  EXPECT_TRUE(solutions(unreachable).shortest.empty());
  // The goal's own call is tried also where the plan has another one.
  EXPECT_EQ(solutions(task).shortest.size(), 1U);
}

TEST_F(ShortestSolutions, of_a_long_plan_are_not_searched_without_end) {
  std::vector<Step> plan = {read("data/orders/a.csv"), parse(0)};
  for (const std::string_view operation : {"sort_ascending", "sort_descending", "rank"}) {
    for (const std::string_view field : {"amount", "quantity", "region"}) {
      plan.push_back({.tool = "data_processing_transformer",
                      .arguments = {{"source", make_reference(plan.size() - 1)},
                                    {"operation", operation},
                                    {"field", field}},
                      .reason = "r"});
    }
  }
  const Task task = task_of(std::move(plan));
  const Solutions found =
      shortest_solutions(catalog_, task, calls_of(catalog_, task), task.plan.size(), 1'000);
  EXPECT_FALSE(found.finished);
  EXPECT_LT(found.states, 2'000U);
}

TEST_F(ShortestSolutions, are_all_that_a_search_over_every_tool_finds) {
  // What makes a search over the task's own calls exhaustive (solutions.h): here all 30 tools are
  // called with any handle, with the task's values and with other ones, and nothing is given up.
  const Suite suite = *Suite::pilot();
  for (const std::string_view id : {"simple_task-004", "simple_task-040", "simple_task-100"}) {
    const Task& task = *suite.find(id);
    std::vector<CallValues> calls = calls_of(catalog_, task);
    base::RandomStream random(task.hash);
    for (const ToolSpec& tool : catalog_.tools()) {
      CallValues call{.tool = tool.name, .values = {}};
      for (const auto& [name, property] : *json::get_object(tool.parameters, "properties")) {
        if (accepted_kinds(property) == nullptr) {
          call.values[name] =
              sample_value(name, property, subject_of_plan(catalog_, task.plan), random);
        }
      }
      calls.push_back(std::move(call));
    }
    EveryPlan every{.catalog = catalog_, .task = task, .calls = calls, .reaching = {}};
    every.extend({}, task.plan.size());
    ASSERT_EQ(every.reaching.size(), 1U) << id;
    const Solutions found = solutions(task);
    ASSERT_EQ(found.shortest.size(), 1U) << id;
    EXPECT_TRUE(
        std::ranges::equal(every.reaching[0], found.shortest[0], {}, &Step::tool, &Step::tool));
  }
}

TEST_F(OtherChains, reach_the_kind_but_not_the_goal) {
  const Task task = example_task(catalog_);
  const Chains found = other_chains(catalog_, task, 25);
  const auto& chains = found.found;
  EXPECT_TRUE(found.finished);
  ASSERT_EQ(chains.size(), 25U);
  std::set<std::string> distinct;
  for (const std::vector<Step>& chain : chains) {
    EXPECT_LE(chain.size(), task.plan.size());
    EXPECT_EQ(chain.back().tool, "file_operations_writer");
    std::string tools;
    for (const Step& step : chain) {
      tools += step.tool + " ";
    }
    EXPECT_TRUE(distinct.insert(tools).second) << tools;
    EXPECT_FALSE(execute_literally(catalog_, task, chain).world.goal_met()) << tools;
  }
}

TEST(OtherChainsOfAUser, are_not_searched_without_end) {
  constexpr int kWalksOfPlan = 9;
  const ToolCatalog catalog = entangled_catalog(kWalksOfPlan);
  const Chains chains = other_chains(catalog, entangled_task(catalog, kWalksOfPlan), 3);
  EXPECT_FALSE(chains.finished);
  EXPECT_EQ(chains.beginnings, kBeginningsMax + 1);
  EXPECT_TRUE(chains.found.empty());
}

TEST(OtherChainsOfAUser, that_were_not_all_looked_at_are_reported_so) {
  const ToolCatalog catalog = entangled_catalog(2);
  const Task task = entangled_task(catalog, 2);
  const auto findings = validate_task(catalog, task, {.lexicon = false, .full_size = false});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_TRUE(findings[0].advice);
  EXPECT_EQ(findings[0].message,
            "0 other chains of calls reach the goal's kind among the 50001 beginnings that the "
            "search looked at, expected at least 3");
}

}  // namespace sortie::suite
