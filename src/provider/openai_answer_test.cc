#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::provider {
namespace {

using chat::FinishReason;
using quota::Dimension;
using quota::Signal;
using quota::SignalClass;

constexpr std::string_view kGoodBody =
    R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"sim-large-0613",)"
    R"("choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},)"
    R"("logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":120,"completion_tokens":45,)"
    R"("total_tokens":165,"prompt_tokens_details":{"cached_tokens":64},)"
    R"("completion_tokens_details":{"reasoning_tokens":20}},"system_fingerprint":"fp_1"})";

wire::Response response_of(int status, std::string_view body) {
  wire::Response response;
  response.status = status;
  response.body = std::string(body);
  return response;
}

chat::Answer answer_of(std::string_view body) {
  auto decoded = openai().decode(response_of(200, body), {});
  EXPECT_TRUE(decoded) << body << '\n' << (decoded ? "" : decoded.error().message);
  return decoded ? std::move(decoded->answer) : chat::Answer{};
}

Signal signal_of_response(wire::Response response) {
  auto decoded = openai().decode(response, {});
  EXPECT_FALSE(decoded) << response.body;
  return decoded ? Signal{} : std::move(decoded.error());
}

Signal signal_of_body(int status, std::string_view body) {
  return signal_of_response(response_of(status, body));
}

std::string with_message(std::string_view message, std::string_view finish = "stop") {
  return R"({"model":"m","choices":[{"message":)" + std::string(message) + R"(,"finish_reason":")" +
         std::string(finish) + R"("}]})";
}

TEST(OpenAiDecode, reads_a_complete_answer) {
  const chat::Answer answer = answer_of(kGoodBody);
  EXPECT_EQ(answer.text, "Hello");
  EXPECT_EQ(answer.finish, FinishReason::stop);
  EXPECT_EQ(answer.finish_text, "stop");
  EXPECT_EQ(answer.served_model, "sim-large-0613");
  EXPECT_EQ(answer.response_id, "chatcmpl-1");
  EXPECT_EQ(answer.fingerprint, "fp_1");
  EXPECT_TRUE(answer.usage_reported);
  EXPECT_EQ(answer.usage,
            (chat::Usage{.input = 120, .output = 45, .cached_input = 64, .reasoning = 20}));
}

TEST(OpenAiDecode, reads_the_hints_of_a_good_answer) {
  wire::Response response = response_of(200, kGoodBody);
  response.headers.add("x-ratelimit-remaining-requests", "59");
  response.headers.add("x-ratelimit-reset-requests", "1s");
  const auto decoded = openai().decode(response, {});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->hints.remaining_requests, 59);
  EXPECT_EQ(decoded->hints.reset_requests, std::chrono::seconds(1));
}

TEST(OpenAiDecode, joins_content_parts) {
  const chat::Answer answer = answer_of(with_message(
      R"({"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"},)"
      R"({"type":"output_text","text":"b"},"c",{"type":"refusal","refusal":"no"},7,null]})"));
  EXPECT_EQ(answer.text, "abc");
  EXPECT_EQ(answer.reasoning, "hm");
  EXPECT_EQ(answer.refusal, "no");
}

TEST(OpenAiDecode, keeps_reasoning_apart_from_the_text) {
  const chat::Answer deepseek =
      answer_of(with_message(R"({"content":"","reasoning_content":"because"})"));
  EXPECT_EQ(deepseek.text, "");
  EXPECT_EQ(deepseek.reasoning, "because");
  EXPECT_EQ(answer_of(with_message(R"({"content":"x","reasoning":"so"})")).reasoning, "so");
}

TEST(OpenAiDecode, reads_tool_calls) {
  const chat::Answer answer = answer_of(with_message(
      R"({"content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f",)"
      R"("arguments":"{\"a\":1"}},{"id":"c2","function":{"name":"g","arguments":{"b":2}}}]})",
      "tool_calls"));
  ASSERT_EQ(answer.tool_calls.size(), 2U);
  EXPECT_EQ(answer.tool_calls[0],
            (chat::ToolCall{.id = "c1", .name = "f", .arguments = R"({"a":1)"}));
  EXPECT_EQ(answer.tool_calls[1],
            (chat::ToolCall{.id = "c2", .name = "g", .arguments = R"({"b":2})"}));
  EXPECT_EQ(answer.finish, FinishReason::tool_calls);
}

TEST(OpenAiDecode, reads_a_legacy_function_call) {
  const chat::Answer answer = answer_of(with_message(
      R"({"content":null,"function_call":{"name":"f","arguments":"{}"}})", "function_call"));
  ASSERT_EQ(answer.tool_calls.size(), 1U);
  EXPECT_EQ(answer.tool_calls[0].name, "f");
}

TEST(OpenAiDecode, maps_finish_reasons_and_keeps_the_word) {
  EXPECT_EQ(answer_of(with_message(R"({"content":"x"})", "length")).finish, FinishReason::length);
  EXPECT_EQ(answer_of(with_message(R"({"content":"x"})", "content_filter")).finish,
            FinishReason::content_filter);
  EXPECT_EQ(answer_of(with_message(R"({"content":"x"})", "eos")).finish, FinishReason::stop);
  const chat::Answer odd = answer_of(with_message(R"({"content":"x"})", "tired"));
  EXPECT_EQ(odd.finish, FinishReason::other);
  EXPECT_EQ(odd.finish_text, "tired");
}

