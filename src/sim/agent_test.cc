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
#include "sortie/sim/skill.h"
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

/// A perfect model but for one habit.
template <class Change>
Skill perfect_but(Change change) {
  Skill skill = Skill::of(1);
  change(skill);
  return skill;
}

Played play_small(const Skill& skill,
                  const suite::TrialParams& trial,
                  dialogue::DialogueOptions options = {}) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  SimulatedProvider provider(one_model("m", skill), 1, suite);
  return play(provider,
              rules,
              suite.tasks()[0],
              {.model = "m", .key = trial_key(7), .params = trial},
              options);
}

TEST(Forms, of_calls_are_all_read_and_all_but_the_plain_one_are_repaired) {
  for (std::size_t i = 1; i < kForms; ++i) {
    const Form form = static_cast<Form>(i);
    if (form == Form::no_command || form == Form::unreadable) {
      continue;
    }
    const Played played =
        play_small(perfect_but([&](Skill& skill) { skill.format[form] = 1; }), params(kPlan, 0.7));
    EXPECT_TRUE(played.transcript.goal_met) << to_string(form);
    ASSERT_FALSE(played.transcript.turns.empty());
    EXPECT_FALSE(played.transcript.turns.front().repairs.empty()) << to_string(form);
    for (const suite::CallRecord& call : played.transcript.calls) {
      EXPECT_NE(call.result.status, suite::CallStatus::rejected) << to_string(form);
    }
  }
}

TEST(Forms, without_a_call_that_can_be_read_run_nothing) {
  for (const Form form : {Form::no_command, Form::unreadable}) {
    const Played played =
        play_small(perfect_but([&](Skill& skill) { skill.format[form] = 1; }), params(kPlan));
    EXPECT_TRUE(played.transcript.calls.empty()) << to_string(form);
    EXPECT_EQ(played.transcript.turns.front().unreadable, form == Form::unreadable ? 1U : 0U);
  }
}

TEST(Trouble, a_refusal_is_flagged_and_lasts) {
  const Played played = play_small(
      perfect_but([](Skill& skill) { skill.refusal = {.chance = 1, .from = 2}; }), params(kPlan));
  ASSERT_GT(played.transcript.turns.size(), 2U);
  EXPECT_FALSE(played.transcript.turns.front().refused);
  EXPECT_EQ(played.transcript.calls.size(), 1U);
  for (std::size_t turn = 1; turn < played.transcript.turns.size(); ++turn) {
    EXPECT_TRUE(played.transcript.turns[turn].refused);
    EXPECT_EQ(played.answers[turn].finish, chat::FinishReason::stop);
  }
}

TEST(Trouble, an_empty_answer_has_no_token_and_stops_by_itself) {
  const Played played = play_small(
      perfect_but([](Skill& skill) { skill.empty = {.chance = 0.3, .from = 1}; }), params(kPlan));
  std::size_t empty = 0;
  for (std::size_t turn = 0; turn < played.answers.size(); ++turn) {
    if (played.transcript.turns[turn].empty) {
      ++empty;
      EXPECT_EQ(played.answers[turn].usage.output, 0);
      EXPECT_EQ(played.answers[turn].finish, chat::FinishReason::stop);
    }
  }
  EXPECT_GT(empty, 0U);
  EXPECT_TRUE(played.transcript.goal_met);
}

TEST(Trouble, a_truncated_answer_runs_no_call) {
  for (const bool reasons : {false, true}) {
    const Played played = play_small(perfect_but([&](Skill& skill) {
                                       skill.truncated = {.chance = 1, .from = 2};
                                       skill.reasoning.tokens.median = reasons ? 50 : 0;
                                     }),
                                     params(kPlan));
    EXPECT_EQ(played.transcript.calls.size(), 1U);
    for (std::size_t turn = 1; turn < played.answers.size(); ++turn) {
      EXPECT_TRUE(played.transcript.turns[turn].truncated);
      EXPECT_EQ(played.answers[turn].finish, chat::FinishReason::length);
      EXPECT_EQ(played.answers[turn].text.empty(), reasons);
    }
  }
}

TEST(Trouble, a_loop_ends_the_dialogue_by_the_rule) {
  const Played played =
      play_small(perfect_but([](Skill& skill) { skill.loop = 1; }), params(kPlan));
  EXPECT_EQ(played.transcript.end, dialogue::End::loop);
}

TEST(Reasoning, stands_in_its_field_or_in_a_block_and_is_billed) {
  for (const Reasoning::Place place : {Reasoning::Place::field, Reasoning::Place::think_tag}) {
    const Played played =
        play_small(perfect_but([&](Skill& skill) {
                     skill.reasoning = {.tokens = {.median = 200, .sigma = 0.3}, .place = place};
                   }),
                   params(kPlan));
    EXPECT_TRUE(played.transcript.goal_met);
    const chat::Answer& answer = played.answers.front();
    EXPECT_EQ(answer.reasoning.empty(), place == Reasoning::Place::think_tag);
    EXPECT_EQ(answer.text.starts_with("<think>"), place == Reasoning::Place::think_tag);
    EXPECT_GT(answer.usage.output, 100);
  }
}

