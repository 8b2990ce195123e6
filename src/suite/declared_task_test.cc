#include "sortie/suite/declared_task.h"

#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/eligibility.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/own_suite.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/validator.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

std::string problem(std::string_view from, std::string_view to) {
  std::vector<DataProblem> problems;
  static_cast<void>(
      declared_task(own_catalog(), parsed(changed(kOwnTask, from, to)), {}, problems));
  return lines_of(problems);
}

constexpr std::string_view kPercent = R"({"type": "integer", "minimum": 1, "maximum": 100})";

/// The tools of the shop, and twins of `fetch_order`'s and the refund's followers in the same and
/// in other categories, so that every mutation finds a tool. `percent` has this schema in all of
/// them.
std::string twin_tools(std::string_view percent = kPercent) {
  std::string tools = changed(kOwnTools, kPercent, percent);
  for (const std::string_view category : {"shop", "bank", "lab"}) {
    tools = changed(
        tools,
        "\n {\"name\": \"fetch_policy\"",
        fmt::format(
            R"({{"name": "test_{0}", "description": "d", "kind": "{0}_result", "category": "{0}",
 "parameters": {{"required": ["in"], "properties": {{"in": {{"x-artifact": ["order", "refund", "shop_result",
 "bank_result", "lab_result"]}}, "percent": {1}}}}}}},
 {{"name": "fetch_policy")",
            category,
            percent));
  }
  return tools;
}

}  // namespace

TEST(DeclaredTask, takes_goal_and_order_from_its_plan) {
  const Task task = own_task(own_catalog());
  EXPECT_EQ(task.text(Difficulty::easy),
            "Pay 80 percent of order 4711 back to the account credit.");
  EXPECT_EQ(task.text(Difficulty::hard), "");
  ASSERT_EQ(task.goal.required.size(), 3U);
  EXPECT_EQ(json::to_text(task.goal.required[1].values), R"({"percent":80})");
  EXPECT_EQ(task.goal.required[2].inputs, std::vector<std::size_t>{1});
  EXPECT_EQ(task.order, (std::vector<std::pair<std::size_t, std::size_t>>{{0, 1}, {0, 2}, {1, 2}}));
  EXPECT_EQ(task.plan[0].reason, "Fetches one order by its number.");
  EXPECT_EQ(task.plan[2].reason, "ends it");
  EXPECT_EQ(task.hash, content_hash(task));
}

TEST(DeclaredTask, reads_back_from_its_canonical_form) {
  const ToolCatalog catalog = own_catalog();
  const Task task = own_task(catalog);
  const auto again = task_from_json(catalog, to_json(task), "again");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->hash, task.hash);
}

TEST(DeclaredTask, the_goal_may_leave_values_unchecked) {
  const ToolCatalog catalog = own_catalog();
  const Task task =
      own_task(catalog,
               changed(kOwnTask,
                       "\"plan\"",
                       R"("goal": [{"step": 2, "values": []}], "order": [[1, 3]], "plan")"));
  EXPECT_TRUE(task.goal.required[1].values.empty());
  EXPECT_FALSE(task.goal.required[0].values.empty());
  std::vector<Step> plan = task.plan;
  plan[1].arguments["percent"] = 5;
  EXPECT_TRUE(execute_literally(catalog, task, plan).world.goal_met());
}

TEST(DeclaredTask, a_mistake_is_named_with_its_place_and_what_was_expected) {
  const std::vector<std::vector<std::string_view>> cases = {
      {"\"id\": \"refund-1\"", "\"id\": \"refund 1\"", "id: id: an id is one word"},
      {"\"id\": \"refund-1\", ", "", "missing: 'id' is missing"},
      {"simple_task",
       "simpel_task",
       "type: type: there is no task type 'simpel_task'; did you mean 'simple_task'?"},
      {"\"text\":", "\"txt\":", "txt: unknown_key: unknown key 'txt'; did you mean 'text'?"},
      {"\"plan\"",
       "\"texts\": {}, \"plan\"",
       "texts: expected either 'text', which is the level easy, or 'texts'"},
      {"\"text\": \"Pay 80 percent of order 4711 back to the account credit.\"",
       "\"texts\": {\"esay\": \"x\"}",
       "texts/esay: unknown_key: unknown key 'esay'; did you mean 'easy'?"},
      {"\"tool\": \"fetch_order\"",
       "\"tool\": \"fetch_oder\"",
       "plan/0/tool: tool: step 1: there is no tool 'fetch_oder'; did you mean 'fetch_order'?"},
      {"\"percent\": 80",
       "\"percent\": 800",
       "plan/1/arguments/percent: argument: step 2: 'percent' is 800, expected a number from 1 to "
       "100"},
      {"\"percent\": 80",
       "\"percnt\": 80",
       "plan/1/arguments/percnt: argument: step 2: compute_refund has no parameter 'percnt'; did "
       "you mean 'percent'?"},
      {", \"percent\": 80",
       "",
       "plan/1/arguments/percent: argument: step 2: 'percent' of compute_refund is missing"},
      {"{\"step\": 1}",
       "\"order#1\"",
       "plan/1/arguments/order: reference: step 2: 'order' takes the result of an earlier step, "
       "written as {step: 1}"},
      {"{\"step\": 1}",
       "{\"step\": 2}",
       "plan/1/arguments/order: reference: step 2: 'order' has to name an earlier step, from "
       "{step: 1} to {step: 1}"},
      {"{\"step\": 1}", "{\"stp\": 1}", "plan/1/arguments/order/stp: unknown_key"},
      {"{\"step\": 2}",
       "{\"step\": 1}",
       "plan/2/arguments/refund: argument: step 3: 'refund' names a step of kind order, which it "
       "does not take"},
      {"{\"tool\": \"fetch_order\"",
       "{\"tool\": \"fetch_policy\", \"arguments\": {\"country\": \"no\"}}, {\"tool\": "
       "\"fetch_order\"",
       "plan/2/arguments/order: argument"},
      {"\"plan\"",
       "\"goal\": [{\"step\": 4, \"values\": []}], \"plan\"",
       "goal/0/step: goal: 'step' has to be the number of a step, from 1 to 3"},
      {"\"plan\"",
       "\"goal\": [{\"step\": 2, \"values\": [\"percnt\"]}], \"plan\"",
       "goal/0/values/0: goal: step 2 (compute_refund) has no value 'percnt'; did you mean "
       "'percent'?"},
      {"\"plan\"",
       "\"order\": [[2, 1]], \"plan\"",
       "order/0: order: expected two numbers of steps, from 1 to 3, the earlier one first"},
      {"\"plan\"",
       "\"eligible\": \"no\", \"plan\"",
       "eligible: type: 'eligible' has to be true or false"}};
  for (const auto& change : cases) {
    const std::string found = problem(change[0], change[1]);
    EXPECT_NE(found.find(change[2]), std::string::npos) << change[1] << "\n" << found;
  }
}

