#include "sortie/suite/trial.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace sortie::suite {

TEST(Trial, every_name_reads_back_as_its_value) {
  for (const TaskType type : kTaskTypes) {
    EXPECT_EQ(task_type_from(to_string(type)), type);
  }
  for (const Difficulty difficulty : kDifficulties) {
    EXPECT_EQ(difficulty_from(to_string(difficulty)), difficulty);
  }
  for (const Severity severity : {Severity::light, Severity::medium, Severity::severe}) {
    EXPECT_EQ(severity_from(to_string(severity)), severity);
  }
  for (const Protocol protocol : {Protocol::text, Protocol::native}) {
    EXPECT_EQ(protocol_from(to_string(protocol)), protocol);
  }
}

TEST(Trial, unknown_names_are_nothing) {
  EXPECT_FALSE(task_type_from("file_processing"));
  EXPECT_FALSE(difficulty_from("Easy"));
  EXPECT_FALSE(severity_from(""));
  EXPECT_FALSE(protocol_from("text "));
  EXPECT_FALSE(flaw_from("sequence"));
}

TEST(Trial, the_ten_prompts_read_back_as_themselves) {
  std::set<std::string> names = {"baseline", "cot", "optimal"};
  for (int flaw = 1; flaw <= 7; ++flaw) {
    names.insert("flawed_" + std::string(to_string(static_cast<Flaw>(flaw))));
  }
  ASSERT_EQ(names.size(), 10U);
  for (const std::string& name : names) {
    const auto prompt = prompt_from(name);
    ASSERT_TRUE(prompt) << name;
    EXPECT_EQ(to_string(*prompt), name);
    EXPECT_EQ(prompt->style == PromptStyle::flawed, prompt->flaw != Flaw::none);
  }
}

TEST(Trial, a_flawed_prompt_needs_a_flaw) {
  EXPECT_FALSE(prompt_from("flawed"));
  EXPECT_FALSE(prompt_from("flawed_"));
  EXPECT_FALSE(prompt_from("flawed_none"));
  EXPECT_FALSE(prompt_from("none"));
}

}  // namespace sortie::suite