TEST(Reasoning, a_command_inside_runs_only_where_that_is_allowed) {
  for (const Reasoning::Place place : {Reasoning::Place::field, Reasoning::Place::think_tag}) {
    const Skill skill = perfect_but([&](Skill& s) {
      s.reasoning = {.tokens = {.median = 50, .sigma = 0.3}, .place = place, .command_inside = 1};
    });
    EXPECT_TRUE(play_small(skill, params(kPlan)).transcript.calls.empty());
    EXPECT_TRUE(play_small(skill, params(kPlan, 0.8), {.commands_from_reasoning = true})
                    .transcript.goal_met);
  }
}

TEST(Habits, a_rushing_model_needs_one_answer_where_all_goes_well) {
  const Skill skill = perfect_but([](Skill& s) { s.rushing = 1; });
  const Played lucky = play_small(skill, params(kPlan, 1.0));
  EXPECT_EQ(lucky.transcript.turns.size(), 1U);
  EXPECT_TRUE(lucky.transcript.goal_met);
  EXPECT_EQ(lucky.transcript.end, dialogue::End::finish);
  EXPECT_TRUE(play_small(skill, params(kPlan, 0.5)).transcript.goal_met);
}

TEST(Habits, a_dawdling_model_looks_around_before_each_step_and_never_loops) {
  const Played played =
      play_small(perfect_but([](Skill& s) { s.dawdle = 14; }), params(kNoPlan, 1.0));
  EXPECT_EQ(played.transcript.end, dialogue::End::max_turns);
  EXPECT_EQ(played.transcript.calls.size(), 2U);
}

/// What follows the first injected failure of a trial that has one.
Played after_bad_luck(const Retry& retry) {
  suite::TrialParams unlucky = params(kPlan, 0.05);
  unlucky.max_turns = 2;
  return play_small(perfect_but([&](Skill& s) { s.retry = retry; }), unlucky);
}

TEST(Habits, after_an_injected_failure_are_what_the_profile_says) {
  const Played same = after_bad_luck({.same = 1});
  ASSERT_EQ(same.transcript.calls.size(), 2U);
  ASSERT_EQ(same.transcript.calls[0].result.status, suite::CallStatus::injected);
  EXPECT_EQ(same.transcript.calls[1].tool, same.transcript.calls[0].tool);
  EXPECT_EQ(same.transcript.calls[1].arguments, same.transcript.calls[0].arguments);
  const Played arguments = after_bad_luck({.same = 0, .other_arguments = 1});
  ASSERT_EQ(arguments.transcript.calls.size(), 2U);
  EXPECT_EQ(arguments.transcript.calls[1].tool, arguments.transcript.calls[0].tool);
  EXPECT_NE(arguments.transcript.calls[1].arguments, arguments.transcript.calls[0].arguments);
  const Played tool = after_bad_luck({.same = 0, .other_tool = 1});
  ASSERT_EQ(tool.transcript.calls.size(), 2U);
  EXPECT_NE(tool.transcript.calls[1].tool, tool.transcript.calls[0].tool);
  const Played gives_up = after_bad_luck({.same = 0, .give_up = 1});
  EXPECT_EQ(gives_up.transcript.calls.size(), 1U);
  EXPECT_EQ(gives_up.transcript.end, dialogue::End::finish);
}

TEST(Mistakes, of_order_and_of_handles_are_seen_by_a_model_that_repairs) {
  for (const Mistakes& kinds : {Mistakes{.wrong_value = 0, .wrong_tool = 0, .wrong_order = 1},
                                Mistakes{.wrong_value = 0, .wrong_tool = 0, .stale_handle = 1}}) {
    const Skill careful = perfect_but([&](Skill& s) {
      s.misread = 1;
      s.mistakes = kinds;
    });
    const Played mended = play_small(careful, params(kNoPlan, 1.0));
    EXPECT_TRUE(mended.transcript.goal_met);
    EXPECT_TRUE(std::ranges::any_of(mended.transcript.calls, [](const suite::CallRecord& call) {
      return call.result.status == suite::CallStatus::rejected;
    }));
    Skill careless = careful;
    careless.repair = 0;
    EXPECT_FALSE(play_small(careless, params(kNoPlan, 1.0)).transcript.goal_met);
  }
}

TEST(Pilot, the_shipped_profiles_of_qwen_are_ordered_by_size) {
  double last = -1;
  for (const char* name : {"qwen2.5-3b-instruct",
                           "qwen2.5-7b-instruct",
                           "qwen2.5-14b-instruct",
                           "qwen2.5-32b-instruct",
                           "qwen2.5-72b-instruct"}) {
    const double rate = success_rate(Skill::named(name).value(), kNoPlan, 60);
    EXPECT_GT(rate, last) << name;
    last = rate;
  }
}

TEST(Pilot, a_plan_copier_succeeds_with_every_right_plan_at_rate_1) {
  const dialogue::Rules rules(pilot());
  SimulatedProvider provider(one_model("m", Skill::named("plan_copier").value()), 1, pilot());
  for (const suite::TaskType type : suite::kTaskTypes) {
    for (const std::size_t index : pilot().draw(3, type, 20)) {
      const suite::Task& task = pilot().tasks()[index];
      EXPECT_TRUE(play(provider,
                       rules,
                       task,
                       {.model = "m", .key = trial_key(index), .params = params(kPlan, 1.0)})
                      .transcript.goal_met)
          << task.id;
    }
  }
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
