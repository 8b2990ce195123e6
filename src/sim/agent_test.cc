#include "sortie/sim/agent.h"

#include "sortie/base/hash.h"
#include "sortie/base/secret.h"
#include "sortie/base/time.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/dialogue/transcript.h"
#include "sortie/sim/play.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/small_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::sim {
namespace {

constexpr suite::Prompt kPlan = {.style = suite::PromptStyle::optimal, .flaw = suite::Flaw::none};
constexpr suite::Prompt kNoPlan = {.style = suite::PromptStyle::baseline,
                                   .flaw = suite::Flaw::none};

base::Digest trial_key(std::size_t number) {
  return base::digest_of(fmt::format("trial {}", number));
}

suite::TrialParams params(suite::Prompt prompt,
                          double rate = 0.8,
                          suite::Difficulty difficulty = suite::Difficulty::easy) {
  suite::TrialParams out;
  out.prompt = prompt;
  out.tool_success_rate = rate;
  out.difficulty = difficulty;
  return out;
}

/// The pilot as it is shipped.
const suite::Suite& pilot() {
  static const suite::Suite kPilot = suite::Suite::pilot().value();
  return kPilot;
}

/// Share of successes of a skill over the first tasks of every type.
double success_rate(const Skill& skill, suite::Prompt prompt, std::size_t per_type = 20) {
  const dialogue::Rules rules(pilot());
  SimulatedProvider provider(one_model("m", skill), 1, pilot());
  std::size_t trials = 0;
  std::size_t successes = 0;
  for (const suite::TaskType type : suite::kTaskTypes) {
    for (const std::size_t task :
         pilot().draw(1, type, std::min(per_type, pilot().eligible(type)))) {
      const Played played =
          play(provider,
               rules,
               pilot().tasks()[task],
               {.model = "m", .key = trial_key(trials), .params = params(prompt)});
      ++trials;
      successes += played.transcript.goal_met ? 1U : 0U;
    }
  }
  return trials == 0 ? 0 : static_cast<double>(successes) / static_cast<double>(trials);
}

TEST(PerfectAgent, reaches_the_goal_of_small_tasks_in_the_fewest_calls) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite);
  for (const suite::Task& task : suite.tasks()) {
    for (const suite::Difficulty difficulty : suite::kDifficulties) {
      for (const suite::Prompt prompt : {kPlan, kNoPlan}) {
        const Played played =
            play(provider,
                 rules,
                 task,
                 {.model = "m", .key = trial_key(1), .params = params(prompt, 1.0, difficulty)});
        EXPECT_TRUE(played.transcript.goal_met) << task.id << ": " << played.answers.back().text;
        EXPECT_EQ(played.transcript.calls.size(), task.plan.size()) << task.id;
        EXPECT_EQ(played.transcript.end, dialogue::End::finish);
      }
    }
  }
}

TEST(PerfectAgent, repeats_the_same_call_after_an_injected_failure) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite);
  std::size_t injected = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    suite::TrialParams hard = params(kPlan, 0.5);
    hard.seed = i;
    const Played played = play(
        provider, rules, suite.tasks()[0], {.model = "m", .key = trial_key(i), .params = hard});
    EXPECT_TRUE(played.transcript.goal_met || played.transcript.end == dialogue::End::max_turns);
    const auto& calls = played.transcript.calls;
    for (std::size_t k = 0; k + 1 < calls.size(); ++k) {
      EXPECT_NE(calls[k].result.status, suite::CallStatus::rejected);
      if (calls[k].result.status == suite::CallStatus::injected) {
        ++injected;
        EXPECT_EQ(calls[k + 1].tool, calls[k].tool);
        EXPECT_EQ(calls[k + 1].arguments, calls[k].arguments);
      }
    }
  }
  EXPECT_GT(injected, 10U);
}

TEST(PerfectAgent, works_with_functions) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite);
  for (const suite::Task& task : suite.tasks()) {
    suite::TrialParams native = params(kNoPlan);
    native.protocol = suite::Protocol::native;
    const Played played =
        play(provider, rules, task, {.model = "m", .key = trial_key(2), .params = native});
    EXPECT_TRUE(played.transcript.goal_met) << task.id;
    EXPECT_FALSE(played.answers.front().tool_calls.empty());
  }
}

TEST(PerfectAgent, is_not_misled_by_a_flawed_plan) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite);
  const suite::Prompt flawed = {.style = suite::PromptStyle::flawed,
                                .flaw = suite::Flaw::parameter_error};
  const Played played = play(provider,
                             rules,
                             suite.tasks()[0],
                             {.model = "m", .key = trial_key(3), .params = params(flawed)});
  EXPECT_TRUE(played.transcript.goal_met);
}

