#include "sortie/score/suite_proofs.h"

#include "sortie/suite/own_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::score {
namespace {

/// "refund-1 reachable: …(advice)"
std::vector<std::string> lines(const std::vector<suite::Finding>& findings) {
  std::vector<std::string> out;
  for (const suite::Finding& finding : findings) {
    out.push_back(fmt::format("{} {}: {}{}",
                              finding.task,
                              finding.rule,
                              finding.message,
                              finding.advice ? " (advice)" : ""));
  }
  return out;
}

using Lines = std::vector<std::string>;

/// Every 25th task of `pilot/1`; all of them with SORTIE_FULL.
suite::Suite part_of_pilot() {
  const suite::Suite pilot = suite::Suite::pilot().value();
  suite::Suite part("part/1", pilot.catalog());
  const std::size_t stride = std::getenv("SORTIE_FULL") == nullptr ? 25 : 1;
  for (std::size_t i = 0; i < pilot.tasks().size(); i += stride) {
    EXPECT_TRUE(part.add_task(pilot.tasks()[i]));
  }
  return part;
}

suite::Suite own_suite(const suite::ToolCatalog& catalog, suite::Task task) {
  suite::Suite suite("own/1", catalog);
  EXPECT_TRUE(suite.add_task(std::move(task)));
  return suite;
}

/// Tools of which each takes what the one before makes, and a task that needs all of them.
suite::Suite chain_of(std::size_t steps) {
  std::string tools;
  std::string plan;
  for (std::size_t i = 1; i <= steps; ++i) {
    const std::string source =
        i == 1 ? R"("number": {"type": "integer"})"
               : fmt::format(R"("number": {{"x-artifact": ["kind{}"]}})", i - 1);
    tools += fmt::format(R"({}{{"name": "tool_{}", "description": "Does the part numbered {}.",
 "kind": "kind{}", "parameters": {{"required": ["number"], "properties": {{{}}}}}}})",
                         i == 1 ? "" : ",",
                         i,
                         i,
                         i,
                         source);
    plan += fmt::format(R"({}{{"tool": "tool_{}", "arguments": {{"number": {}}}}})",
                        i == 1 ? "" : ",",
                        i,
                        i == 1 ? "7" : fmt::format(R"({{"step": {}}})", i - 1));
  }
  const suite::ToolCatalog catalog = suite::own_catalog("[" + tools + "]");
  return own_suite(
      catalog,
      suite::own_task(
          catalog, R"({"id": "long", "type": "basic_task", "text": "7", "plan": [)" + plan + "]}"));
}

TEST(SuiteProofs, of_pilot_1_find_nothing) {
  const suite::Suite part = part_of_pilot();
  EXPECT_EQ(lines(prove_reachable(part)), Lines{});
  EXPECT_EQ(lines(prove_search(part)), Lines{});
}

TEST(SuiteProofs, find_a_text_that_does_not_lead_to_the_goal) {
  const suite::Suite pilot = suite::Suite::pilot().value();
  suite::Task task = pilot.tasks()[0];
  task.texts[static_cast<std::size_t>(suite::Difficulty::hard)] =
      pilot.tasks()[1].text(suite::Difficulty::hard);
  suite::Suite suite("part/1", pilot.catalog());
  ASSERT_TRUE(suite.add_task(task));
  EXPECT_EQ(lines(prove_reachable(suite)),
            Lines{task.id + " reachable: who reads the text at hard by its lexicon, searches and "
                            "looks at descriptions misses the goal"});
}

TEST(SuiteProofs, find_nothing_in_a_users_suite_that_can_be_solved) {
  const suite::ToolCatalog catalog = suite::own_catalog();
  const suite::Suite suite = own_suite(catalog, suite::own_task(catalog));
  EXPECT_EQ(lines(prove_reachable(suite)), Lines{});
  EXPECT_EQ(lines(prove_search(suite)), Lines{});
}

TEST(SuiteProofs, have_turns_enough_for_the_longest_plan) {
  EXPECT_EQ(lines(prove_reachable(chain_of(12))), Lines{});
}

TEST(SuiteProofs, advise_where_a_users_description_does_not_find_its_tool) {
  const suite::ToolCatalog catalog = suite::own_catalog(
      suite::changed(suite::kOwnTools, "Pays an amount to an account.", "Is it the of and."));
  const suite::Suite suite = own_suite(catalog, suite::own_task(catalog));
  EXPECT_EQ(
      lines(prove_reachable(suite)),
      Lines{"refund-1 reachable: who searches with a tool's description does not find pay_out "
            "(advice)"});
  EXPECT_EQ(lines(prove_search(suite)),
            Lines{" search: 'Is it the of and.' does not find pay_out among the first 5 (advice)"});
}

TEST(SuiteProofs, find_a_users_goal_that_the_plan_does_not_meet) {
  const suite::ToolCatalog catalog = suite::own_catalog();
  suite::Task task = suite::own_task(catalog);
  task.goal.required.back().values["account"] = "other";
  task.hash = suite::content_hash(task);
  const suite::Suite suite = own_suite(catalog, task);
  EXPECT_EQ(lines(prove_reachable(suite)),
            Lines{"refund-1 reachable: who searches for each tool, looks at it and carries out the "
                  "plan misses the goal"});
}

/// A user's tool may have the name of a built-in one; the words of the lexicon are not its own.
TEST(SuiteProofs, search_for_a_users_tool_with_its_own_description) {
  std::string tools(suite::kOwnTools);
  std::string task(suite::kOwnTask);
  tools = suite::changed(tools, "\"pay_out\"", "\"network_monitor\"");
  task = suite::changed(task, "\"pay_out\"", "\"network_monitor\"");
  const suite::ToolCatalog catalog = suite::own_catalog(tools);
  const suite::Suite suite = own_suite(catalog, suite::own_task(catalog, task));
  EXPECT_EQ(lines(prove_reachable(suite)), Lines{});
  EXPECT_EQ(lines(prove_search(suite)), Lines{});
}

}  // namespace
}  // namespace sortie::score
