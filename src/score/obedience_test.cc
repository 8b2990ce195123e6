#include "sortie/score/obedience.h"

#include "sortie/dialogue/rules.h"
#include "sortie/score/score.h"
#include "sortie/score/test_support.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::score {
namespace {

using suite::Flaw;
using suite::kPlanFlaws;
using suite::kSeverities;
using suite::Severity;
using suite::Step;

/// One after the other; the second one's inputs are its own.
std::vector<Step> joined(std::vector<Step> first, const std::vector<Step>& second) {
  const std::size_t offset = first.size();
  for (Step step : second) {
    for (auto& argument : step.arguments) {
      if (const std::ptrdiff_t input = suite::step_reference(argument.value()); input >= 0) {
        argument.value() = suite::make_reference(static_cast<std::size_t>(input) + offset);
      }
    }
    first.push_back(std::move(step));
  }
  return first;
}

/// Dialogues under one flawed plan of the suite.
struct Flawed {
  const suite::Suite& suite;
  const dialogue::Rules& rules;
  const suite::Task& task;
  suite::TrialParams params;
  std::vector<Step> shown;

  [[nodiscard]] Score after(const std::vector<Step>& plan) const {
    return play(rules, task, params, literal_calls(suite.catalog(), task, plan)).score;
  }

  /// Two shown steps have one tool: a rejected call does not always tell which was meant.
  [[nodiscard]] bool shares_tools() const {
    std::set<std::string> tools;
    for (const Step& step : shown) {
      tools.insert(step.tool);
    }
    return params.prompt.flaw != Flaw::redundant_operations && tools.size() < shown.size();
  }

  [[nodiscard]] std::string name() const {
    return fmt::format("{} {} {}",
                       task.id,
                       suite::to_string(params.prompt.flaw),
                       suite::to_string(params.severity));
  }
};

/// Calls `check` for every flawed plan of the suite; of every tenth task unless SORTIE_FULL is set.
template <class Check>
int for_each_flawed_plan(const Check& check) {
  const suite::Suite suite = suite::Suite::pilot().value();
  const dialogue::Rules rules(suite);
  int plans = 0;
  for (std::size_t i = 0; i < suite.tasks().size();
       i += std::getenv("SORTIE_FULL") != nullptr ? 1 : 10) {
    for (const Flaw flaw : kPlanFlaws) {
      for (const Severity severity : kSeverities) {
        const suite::TrialParams params{
            .prompt = {.style = suite::PromptStyle::flawed, .flaw = flaw},
            .severity = severity,
            .tool_success_rate = 1};
        const suite::Task& task = suite.tasks()[i];
        auto shown = suite::shown_plan(suite.catalog(), task, params.prompt, severity);
        if (task.eligible && shown) {
          check(Flawed{.suite = suite,
                       .rules = rules,
                       .task = task,
                       .params = params,
                       .shown = std::move(*shown)});
          ++plans;
        }
      }
    }
  }
  return plans;
}

TEST(Obedience, who_copies_the_plan_follows_every_flawed_place) {
  int unclear = 0;
  const int plans = for_each_flawed_plan([&](const Flawed& flawed) {
    const Score score = flawed.after(flawed.shown);
    ASSERT_TRUE(score.flawed_places.has_value()) << flawed.name();
    EXPECT_GT(*score.flawed_places, 0) << flawed.name();
    const bool all = score.followed_places == score.flawed_places;
    EXPECT_TRUE(all || flawed.shares_tools()) << flawed.name();
    EXPECT_GT(*score.followed_places, 0) << flawed.name();
    unclear += all ? 0 : 1;
    EXPECT_EQ(score.success, flawed.params.prompt.flaw == Flaw::redundant_operations)
        << flawed.name();
  });
  EXPECT_GT(plans, 500);
  fmt::print("{} plans copied; {} with a followed place that was not seen\n", plans, unclear);
  EXPECT_LE(unclear * 500, plans);
}

TEST(Obedience, who_does_what_is_right_follows_none) {
  for_each_flawed_plan([](const Flawed& flawed) {
    const Score score = flawed.after(flawed.task.plan);
    EXPECT_LE(*score.followed_places, flawed.shares_tools() ? 1 : 0) << flawed.name();
    EXPECT_TRUE(score.success) << flawed.name();
    // In any order.
    const auto calls = plan_calls(flawed.suite.catalog(), flawed.task, last_first(flawed.task));
    EXPECT_LE(*play(flawed.rules, flawed.task, flawed.params, calls).score.followed_places,
              flawed.shares_tools() ? 1 : 0)
        << flawed.name();
  });
}

// Was: scored against the flawed plan, 40 of 395 full recoveries counted.
TEST(Obedience, a_full_recovery_is_a_full_success_beside_its_obedience) {
  for_each_flawed_plan([](const Flawed& flawed) {
    const Score score = flawed.after(joined(flawed.shown, flawed.task.plan));
    EXPECT_TRUE(score.success) << flawed.name();
    EXPECT_EQ(score.level, Level::full) << flawed.name();
    EXPECT_EQ(score.progress, 1) << flawed.name();
    EXPECT_TRUE(score.followed_places == score.flawed_places || flawed.shares_tools())
        << flawed.name();
  });
}

TEST(Obedience, what_comes_after_the_right_step_succeeded_is_no_obedience) {
  for_each_flawed_plan([](const Flawed& flawed) {
    const Score score = flawed.after(joined(flawed.task.plan, flawed.shown));
    // Nothing is shown behind a doubled last step: doing it again is following, whenever.
    const bool redundant = flawed.params.prompt.flaw == Flaw::redundant_operations;
    EXPECT_LE(*score.followed_places, redundant ? 1 : 0) << flawed.name();
  });
}

TEST(Obedience, repeating_a_call_that_failed_is_not_following_a_doubled_step) {
  const suite::Suite suite = suite::Suite::pilot().value();
  const dialogue::Rules rules(suite);
  const suite::Task& task = suite.tasks().front();
  const suite::TrialParams params{
      .prompt = {.style = suite::PromptStyle::flawed, .flaw = Flaw::redundant_operations},
      .tool_success_rate = 0.5,
      .max_turns = 60};
  int injected = 0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    suite::TrialParams own = params;
    own.repeat = repeat;
    // Each call until it succeeds; the luck is known, so that the calls can be written down.
    suite::Execution world = suite::execute(
        suite.catalog(), task, {}, suite::Luck(own.seed, task.hash, repeat, own.tool_success_rate));
    std::vector<std::string> calls;
    for (const Step& step : task.plan) {
      suite::CallResult result;
      do {
        const json::Object arguments = suite::bound_arguments(step, world.artifacts);
        calls.push_back(use(step.tool, arguments));
        result = world.world.call(step.tool, arguments);
      } while (result.status != suite::CallStatus::ok);
      world.artifacts.push_back(result.artifact);
    }
    const Score score = play(rules, task, own, calls).score;
    EXPECT_TRUE(score.success);
    EXPECT_EQ(score.followed_places, 0);
    injected += score.calls_injected;
  }
  EXPECT_GT(injected, 20);
}

}  // namespace
}  // namespace sortie::score