TEST(PlanCopier, succeeds_with_the_right_plan_and_fails_with_a_wrong_one_or_none) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  SimulatedProvider provider(one_model("m", *Skill::named("plan_copier")), 1, suite);
  const suite::Prompt flawed = {.style = suite::PromptStyle::flawed,
                                .flaw = suite::Flaw::parameter_error};
  const auto goal_met = [&](suite::Prompt prompt) {
    return play(provider,
                rules,
                suite.tasks()[0],
                {.model = "m", .key = trial_key(4), .params = params(prompt, 1.0)})
        .transcript.goal_met;
  };
  EXPECT_TRUE(goal_met(kPlan));
  EXPECT_FALSE(goal_met(flawed));
  EXPECT_FALSE(goal_met(kNoPlan));
}

TEST(Agent, answers_do_not_depend_on_order_attempt_or_key) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  EXPECT_TRUE(rc::check([&] {
    const auto seed = static_cast<std::uint64_t>(*rc::gen::inRange(0, 1000));
    const double level = *rc::gen::inRange(0, 11) / 10.0;
    const auto trial = static_cast<std::size_t>(*rc::gen::inRange(0, 1000));
    const suite::Task& task = suite.tasks()[static_cast<std::size_t>(*rc::gen::inRange(0, 2))];
    SimulatedProvider first(one_model("m", Skill::of(level)), seed, suite);
    const Trial played_as = {.model = "m", .key = trial_key(trial), .params = params(kNoPlan)};
    const Played played = play(first, rules, task, played_as);
    // Every turn asked again, last first, of another provider, by another key and attempt.
    ProviderProfile profile = one_model("m", Skill::of(level));
    profile.keys = {{.name = "k", .secret = base::Secret("secret"), .account = {}}};
    SimulatedProvider second(profile, seed, suite);
    std::vector<std::vector<chat::Message>> histories;
    dialogue::Dialogue dialogue(rules, task, played_as.params);
    for (const chat::Answer& answer : played.answers) {
      histories.push_back(dialogue.history());
      (void)dialogue.step(dialogue::Answered{.answer = answer});
    }
    for (std::size_t turn = histories.size(); turn-- > 0;) {
      const Reply reply = ask(second,
                              {.body = chat_body("m", histories[turn]),
                               .key = "secret",
                               .attempt = fmt::format("{}/{}/5", played_as.key.hex(), turn)},
                              base::Instant{});
      RC_ASSERT(decode(reply.response).text == played.answers[turn].text);
    }
  }));
}

TEST(Agent, another_seed_model_or_trial_gives_another_dialogue) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  const auto first_answers = [&](std::uint64_t seed, const char* model, std::size_t trial) {
    SimulatedProvider provider(one_model(model, Skill::of(0.5)), seed, suite);
    std::string all;
    for (std::size_t i = 0; i < 5; ++i) {
      all += play(provider,
                  rules,
                  suite.tasks()[0],
                  {.model = model, .key = trial_key(trial + i), .params = params(kNoPlan)})
                 .answers.front()
                 .text;
    }
    return all;
  };
  const std::string base_case = first_answers(1, "m", 0);
  EXPECT_EQ(base_case, first_answers(1, "m", 0));
  EXPECT_NE(base_case, first_answers(2, "m", 0));
  EXPECT_NE(base_case, first_answers(1, "n", 0));
  EXPECT_NE(base_case, first_answers(1, "m", 100));
}

TEST(Pilot, the_perfect_agent_succeeds_at_tasks_of_all_types_and_levels) {
  const dialogue::Rules rules(pilot());
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, pilot());
  for (const suite::TaskType type : suite::kTaskTypes) {
    const std::size_t count = std::min<std::size_t>(10, pilot().eligible(type));
    ASSERT_GT(count, 0U) << suite::to_string(type);
    for (const std::size_t index : pilot().draw(3, type, count)) {
      const suite::Task& task = pilot().tasks()[index];
      const auto difficulty = suite::kDifficulties[index % suite::kDifficulties.size()];
      for (const suite::Prompt prompt : {kPlan, kNoPlan}) {
        const Played played = play(
            provider,
            rules,
            task,
            {.model = "m", .key = trial_key(index), .params = params(prompt, 0.9, difficulty)});
        EXPECT_TRUE(played.transcript.goal_met) << task.id << " at " << suite::to_string(difficulty)
                                                << ": " << played.answers.back().text;
      }
    }
  }
}

TEST(Pilot, skills_give_rates_in_their_order) {
  const double strong = success_rate(Skill::of(0.8), kNoPlan);
  const double weak = success_rate(Skill::of(0.4), kNoPlan);
  EXPECT_GT(strong, 0.2);
  EXPECT_LT(strong, 0.95);
  EXPECT_LT(weak, strong - 0.15);
}

TEST(Pilot, a_plan_helps_and_a_flawed_plan_hurts) {
  const Skill skill = Skill::of(0.5);
  constexpr std::size_t kPerType = 60;  // the differences are four standard errors of 300 trials
  const double with_plan = success_rate(skill, kPlan, kPerType);
  const double without = success_rate(skill, kNoPlan, kPerType);
  const double misled = success_rate(
      skill, {.style = suite::PromptStyle::flawed, .flaw = suite::Flaw::tool_misuse}, kPerType);
  EXPECT_GT(with_plan, without + 0.1);
  EXPECT_LT(misled, with_plan - 0.1);
}

}  // namespace
}  // namespace sortie::sim
