#include "sortie/sim/openai.h"

#include "sortie/base/json.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

ApiError error_of(std::string_view body) {
  ChatRequest request;
  const auto parsed = parse_chat_request(body, request);
  EXPECT_FALSE(parsed.has_value()) << body;
  return parsed.has_value() ? ApiError{} : parsed.error();
}

TEST(ChatRequest, reads_messages_sampling_and_calls) {
  ChatRequest request;
  const auto parsed = parse_chat_request(
      R"({"model": "m", "max_tokens": 64, "seed": 5, "temperature": 0.6, "messages": [
        {"role": "system", "content": "be"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": null,
         "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"}]})",
      request);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.max_tokens, 64);
  EXPECT_EQ(request.seed, 5);
  ASSERT_EQ(request.messages.size(), 4U);
  EXPECT_EQ(request.messages[1].text, "ab");
  ASSERT_EQ(request.messages[2].tool_calls.size(), 1U);
  EXPECT_EQ(request.messages[2].tool_calls[0].name, "f");
  EXPECT_EQ(request.messages[3].tool_call_id, "c1");
  EXPECT_EQ(request.characters(), 2U + 2 + 1 + 2 + 2);
}

TEST(ChatRequest, refuses_what_the_provider_would_refuse) {
  EXPECT_EQ(error_of("{").status, 400);
  EXPECT_EQ(error_of("[]").type, "invalid_request_error");
  EXPECT_EQ(error_of(R"({"messages": []})").param, "model");
  EXPECT_EQ(error_of(R"({"model": "m"})").code, "missing_required_parameter");
  EXPECT_EQ(error_of(R"({"model": "m", "messages": []})").code, "empty_array");
  EXPECT_EQ(error_of(R"({"model": "m", "messages": [{"role": "boss", "content": "x"}]})").param,
            "messages[0].role");
  EXPECT_EQ(error_of(R"({"model": "m", "messages": [{"role": "user", "content": 5}]})").code,
            "invalid_type");
  EXPECT_EQ(
      error_of(
          R"({"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 3})")
          .param,
      "temperature");
  EXPECT_EQ(
      error_of(R"({"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 0})")
          .param,
      "max_tokens");
  EXPECT_EQ(error_of(R"({"model": "m", "messages": [{"role": "user", "content": "x"}],)"
                     R"("stream_options": {"include_usage": true}})")
                .param,
            "stream_options");
}

TEST(ChatAnswer, is_written_as_openai_writes_it) {
  const wire::Response response = encode_answer({.id = "chatcmpl-1",
                                                 .created = 1767225600,
                                                 .model = "gpt-x",
                                                 .fingerprint = "fp_1",
                                                 .text = "say \"hi\"\n",
                                                 .calls = {},
                                                 .finish_reason = "stop",
                                                 .input_tokens = 10,
                                                 .output_tokens = 3});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(
      response.body,
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"gpt-x","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"say \"hi\"\n","refusal":null},"logprobs":null,"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":0},)"
      R"("completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"fp_1"})");
}

TEST(ChatAnswer, with_calls_has_no_content) {
  ChatAnswer answer;
  answer.id = "chatcmpl-0123456789abcdef";
  answer.calls = {{.name = "f", .arguments = R"({"a": 1})"}, {.name = "g", .arguments = "{}"}};
  answer.finish_reason = "tool_calls";
  const auto body = json::parse(encode_answer(answer).body);
  ASSERT_TRUE(body.has_value());
  const json::Value& message = (*json::get_array(*body, "choices"))[0].as_object().at("message");
  EXPECT_TRUE(json::find(message, "content")->is_null());
  const json::Array& calls = *json::get_array(message, "tool_calls");
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_NE(json::get_string(calls[0], "id"), json::get_string(calls[1], "id"));
  EXPECT_EQ(json::get_string(*json::find(calls[0], "function"), "arguments"), R"({"a": 1})");
}

TEST(Errors, have_openai_bodies) {
  EXPECT_EQ(
      encode_error(unknown_model("gpt-9")).body,
      R"({"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.",)"
      R"("type":"invalid_request_error","param":null,"code":"model_not_found"}})");
  EXPECT_EQ(encode_error(invalid_key()).status, 401);
}

Refusal refusal_of(Dimension dimension, base::Duration wait) {
  return {.limit = "l",
          .dimension = dimension,
          .quota = 600,
          .used = 600,
          .requested = 1,
          .window = minutes(1),
          .wait = wait};
}

TEST(Refusals, say_which_dimension_and_how_long) {
  const wire::Response response =
      encode_refusal(refusal_of(Dimension::requests, milliseconds(1200)), "m", "org");
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.headers.find("retry-after"), "2");
  EXPECT_EQ(response.headers.find("retry-after-ms"), "1200");
  EXPECT_EQ(
      response.body,
      R"({"error":{"message":"Rate limit reached for m in organization org on requests per min (RPM): Limit 600, )"
      R"(Used 600, Requested 1. Please try again in 1.2s.","type":"requests","param":null,)"
      R"("code":"rate_limit_exceeded"}})");
}

TEST(Refusals, of_slots_name_no_time) {
  const wire::Response response =
      encode_refusal(refusal_of(Dimension::concurrency, {}), "m", "org");
  EXPECT_FALSE(response.headers.find("retry-after").has_value());
  EXPECT_NE(response.body.find("concurrent"), std::string::npos);
}

TEST(Refusals, of_requests_larger_than_the_limit_say_so_and_name_no_time) {
  const wire::Response response = encode_refusal(refusal_of(Dimension::tokens, kNever), "m", "org");
  EXPECT_FALSE(response.headers.find("retry-after-ms").has_value());
  EXPECT_NE(response.body.find("Request too large"), std::string::npos);
}

}  // namespace
}  // namespace sortie::sim
