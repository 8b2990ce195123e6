#include "sortie/sim/skill.h"

#include "sortie/sim/profile.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sim {
namespace {

std::string file_with(std::string_view skill, std::string_view before = "") {
  return "version: 1\n" + std::string(before) +
         "providers:\n  a:\n    listen: 127.0.0.1:0\n    models:\n      m:\n        skill: " +
         std::string(skill) + "\n";
}

Skill parsed(std::string_view skill, std::string_view before = "") {
  const auto profile = parse_profile("p.yaml", file_with(skill, before));
  EXPECT_TRUE(profile.has_value()) << (profile ? "" : profile.error().message);
  return profile ? profile->providers.front().models.front().skill : Skill{};
}

std::string error_of(std::string_view skill) {
  const auto profile = parse_profile("p.yaml", file_with(skill));
  return profile ? "" : profile.error().message;
}

TEST(Skill, reads_every_field) {
  const Skill skill = parsed(
      "{level: 0.9, misread: 0.1, misread_with_plan: 0.05, gullibility: 0.2, search: 0.3, lookup: "
      "0.4, repair: 0.5, loop: 0.01, early_finish: 0.02, batching: 0.6, rushing: 0.7, dawdle: 3, "
      "mistakes: {wrong_order: 0.25, wrong_value: 0.75}, rejected: {go_on: 1}, "
      "retry: {same: 0.5, other_tool: 0.5}, format: {qwen: 0.1, no_command: 0}, "
      "empty: 0.03, refusal: {chance: 0.5, from: 2}, truncated: {from: 4}, "
      "reasoning: {tokens: {median: 300, sigma: 0.5}, place: think_tag, command_inside: 0.25}, "
      "verbosity: 12}");
  EXPECT_DOUBLE_EQ(skill.misread, 0.1);
  EXPECT_DOUBLE_EQ(skill.rushing, 0.7);
  EXPECT_EQ(skill.dawdle, 3U);
  EXPECT_EQ(skill.mistakes, (Mistakes{.wrong_value = 0.75, .wrong_tool = 0, .wrong_order = 0.25}));
  EXPECT_EQ(skill.rejected, (AfterRejection{.again = 0, .give_up = 0, .go_on = 1}));
  EXPECT_EQ(skill.retry, (Retry{.same = 0.5, .other_tool = 0.5}));
  Skill base = Skill::of(0.9);
  EXPECT_DOUBLE_EQ(Skill(skill).format[Form::unclosed_tag], base.format[Form::unclosed_tag]);
  EXPECT_DOUBLE_EQ(Skill(skill).format[Form::qwen], 0.1);
  EXPECT_DOUBLE_EQ(Skill(skill).format[Form::no_command], 0);
  EXPECT_EQ(skill.empty, (Chance{.chance = 0.03, .from = 1}));
  EXPECT_EQ(skill.refusal, (Chance{.chance = 0.5, .from = 2}));
  EXPECT_EQ(skill.truncated, (Chance{.chance = 1, .from = 4}));
  EXPECT_EQ(skill.reasoning.place, Reasoning::Place::think_tag);
  EXPECT_DOUBLE_EQ(skill.reasoning.command_inside, 0.25);
  EXPECT_DOUBLE_EQ(skill.verbosity.median, 12);
}

TEST(Skill, short_forms_stand_for_what_they_stood_for) {
  EXPECT_EQ(parsed("{persistence: 0.5}").retry, persisting(0.5));
  EXPECT_DOUBLE_EQ(persisting(0.5).other_arguments, 0.3);
  EXPECT_DOUBLE_EQ(persisting(0.5).give_up, 0.2);
  EXPECT_EQ(parsed("{slip: 0.5}").format, slipping(0.5));
  EXPECT_DOUBLE_EQ(slipping(0.5).total(), 0.5);
}

TEST(Skill, of_a_file_builds_on_shipped_ones_and_on_those_before_it) {
  const Skill skill = parsed("{profile: mine-too, empty: 0.5}",
                             "skills:\n  mine: {profile: weak, loop: 0.25}\n"
                             "  mine-too: {profile: mine, search: 0.125}\n");
  EXPECT_DOUBLE_EQ(skill.misread, Skill::of(0.5).misread);
  EXPECT_DOUBLE_EQ(skill.loop, 0.25);
  EXPECT_DOUBLE_EQ(skill.search, 0.125);
  EXPECT_DOUBLE_EQ(skill.empty.chance, 0.5);
}

TEST(Skill, mistakes_of_the_file_are_named_with_place_and_remedy) {
  EXPECT_NE(error_of("{wrong_tool: 0.5}").find("write mistakes: {wrong_tool: …}"),
            std::string::npos);
  EXPECT_NE(error_of("{retry: {same: 0.5}}").find("p.yaml:7:24: retry: these are shares of 1"),
            std::string::npos)
      << error_of("{retry: {same: 0.5}}");
  EXPECT_NE(error_of("{retry: {same: 1}, persistence: 1}").find("write one of them"),
            std::string::npos);
  EXPECT_NE(error_of("{format: {qwen: 0.6, llama: 0.6}}").find("more than 1"), std::string::npos);
  EXPECT_NE(error_of("{format: {qwens: 0.6}}").find("'qwen'"), std::string::npos);
  EXPECT_NE(error_of("qwen2.5-7b-instuct").find("did you mean 'qwen2.5-7b-instruct'"),
            std::string::npos);
  EXPECT_NE(error_of("{reasoning: {place: fields}}").find("'field'"), std::string::npos);
}

TEST(Skill, profiles_come_for_every_model_of_the_reference_campaigns) {
  const std::vector<std::string> names = Skill::names();
  for (const char* name : {"perfect",
                           "plan_copier",
                           "strong",
                           "medium",
                           "weak",
                           "DeepSeek-V3-0324",
                           "DeepSeek-R1-0528",
                           "Llama-3.3-70B-Instruct",
                           "qwen2.5-72b-instruct",
                           "qwen2.5-32b-instruct",
                           "qwen2.5-14b-instruct",
                           "qwen2.5-7b-instruct",
                           "qwen2.5-3b-instruct",
                           "gpt-4o-mini",
                           "gpt-5-mini",
                           "o3-0416-global",
                           "gemini-2.5-flash-06-17",
                           "kimi-k2",
                           "claude_sonnet4"}) {
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  }
  EXPECT_EQ(Skill::named("perfect"), Skill::of(1));
  EXPECT_DOUBLE_EQ(Skill::named("qwen2.5-72b-instruct")->format.total(), 1);
  EXPECT_GT(Skill::named("DeepSeek-R1-0528")->reasoning.tokens.median, 0);
  EXPECT_GT(Skill::named("qwen2.5-3b-instruct")->empty.chance, 0);
  EXPECT_GT(Skill::named("qwen2.5-14b-instruct")->empty.chance, 0);
}

}  // namespace
}  // namespace sortie::sim
