#include "sortie/score/reference.h"

#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/suite/suite.h"

#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::score {
namespace {

TEST(ReferenceSuccess, of_six_operations_at_rate_0_6_is_why_dialogues_have_thirty_turns) {
  const ReferenceQuestion thirty{
      .operations = 6, .tools = 6, .tool_success_rate = 0.6, .max_turns = 30};
  EXPECT_GE(reference_success(Policy::lookup, thirty), 0.98);
  ReferenceQuestion twenty = thirty;
  twenty.max_turns = 20;
  // P(Binomial(8, 0.6) >= 6) = 28·0.6⁶·0.4² + 8·0.6⁷·0.4 + 0.6⁸.
  EXPECT_NEAR(reference_success(Policy::lookup, twenty), 0.31539456, 1e-12);
}

TEST(ReferenceSuccess, is_a_binomial_tail) {
  EXPECT_NEAR(
      reference_success(Policy::direct,
                        {.operations = 2, .tools = 2, .tool_success_rate = 0.5, .max_turns = 3}),
      0.5,
      1e-12);
  EXPECT_DOUBLE_EQ(reference_success(Policy::direct, {.operations = 3, .tools = 3, .max_turns = 3}),
                   1);
  EXPECT_DOUBLE_EQ(reference_success(Policy::direct, {.operations = 3, .tools = 3, .max_turns = 2}),
                   0);
  EXPECT_DOUBLE_EQ(reference_success(Policy::search, {.operations = 3, .tools = 3, .max_turns = 3}),
                   0);
}

/// Plays a policy: every step of the plan, again after an injected failure.
bool plays_to_success(const dialogue::Rules& rules,
                      const suite::Task& task,
                      const suite::TrialParams& params,
                      Policy policy) {
  dialogue::Dialogue dialogue(rules, task, params);
  std::vector<std::string> script;
  std::set<std::string_view> seen;
  for (const suite::Step& step : task.plan) {
    if (!seen.insert(step.tool).second) {
      continue;
    }
    const suite::ToolSpec* tool = rules.catalog().find(step.tool);
    if (policy != Policy::direct) {
      script.push_back("<find_tool>" + tool->description + "</find_tool>");
    }
    if (policy == Policy::lookup) {
      script.push_back("<show_tool>" + step.tool + "</show_tool>");
    }
  }
  std::vector<std::string> handles(task.plan.size());
  std::size_t next = 0;
  const auto say = [&](std::string text) {
    chat::Answer answer;
    answer.text = std::move(text);
    dialogue.step(dialogue::Answered{std::move(answer)});
    return std::holds_alternative<dialogue::AskModel>(dialogue.need());
  };
  for (const std::string& text : script) {
    if (!say(text)) {
      return dialogue.transcript().goal_met;
    }
  }
  while (next < task.plan.size()) {
    json::Object arguments;
    for (const auto& [name, value] : task.plan[next].arguments) {
      const auto reference = value.is_object() ? json::get_int(value, "$step") : std::nullopt;
      arguments[name] =
          reference ? json::Value(handles[static_cast<std::size_t>(*reference)]) : value;
    }
    json::Object call;
    call["name"] = task.plan[next].tool;
    call["arguments"] = std::move(arguments);
    const bool goes_on = say("<use_tool>" + json::to_text(call) + "</use_tool>");
    const std::string& reply = dialogue.history().back().text;
    if (!goes_on) {
      return dialogue.transcript().goal_met;
    }
    // Only the reply of a success names a new artifact.
    constexpr std::string_view kMember = R"("artifact":")";
    if (const std::size_t at = reply.find(kMember); at != std::string::npos) {
      const std::size_t from = at + kMember.size();
      handles[next++] = reply.substr(from, reply.find('"', from) - from);
    }
  }
  say("<finish>done</finish>");
  return dialogue.transcript().goal_met;
}

TEST(ReferenceSuccess, is_what_the_policies_achieve_when_they_are_played) {
  const suite::Suite suite = suite::Suite::pilot().value();
  const dialogue::Rules rules(suite);
  for (const Policy policy : kPolicies) {
    double expected = 0;
    double variance = 0;
    double reached = 0;
    for (const suite::TaskType type : suite::kTaskTypes) {
      for (const std::size_t index : suite.draw(5, type, 40)) {
        suite::TrialParams params;
        params.tool_success_rate = 0.6;
        params.max_turns = 14;  // so few that it can fail
        params.seed = 5;
        const suite::Task& task = suite.tasks()[index];
        const double p = reference_success(policy, task, params);
        expected += p;
        variance += p * (1 - p);
        reached += plays_to_success(rules, task, params, policy) ? 1 : 0;
      }
    }
    EXPECT_NEAR(reached, expected, 3.5 * std::sqrt(variance)) << to_string(policy);
  }
}

}  // namespace
}  // namespace sortie::score