TEST(OpenAiDecode, an_empty_answer_is_an_answer) {
  const chat::Answer answer = answer_of(with_message(R"({"content":""})"));
  EXPECT_EQ(answer.text, "");
  EXPECT_FALSE(answer.usage_reported);
}

TEST(OpenAiDecode, reads_the_usage_of_other_gateways) {
  const auto usage_of = [](std::string_view usage) {
    return answer_of(R"({"choices":[{"message":{"content":"x"}}],"usage":)" + std::string(usage) +
                     "}");
  };
  EXPECT_EQ(usage_of(R"({"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":4})")
                .usage.cached_input,
            4);
  EXPECT_EQ(
      usage_of(R"({"prompt_tokens":9,"completion_tokens":1,"cached_tokens":3})").usage.cached_input,
      3);
  EXPECT_EQ(usage_of(R"({"prompt_tokens":10,"completion_tokens":5,"total_tokens":45,)"
                     R"("completion_tokens_details":{"reasoning_tokens":30}})")
                .usage.output,
            35)
      << "reasoning that is counted beside the completion";
  EXPECT_FALSE(usage_of(R"({"prompt_tokens":-1,"completion_tokens":5})").usage_reported);
  EXPECT_FALSE(usage_of(R"({"prompt_tokens":1e300,"completion_tokens":5})").usage_reported);
  EXPECT_FALSE(usage_of("null").usage_reported);
}

TEST(OpenAiDecode, waits_out_the_empty_lines_of_a_queue) {
  EXPECT_EQ(answer_of("\n\n \n" + std::string(kGoodBody) + "\n").text, "Hello");
}

TEST(OpenAiDecode, ignores_an_error_member_that_says_nothing) {
  EXPECT_EQ(answer_of(R"({"error":null,"choices":[{"message":{"content":"x"}}]})").text, "x");
}

TEST(OpenAiDecode, a_page_instead_of_an_answer_is_transient) {
  const Signal signal = signal_of_body(200, "<html><body>502 Bad Gateway</body></html>");
  EXPECT_EQ(signal.kind, SignalClass::transient);
  EXPECT_EQ(signal.code, "not_json");
  EXPECT_NE(signal.message.find("502 Bad Gateway"), std::string::npos);
}

TEST(OpenAiDecode, a_truncated_answer_is_broken_and_perhaps_billed) {
  const std::string_view good = kGoodBody;
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{1}, good.size() / 2, good.size() - 1}) {
    const Signal signal = signal_of_body(200, good.substr(0, length));
    EXPECT_EQ(signal.kind, SignalClass::broken) << length;
    EXPECT_EQ(signal.code, "truncated") << length;
    EXPECT_TRUE(signal.maybe_billed) << length;
  }
}

TEST(OpenAiDecode, an_answer_without_choices_is_broken) {
  for (const std::string_view body : {R"({"id":"x"})",
                                      R"({"choices":[]})",
                                      R"({"choices":{}})",
                                      R"({"choices":[7]})",
                                      R"({"choices":[{"message":"text"}]})",
                                      "[]",
                                      "[1]"}) {
    EXPECT_EQ(signal_of_body(200, body).kind, SignalClass::broken) << body;
  }
}

TEST(OpenAiDecode, survives_deep_and_large_bodies) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(signal_of_body(200, deep).kind, SignalClass::broken);
  EXPECT_EQ(signal_of_body(500, deep).kind, SignalClass::transient);
  const std::string large = with_message("{\"content\":\"" + std::string(1'000'000, 'x') + "\"}");
  EXPECT_EQ(answer_of(large).text.size(), 1'000'000U);
}

TEST(OpenAiDecode, never_throws_whatever_the_bytes) {
  const std::string seed = with_message(
      R"({"content":[{"type":"text","text":"a"}],"tool_calls":[{"id":1,"function":{"name":"f"}}]})");
  EXPECT_TRUE(rc::check([&seed] {
    std::string body =
        *rc::gen::element(std::string(kGoodBody), seed, std::string("{\"error\":{}}"));
    const int edits = *rc::gen::inRange(0, 6);
    for (int i = 0; i < edits && !body.empty(); ++i) {
      const auto at = *rc::gen::inRange<std::size_t>(0, body.size());
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
          body[at] = static_cast<char>(*rc::gen::inRange(0, 256));
          break;
        case 1:
          body.erase(at, *rc::gen::inRange<std::size_t>(1, 40));
          break;
        case 2:
          body.insert(
              at, *rc::gen::element<std::string>("null", "{", "]", "\"", "-1e999", "\\u", "[]"));
          break;
        default:
          body += body.substr(at);
          break;
      }
    }
    wire::Response response = response_of(*rc::gen::element(200, 204, 400, 429, 500, 0), body);
    response.headers.add("retry-after", *rc::gen::arbitrary<std::string>());
    const auto decoded = openai().decode(response, {});
    RC_ASSERT(decoded || decoded.error().message.size() <= 1'000);
    if (decoded) {
      RC_ASSERT(decoded->answer.usage.input >= 0);
      RC_ASSERT(decoded->answer.usage.output >= 0);
    }
  }));
}

}  // namespace
}  // namespace sortie::provider
