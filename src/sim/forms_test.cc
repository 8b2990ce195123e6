#include "sortie/sim/forms.h"

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/parser.h"
#include "sortie/sim/skill.h"

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::sim {
namespace {

const std::vector<SpelledCall> kCalls = {
    {"data_processing_parser", R"({"source":"raw#1","format":"csv","limits":{"rows":[1,2.5]}})"},
    {"file_operations_reader", R"({"path":"data/it's } <b> \"x\".csv"})"}};

bool holds_calls(Form form) {
  return form != Form::no_command && form != Form::unreadable && form != Form::structured;
}

std::vector<SpelledCall> read_again(const std::string& text) {
  std::deque<std::string> respelled;
  std::vector<SpelledCall> out;
  for (const Written& written : read_commands(text, respelled)) {
    EXPECT_EQ(written.tag, Tag::use_tool);
    out.emplace_back(written.name, written.arguments);
  }
  return out;
}

TEST(Forms, are_read_as_they_were_written) {
  for (std::size_t i = 0; i < kForms; ++i) {
    const Form form = static_cast<Form>(i);
    if (!holds_calls(form)) {
      continue;
    }
    const std::string prose = form == Form::bare_json ? "" : "First [1] this, then that.\n\n";
    for (const SpelledCall& call : kCalls) {
      EXPECT_EQ(read_again(prose + spell_calls(form, {call})), std::vector<SpelledCall>{call})
          << to_string(form);
    }
    if (form != Form::bare_json) {
      EXPECT_EQ(read_again(prose + spell_calls(form, kCalls)), kCalls) << to_string(form);
    }
  }
}

TEST(Forms, are_understood_by_the_dialogue) {
  for (std::size_t i = 0; i < kForms; ++i) {
    const Form form = static_cast<Form>(i);
    if (!holds_calls(form)) {
      continue;
    }
    for (const SpelledCall& call : kCalls) {
      chat::Answer answer;
      answer.text = spell_calls(form, {call});
      const dialogue::ParsedAnswer parsed = dialogue::parse_answer(answer, {});
      ASSERT_EQ(parsed.commands.size(), 1U) << answer.text;
      EXPECT_EQ(parsed.commands[0].name, call.first) << answer.text;
      EXPECT_EQ(json::to_text(parsed.commands[0].arguments), call.second) << answer.text;
    }
  }
}

TEST(Forms, the_unreadable_one_is_meant_as_a_call_and_is_none) {
  chat::Answer answer;
  answer.text = spell_calls(Form::unreadable, {kCalls[0]});
  const dialogue::ParsedAnswer parsed = dialogue::parse_answer(answer, {});
  ASSERT_EQ(parsed.commands.size(), 1U);
  EXPECT_FALSE(parsed.commands[0].readable);
}

TEST(Forms, of_other_commands_are_read_too) {
  for (const Form form : {Form::plain, Form::unclosed_tag, Form::code_fence, Form::qwen}) {
    const std::string text = "Words.\n\n" + spell_command(form, Tag::find_tool, "load a file");
    std::deque<std::string> respelled;
    const std::vector<Written> written = read_commands(text, respelled);
    ASSERT_EQ(written.size(), 1U) << text;
    EXPECT_EQ(written[0].tag, Tag::find_tool);
    EXPECT_TRUE(written[0].name.starts_with("load a file")) << text;
  }
}

TEST(Forms, any_text_is_read_without_harm) {
  EXPECT_TRUE(rc::check([] {
    const auto pieces = *rc::gen::container<std::vector<std::string>>(
        rc::gen::element<std::string>("<use_tool>",
                                      "</use_tool>",
                                      "<tool_call>",
                                      "[TOOL_CALLS]",
                                      "<|python_tag|>",
                                      "<｜tool▁sep｜>",
                                      "\n```json\n",
                                      R"({"name")",
                                      R"(:"a")",
                                      R"(,"arguments":)",
                                      "{'",
                                      "({",
                                      "{",
                                      "}",
                                      "\"",
                                      "\\",
                                      "x"));
    std::string text;
    for (const std::string& piece : pieces) {
      text += piece;
    }
    std::deque<std::string> respelled;
    for (const Written& written : read_commands(text, respelled)) {
      RC_ASSERT(written.arguments.empty() || written.arguments.starts_with('{'));
    }
  }));
}

TEST(FormChances, fall_on_each_form_by_its_share) {
  FormChances chances;
  chances[Form::qwen] = 0.25;
  chances[Form::no_command] = 0.25;
  EXPECT_EQ(chances.draw(0.5, 0.1), Form::plain);
  EXPECT_EQ(chances.draw(0.4, 0.4), Form::no_command);
  EXPECT_EQ(chances.draw(0.4, 0.6), Form::qwen);
  EXPECT_EQ(chances.draw(0.0, 0.9999999), Form::qwen);
}

}  // namespace
}  // namespace sortie::sim