TEST(DeclaredTask, every_step_leads_to_the_last_one) {
  std::vector<DataProblem> problems;
  const std::string text =
      changed(kOwnTask,
              "{\"tool\": \"pay_out\"",
              R"({"tool": "fetch_policy", "arguments": {"country": "no"}}, {"tool": "pay_out")");
  EXPECT_FALSE(declared_task(own_catalog(), parsed(text), {}, problems));
  EXPECT_EQ(
      lines_of(problems),
      "plan/2: goal: step 3 (fetch_policy) does not lead to the last step, so the goal could be "
      "met without it");
}

TEST(DeclaredTask, is_eligible_only_if_all_flaws_apply) {
  const ToolCatalog catalog = own_catalog();
  const Task task = own_task(catalog);
  bool all = true;
  for (const Flaw flaw : kPlanFlaws) {
    all = all && flawed_plan(catalog, task, flaw, Severity::severe).has_value();
  }
  // No tool of another kind follows an order in this shop, so that a plan could drift away.
  EXPECT_FALSE(all);
  EXPECT_FALSE(task.eligible);
}

/// Schemas that no built-in tool has: the mutations have to cope with all of them.
TEST(DeclaredTask, no_schema_breaks_a_mutation) {
  const std::vector<std::string_view> properties = {
      R"({"type": "boolean"})",
      R"({"type": "number", "minimum": 0.1, "maximum": 0.5})",
      R"({"type": "integer", "maximum": -5})",
      R"({"type": "integer", "minimum": 500})",
      R"({"type": "integer", "minimum": 3, "maximum": 3})",
      R"({"type": ["number", "string"]})",
      R"({"type": "string", "enum": ["only"]})",
      R"({"type": ["boolean", "string"], "enum": [true, "x"]})",
      R"({"type": "string", "format": "url"})",
      R"({"type": "string", "format": "field"})",
      R"({"type": "string"})"};
  const std::vector<std::string_view> values = {"true",
                                                "0.3",
                                                "-7",
                                                "500",
                                                "3",
                                                "\"x\"",
                                                "\"only\"",
                                                "true",
                                                "\"https://a.b\"",
                                                "\"a\"",
                                                "\"\""};
  for (std::size_t i = 0; i < properties.size(); ++i) {
    const ToolCatalog catalog = own_catalog(twin_tools(properties[i]));
    const Task task = own_task(
        catalog, changed(kOwnTask, "\"percent\": 80", fmt::format("\"percent\": {}", values[i])));
    EXPECT_TRUE(execute_literally(catalog, task, task.plan).world.goal_met());
    std::size_t flawed = 0;
    for (const Flaw flaw : kPlanFlaws) {
      for (const Severity severity : {Severity::light, Severity::medium, Severity::severe}) {
        if (const auto plan = flawed_plan(catalog, task, flaw, severity)) {
          ++flawed;
          static_cast<void>(execute_literally(catalog, task, plan->steps));
        }
      }
    }
    EXPECT_GT(flawed, 6U) << properties[i];
    if (task.eligible) {
      EXPECT_TRUE(flaws_apply(catalog, task));
    }
  }
}

/// What is judged is what is shown. Mutations differ from task to task: here some of them leave out
/// a value that its default gives back, so that the plan reaches the goal after all.
TEST(DeclaredTask, eligibility_is_that_of_the_plans_that_are_shown) {
  const ToolCatalog catalog = own_catalog(
      twin_tools(R"({"type": "integer", "minimum": 1, "maximum": 100, "default": 80})"));
  std::size_t eligible = 0;
  constexpr std::size_t kTasks = 60;
  for (std::size_t i = 0; i < kTasks; ++i) {
    Task task = own_task(catalog, changed(kOwnTask, "refund-1", fmt::format("refund-{}", i)));
    EXPECT_EQ(task.hash, content_hash(task));
    const bool declared = task.eligible;
    eligible += declared ? 1U : 0U;
    task.eligible = true;
    task.hash = content_hash(task);
    const auto findings = validate_task(catalog, task, {.lexicon = false, .full_size = false});
    EXPECT_EQ(std::ranges::none_of(findings, [](const Finding& f) { return f.rule == "flaws"; }),
              declared)
        << task.id;
  }
  fmt::print("{} of {} eligible\n", eligible, kTasks);
  EXPECT_GT(eligible, 0U);
  EXPECT_LT(eligible, kTasks);
}

}  // namespace sortie::suite
