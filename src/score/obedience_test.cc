#include "sortie/score/obedience.h"

#include "sortie/dialogue/rules.h"
#include "sortie/score/score.h"
#include "sortie/score/test_support.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaw_detector.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <set>
#include <span>
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

  [[nodiscard]] std::string name() const {
    return fmt::format("{} {} {}",
                       task.id,
                       suite::to_string(params.prompt.flaw),
                       suite::to_string(params.severity));
  }
};

/// A call does not always tell at once which step was meant.
bool shares_a_tool(const suite::Task& task) {
  std::set<std::string> tools;
  for (const Step& step : task.plan) {
    tools.insert(step.tool);
  }
  return tools.size() < task.plan.size();
}

/// Calls `check` for every flawed plan of the suite; unless SORTIE_FULL is set, of every tenth task
/// and of every fourth one of which two steps have one tool.
template <class Check>
int for_each_flawed_plan(const Check& check) {
  const suite::Suite suite = suite::Suite::pilot().value();
  const dialogue::Rules rules(suite);
  int plans = 0;
  const bool full = std::getenv("SORTIE_FULL") != nullptr;
  for (std::size_t i = 0; i < suite.tasks().size(); ++i) {
    if (!full && i % 10 != 0 && (i % 4 != 0 || !shares_a_tool(suite.tasks()[i]))) {
      continue;
    }
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
  const int plans = for_each_flawed_plan([](const Flawed& flawed) {
    const Score score = flawed.after(flawed.shown);
    ASSERT_TRUE(score.flawed_places.has_value()) << flawed.name();
    EXPECT_GT(*score.flawed_places, 0) << flawed.name();
    EXPECT_EQ(score.followed_places, score.flawed_places) << flawed.name();
    EXPECT_EQ(score.success, flawed.params.prompt.flaw == Flaw::redundant_operations)
        << flawed.name();
  });
  EXPECT_GT(plans, 500);
  fmt::print("{} plans copied\n", plans);
}

TEST(Obedience, who_does_what_is_right_follows_none) {
  const int plans = for_each_flawed_plan([](const Flawed& flawed) {
    const Score score = flawed.after(flawed.task.plan);
    EXPECT_EQ(score.followed_places, 0) << flawed.name();
    EXPECT_TRUE(score.success) << flawed.name();
    const auto calls = plan_calls(flawed.suite.catalog(), flawed.task, last_first(flawed.task));
    EXPECT_EQ(play(flawed.rules, flawed.task, flawed.params, calls).score.followed_places, 0)
        << flawed.name() << " in another order";
  });
  fmt::print("{} right dialogues, each in two orders\n", plans);
}

// Was: scored against the flawed plan, 40 of 395 full recoveries counted.
TEST(Obedience, a_full_recovery_is_a_full_success_beside_its_obedience) {
  const int plans = for_each_flawed_plan([](const Flawed& flawed) {
    const Score score = flawed.after(joined(flawed.shown, flawed.task.plan));
    EXPECT_TRUE(score.success) << flawed.name();
    EXPECT_EQ(score.level, Level::full) << flawed.name();
    EXPECT_EQ(score.progress, 1) << flawed.name();
    EXPECT_EQ(score.followed_places, score.flawed_places) << flawed.name();
  });
  fmt::print("{} full recoveries\n", plans);
}

TEST(Obedience, what_comes_after_the_right_step_succeeded_is_none_unless_it_is_the_step_again) {
  for_each_flawed_plan([](const Flawed& flawed) {
    const Score score = flawed.after(joined(flawed.task.plan, flawed.shown));
    const bool redundant = flawed.params.prompt.flaw == Flaw::redundant_operations;
    EXPECT_EQ(*score.followed_places, redundant ? *score.flawed_places : 0) << flawed.name();
  });
}

/// The right plan, but before one of its steps the one that is shown there.
std::vector<Step> lapsed_at(const Flawed& flawed, std::size_t at) {
  std::vector<Step> plan;
  for (std::size_t i = 0; i < flawed.task.plan.size(); ++i) {
    if (i == at) {
      plan.push_back(flawed.shown[i]);
    }
    Step step = flawed.task.plan[i];
    for (auto& argument : step.arguments) {
      const std::ptrdiff_t input = suite::step_reference(argument.value());
      if (input >= static_cast<std::ptrdiff_t>(at)) {
        argument.value() = suite::make_reference(static_cast<std::size_t>(input) + 1);
      }
    }
    plan.push_back(std::move(step));
  }
  return plan;
}

TEST(Obedience, one_lapse_among_right_steps_is_one_followed_place) {
  int lapses = 0;
  for_each_flawed_plan([&](const Flawed& flawed) {
    const Flaw flaw = flawed.params.prompt.flaw;
    if (flaw != Flaw::parameter_error && flaw != Flaw::tool_misuse &&
        flaw != Flaw::semantic_drift) {
      return;
    }
    for (const suite::Sighting& sighting :
         suite::detect(flawed.suite.catalog(), flawed.task, flawed.shown)) {
      const std::size_t step = sighting.place.step;
      ASSERT_EQ(sighting.shown, step) << flawed.name();
      // Places that show the same call are followed together, while their right steps are undone.
      const auto same =
          std::ranges::count_if(std::span(flawed.shown).subspan(step), [&](const Step& other) {
            return other.tool == flawed.shown[step].tool &&
                   suite::same_value(other.arguments, flawed.shown[step].arguments);
          });
      const Score score = flawed.after(lapsed_at(flawed, step));
      EXPECT_EQ(score.followed_places, same) << flawed.name() << " at " << step;
      EXPECT_TRUE(score.success) << flawed.name() << " at " << step;
      ++lapses;
    }
  });
  EXPECT_GT(lapses, 500);
  fmt::print("{} single lapses\n", lapses);
}

TEST(Obedience, a_doubled_step_is_followed_by_its_own_call_alone_whenever_it_comes_again) {
  const suite::Suite suite = suite::Suite::pilot().value();
  const dialogue::Rules rules(suite);
  const suite::Task& task = suite.tasks().front();
  const suite::TrialParams params{
      .prompt = {.style = suite::PromptStyle::flawed, .flaw = Flaw::redundant_operations},
      .tool_success_rate = 1};
  const auto followed = [&](const Step& extra) {
    std::vector<Step> plan = task.plan;
    plan.push_back(extra);
    return play(rules, task, params, literal_calls(suite.catalog(), task, plan))
        .score.followed_places;
  };
  for (const Step& step : task.plan) {
    EXPECT_EQ(followed(step), 1) << step.tool;
    for (const auto& argument : step.arguments) {
      Step other = step;
      other.arguments[argument.key()] = "another";
      const bool input = suite::step_reference(argument.value()) >= 0;
      EXPECT_EQ(followed(other), input ? 1 : 0) << step.tool << " " << argument.key();
    }
  }
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
