#include "sortie/analysis/phrases.h"

#include "sortie/analysis/comparisons.h"
#include "sortie/base/text.h"
#include "sortie/base/width.h"
#include "sortie/score/agents.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

Phrases parsed(std::string_view document) {
  auto phrases = Phrases::parse(document);
  EXPECT_TRUE(phrases.has_value()) << phrases.error().message;
  return phrases.value();
}

std::string difference(std::string_view original, std::string_view translation) {
  const auto alike = check_alike(parsed(original), parsed(translation));
  return alike.has_value() ? "" : alike.error().message;
}

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) {
    text.remove_prefix(base::utf8_sequence_length(text));
  }
  return count;
}

TEST(Phrases, are_the_same_in_every_language_but_for_their_words) {
  const Phrases& english = phrases_in(Language::english);
  const Phrases& chinese = phrases_in(Language::chinese);
  EXPECT_GT(english.texts().size(), 200U);
  EXPECT_TRUE(check_alike(english, chinese).has_value());
  for (const auto& [key, text] : chinese.texts()) {
    EXPECT_GT(base::display_width(text), characters(text)) << key << " is in English: " << text;
    const std::string original = english.find(key).value_or("");
    EXPECT_EQ(base::display_width(original), characters(original)) << key;
  }
}

TEST(Phrases, that_differ_are_named_with_what_differs) {
  EXPECT_EQ(difference(R"({"a": "{x} of {y:.1f}"})", R"({"a": "{y:.1f} 中 {x}"})"), "");
  EXPECT_EQ(difference(R"({"a": "x", "b": "y"})", R"({"a": "x"})"), "phrase 'b' is not translated");
  EXPECT_EQ(difference(R"({"a": "x"})", R"({"a": "x", "b": "y"})"),
            "phrase 'b' is in the translation alone");
  EXPECT_EQ(difference(R"({"a": "{x:.1f}"})", R"({"a": "{x}"})"),
            "phrase 'a' fills in other values: '{x}', not '{x:.1f}'");
  EXPECT_EQ(difference(R"({"a": "{x} {x}"})", R"({"a": "{x}"})"),
            "phrase 'a' fills in other values: '{x}', not '{x} {x}'");
}

TEST(Phrases, are_texts_without_markup) {
  for (const std::string_view document :
       {R"([])", R"({"a": 1})", R"({"a": "<b>"})", R"({"a": "R&D"})", R"({"a": "\"quoted\""})"}) {
    EXPECT_FALSE(Phrases::parse(document).has_value()) << document;
  }
}

TEST(Phrases, are_filled_in_by_name_whatever_the_order) {
  const Phrases say = parsed(R"({"of": "{b:.1f} 中 {a}"})");
  EXPECT_EQ(say("of", fmt::arg("a", "x"), fmt::arg("b", 2.0)), "2.0 中 x");
  EXPECT_EQ(say.find("of"), "{b:.1f} 中 {a}");
  EXPECT_FALSE(say.find("off").has_value());
}

TEST(Phrases, say_every_code_that_has_words) {
  const Phrases& say = phrases_in(Language::chinese);
  for (const score::Agent agent : score::kTableAgents) {
    EXPECT_TRUE(say.find("agent." + std::string(score::to_string(agent))).has_value());
  }
  EXPECT_EQ(method_text(kWilson, say), say("method.wilson"));
  EXPECT_EQ(method_text(kWithinTypes, say), say("method.within_types"));
  EXPECT_EQ(method_text(kBootstrap, say), say("method.bootstrap"));
}

TEST(Phrases, have_a_language_by_its_code) {
  EXPECT_EQ(language_of_code("en").value(), Language::english);
  EXPECT_EQ(language_of_code("zh").value(), Language::chinese);
  EXPECT_EQ(html_code(Language::english), "en");
  EXPECT_EQ(html_code(Language::chinese), "zh-CN");
  const auto unknown = language_of_code("zn");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().message, "language 'zn' is not spoken here; expected one of: en, zh");
}

}  // namespace
}  // namespace sortie::analysis
