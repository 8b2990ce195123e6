#include "sortie/sim/situation.h"

#include "sortie/dialogue/rules.h"
#include "sortie/sim/small_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

namespace sortie::sim {
namespace {

TEST(Situations, recognise_every_text_of_the_pilot) {
  const suite::Suite pilot = suite::Suite::pilot().value();
  const dialogue::Rules rules(pilot);
  Situations situations(pilot);
  ASSERT_GE(pilot.tasks().size(), 50U);
  for (const suite::Task& task : pilot.tasks()) {
    for (const suite::Difficulty difficulty : suite::kDifficulties) {
      suite::TrialParams params;
      params.difficulty = difficulty;
      params.prompt.style = suite::PromptStyle::baseline;
      const Situation& situation = situations.recognise(rules.first_prompt(task, params));
      ASSERT_EQ(situation.task, &task) << task.id;
      EXPECT_EQ(situation.difficulty, difficulty);
      EXPECT_EQ(situation.plan, Situation::Plan::none);
    }
  }
}

TEST(Situations, see_which_plan_is_shown) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  Situations situations(suite);
  const suite::Task& task = suite.tasks()[0];
  suite::TrialParams params;
  params.prompt.style = suite::PromptStyle::optimal;
  const Situation right = situations.recognise(rules.first_prompt(task, params));
  EXPECT_EQ(right.plan, Situation::Plan::right);
  EXPECT_EQ(right.shown.size(), task.plan.size());
  params.prompt.style = suite::PromptStyle::cot;
  EXPECT_EQ(situations.recognise(rules.first_prompt(task, params)).plan, Situation::Plan::none);
}

TEST(Situations, see_every_flawed_plan_as_it_is_shown) {
  const suite::Suite suite = small_suite();
  const dialogue::Rules rules(suite);
  Situations situations(suite);
  std::size_t flawed = 0;
  for (const suite::Task& task : suite.tasks()) {
    for (const suite::Flaw flaw : {suite::Flaw::sequence_disorder,
                                   suite::Flaw::tool_misuse,
                                   suite::Flaw::parameter_error,
                                   suite::Flaw::missing_step,
                                   suite::Flaw::redundant_operations,
                                   suite::Flaw::logical_inconsistency,
                                   suite::Flaw::semantic_drift}) {
      suite::TrialParams params;
      params.prompt = {.style = suite::PromptStyle::flawed, .flaw = flaw};
      const auto plan = suite::shown_plan(suite.catalog(), task, params.prompt, params.severity);
      if (!plan.has_value()) {
        continue;
      }
      ++flawed;
      const Situation& situation = situations.recognise(rules.first_prompt(task, params));
      EXPECT_EQ(situation.plan, Situation::Plan::flawed);
      ASSERT_EQ(situation.shown.size(), plan->size()) << suite::to_string(flaw);
      for (std::size_t i = 0; i < plan->size(); ++i) {
        EXPECT_EQ(situation.shown[i].tool, (*plan)[i].tool);
        EXPECT_EQ(situation.shown[i].arguments, (*plan)[i].arguments);
      }
    }
  }
  EXPECT_GE(flawed, 7U);
}

TEST(Situations, do_not_see_a_task_where_there_is_none) {
  const suite::Suite suite = small_suite();
  Situations situations(suite);
  EXPECT_EQ(situations.recognise("Say something.").task, nullptr);
  EXPECT_EQ(situations.recognise("").task, nullptr);
  // All but its last character.
  const std::string& text = suite.tasks()[0].texts[0];
  EXPECT_EQ(situations.recognise("# Task\n\n" + text.substr(0, text.size() - 1)).task, nullptr);
}

TEST(Situations, find_the_text_wherever_it_stands) {
  const suite::Suite suite = small_suite();
  Situations situations(suite);
  const std::string& text = suite.tasks()[1].texts[3];
  for (const std::string& message : {text, "x" + text, text + "x", std::string(5000, 'R') + text}) {
    const Situation& situation = situations.recognise(message);
    EXPECT_EQ(situation.task, &suite.tasks()[1]);
    EXPECT_EQ(situation.difficulty, suite::Difficulty::hard);
  }
}

}  // namespace
}  // namespace sortie::sim
