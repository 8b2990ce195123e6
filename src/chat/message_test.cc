#include "sortie/chat/message.h"

#include <array>
#include <limits>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::chat {
namespace {

/// Texts a decoder can deliver: any code points, among them quotes, controls, NUL and characters of
/// four bytes.
rc::Gen<std::string> text() {
  const auto piece = rc::gen::element<std::string>("",
                                                   "a",
                                                   "Z9",
                                                   "\"",
                                                   "\\",
                                                   "\n",
                                                   "\t",
                                                   std::string(1, '\0'),
                                                   "é",
                                                   "测",
                                                   "🚀",
                                                   "</think>",
                                                   " ");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece), [](const auto& pieces) {
    std::string all;
    for (const std::string& one : pieces) {
      all += one;
    }
    return all;
  });
}

ToolCall any_call() {
  return {.id = *text(), .name = *text(), .arguments = *text()};
}

Answer any_answer() {
  Answer answer;
  answer.text = *text();
  answer.reasoning = *text();
  const auto calls = *rc::gen::inRange(0, 4);
  for (int i = 0; i < calls; ++i) {
    answer.tool_calls.push_back(any_call());
  }
  answer.refusal = *text();
  answer.finish = *rc::gen::element(FinishReason::stop,
                                    FinishReason::length,
                                    FinishReason::tool_calls,
                                    FinishReason::content_filter,
                                    FinishReason::other);
  answer.finish_text = *text();
  answer.usage = {.input = *rc::gen::arbitrary<std::int64_t>(),
                  .output = *rc::gen::arbitrary<std::int64_t>(),
                  .cached_input = *rc::gen::arbitrary<std::int64_t>(),
                  .reasoning = *rc::gen::arbitrary<std::int64_t>()};
  answer.usage_reported = *rc::gen::arbitrary<bool>();
  answer.served_model = *text();
  answer.response_id = *text();
  answer.fingerprint = *text();
  return answer;
}

TEST(Answer, json_and_back_gives_the_same_answer) {
  EXPECT_TRUE(rc::check([] {
    const Answer answer = any_answer();
    const auto back = answer_from_json(to_json(answer));
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == answer);
  }));
}

TEST(Answer, printed_json_and_back_gives_the_same_answer) {
  EXPECT_TRUE(rc::check([] {
    const Answer answer = any_answer();
    const auto value = json::parse(json::to_text(to_json(answer)));
    RC_ASSERT(value.has_value());
    const auto back = answer_from_json(*value);
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == answer);
    RC_ASSERT(json::canonical(to_json(*back)) == json::canonical(to_json(answer)));
  }));
}

TEST(Answer, defaults_take_no_room) {
  EXPECT_EQ(json::to_text(to_json(Answer{})), R"({"finish":"stop"})");
  Answer answer;
  answer.text = "hello";
  answer.usage.output = 3;
  EXPECT_EQ(json::to_text(to_json(answer)),
            R"({"text":"hello","finish":"stop","usage":{"output":3}})");
}

TEST(Answer, extreme_counts_survive) {
  Answer answer;
  answer.usage.input = std::numeric_limits<std::int64_t>::max();
  answer.usage.output = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(answer_from_json(json::parse(json::to_text(to_json(answer))).value()).value(), answer);
}

TEST(Answer, what_is_not_understood_is_refused_and_named) {
  const auto message = [](std::string_view text) {
    const auto answer = answer_from_json(json::parse(text).value());
    return answer.has_value() ? std::string("accepted") : answer.error().message;
  };
  EXPECT_EQ(message("[]"), "stored answer: an object is expected");
  EXPECT_EQ(message("{}"), "stored answer: member 'finish' is missing");
  EXPECT_EQ(message(R"({"finish":"stop","colour":1})"), "stored answer: unknown member 'colour'");
  EXPECT_EQ(message(R"({"finish":"stop","text":1})"),
            "stored answer: member 'text' must be a text");
  EXPECT_EQ(
      message(R"({"finish":"halt"})"),
      "stored answer: member 'finish' must be stop, length, tool_calls, content_filter or other");
  EXPECT_EQ(message(R"({"finish":"stop","usage":{"input":1.5}})"),
            "stored answer: member 'input' must be an integer");
  EXPECT_EQ(message(R"({"finish":"stop","usage":{"inputs":1}})"),
            "stored answer: unknown member 'inputs' in 'usage'");
  EXPECT_EQ(message(R"({"finish":"stop","tool_calls":{}})"),
            "stored answer: member 'tool_calls' must be an array");
  EXPECT_EQ(message(R"({"finish":"stop","tool_calls":["x"]})"),
            "stored answer: member 'tool_calls' must be an object");
  EXPECT_EQ(message(R"({"finish":"stop","tool_calls":[{"id":1}]})"),
            "stored answer: member 'id' must be a text");
  EXPECT_EQ(message(R"({"finish":"stop","usage_reported":1})"),
            "stored answer: member 'usage_reported' must be true or false");
}

TEST(Names, of_roles_and_finish_reasons_are_distinct_and_read_back) {
  std::set<std::string_view> roles;
  for (const Role role : {Role::system, Role::user, Role::assistant, Role::tool}) {
    roles.insert(to_string(role));
  }
  EXPECT_EQ(roles, (std::set<std::string_view>{"system", "user", "assistant", "tool"}));
  for (const FinishReason reason : {FinishReason::stop,
                                    FinishReason::length,
                                    FinishReason::tool_calls,
                                    FinishReason::content_filter,
                                    FinishReason::other}) {
    EXPECT_EQ(finish_reason_from(to_string(reason)), reason);
  }
  EXPECT_EQ(finish_reason_from("STOP"), std::nullopt);
  EXPECT_EQ(finish_reason_from(""), std::nullopt);
}

}  // namespace
}  // namespace sortie::chat
