#include "sortie/sim/dialects.h"

#include "sortie/base/json.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/wire/message.h"
#include "sortie/wire/sse.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sim {
namespace {

wire::Headers anthropic_headers() {
  wire::Headers headers;
  headers.add("anthropic-version", "2023-06-01");
  return headers;
}

ChatAnswer answer_of_everything() {
  ChatAnswer answer;
  answer.id = "chatcmpl-0123456789abcdef0123456789abcdef";
  answer.model = "m";
  answer.text = "Grüße, ☀ " + std::string(200, 'x');
  answer.reasoning = "Let me think about that for a while, and then some more.";
  answer.calls = {{.name = "read", .arguments = R"({"path":"a b"})"}};
  answer.finish_reason = "tool_calls";
  answer.input_tokens = 100;
  answer.output_tokens = 50;
  answer.reasoning_tokens = 14;
  return answer;
}

TEST(Targets, say_the_dialect) {
  EXPECT_EQ(target_of("/v1/chat/completions", "/v1")->dialect, Dialect::openai);
  const auto azure =
      target_of("/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21", "/v1");
  EXPECT_EQ(azure->dialect, Dialect::azure);
  EXPECT_EQ(azure->model, "gpt 4o");
  EXPECT_EQ(target_of("/models/chat/completions?api-version=x", "/v1")->dialect, Dialect::azure_ai);
  EXPECT_EQ(target_of("/v1/messages", "/v1")->dialect, Dialect::anthropic);
  const auto gemini = target_of("/v1beta/models/gemini-2.5-flash:generateContent", "/v1");
  EXPECT_EQ(gemini->dialect, Dialect::gemini);
  EXPECT_EQ(gemini->model, "gemini-2.5-flash");
  EXPECT_FALSE(gemini->stream);
  EXPECT_TRUE(target_of("/v1beta/models/m:streamGenerateContent?alt=sse", "/v1")->stream);
}

TEST(Targets, are_exact) {
  for (const std::string_view path : {"/openai/deployments/m/chat/completions",
                                      "/openai/deployments//chat/completions?api-version=1",
                                      "/openai/deployments/a/b/chat/completions?api-version=1",
                                      "/models/chat/completions",
                                      "/v1/messages/count_tokens",
                                      "/v1beta/models/m:countTokens",
                                      "/v1beta/models/m:streamGenerateContent",
                                      "/chat/completions"}) {
    EXPECT_FALSE(target_of(path, "/v1")) << path;
  }
}

TEST(Credentials, stand_where_the_dialect_wants_them) {
  wire::Headers headers;
  headers.add("Authorization", "Bearer one");
  headers.add("api-key", "two");
  headers.add("x-api-key", "three");
  headers.add("x-goog-api-key", "four");
  EXPECT_EQ(credential_of(Dialect::openai, headers), "one");
  EXPECT_EQ(credential_of(Dialect::azure, headers), "two");
  EXPECT_EQ(credential_of(Dialect::azure_ai, headers), "two");
  EXPECT_EQ(credential_of(Dialect::anthropic, headers), "three");
  EXPECT_EQ(credential_of(Dialect::gemini, headers), "four");
}

TEST(AzureRequest, names_one_deployment_in_address_and_body) {
  ChatRequest request;
  const auto parsed = parse_request({.dialect = Dialect::azure, .model = "m-2"},
                                    {},
                                    R"({"model":"m","messages":[{"role":"user","content":"x"}]})",
                                    request);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, "DeploymentMismatch");
}

TEST(AnthropicRequest, is_read_as_the_same_conversation) {
  ChatRequest request;
  const std::string body = R"({"model":"m","max_tokens":64,"system":"Be brief.","messages":[
    {"role":"user","content":[{"type":"text","text":"go"}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":")" +
                           signature_of("hm") + R"("},{"type":"text","text":"ok"},
      {"type":"tool_use","id":"t1","name":"read","input":{"path":"a"}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"text"}]}],
    "tools":[{"name":"read","input_schema":{"type":"object"}}]})";
  const auto parsed =
      parse_request({.dialect = Dialect::anthropic}, anthropic_headers(), body, request);
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(request.messages.size(), 4U);
  EXPECT_EQ(request.messages[0].role, "system");
  EXPECT_EQ(request.messages[2].text, "ok");
  ASSERT_EQ(request.messages[2].tool_calls.size(), 1U);
  EXPECT_EQ(request.messages[2].tool_calls[0].arguments, R"({"path":"a"})");
  EXPECT_EQ(request.messages[3].role, "tool");
  EXPECT_EQ(request.messages[3].tool_call_id, "t1");
  EXPECT_TRUE(request.functions);
  EXPECT_EQ(request.max_tokens, 64);
}

std::string anthropic_problem(std::string_view members) {
  ChatRequest request;
  const std::string body = R"({"model":"m",)" + std::string(members) + "}";
  const auto parsed =
      parse_request({.dialect = Dialect::anthropic}, anthropic_headers(), body, request);
  return parsed ? "" : parsed.error().message;
}

TEST(AnthropicRequest, is_refused_as_the_provider_refuses_it) {
  constexpr std::string_view kHello = R"("messages":[{"role":"user","content":"x"}])";
  EXPECT_EQ(anthropic_problem(R"("max_tokens":1,)" + std::string(kHello)), "");
  EXPECT_NE(anthropic_problem(kHello).find("max_tokens"), std::string::npos);
  EXPECT_NE(anthropic_problem(R"("max_tokens":1,"seed":7,)" + std::string(kHello)).find("seed"),
            std::string::npos);
  EXPECT_NE(anthropic_problem(R"("max_tokens":1,"messages":[{"role":"system","content":"x"}])")
                .find("system"),
            std::string::npos);
  EXPECT_NE(
      anthropic_problem(
          R"("max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":" "}]}])")
          .find("non-whitespace"),
      std::string::npos);
  EXPECT_NE(anthropic_problem(
                R"("max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"assistant",)"
                R"("content":[{"type":"tool_use","id":"t","name":"n","input":{}}]},)"
                R"({"role":"user","content":[{"type":"text","text":"y"}]}])")
                .find("tool_result"),
            std::string::npos);
  EXPECT_NE(anthropic_problem(
                R"("max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"assistant",)"
                R"("content":[{"type":"thinking","thinking":"changed","signature":"old"}]}])")
                .find("signature"),
            std::string::npos);
  ChatRequest request;
  EXPECT_FALSE(parse_request({.dialect = Dialect::anthropic}, {}, "{}", request));
}

TEST(GeminiRequest, is_read_as_the_same_conversation) {
  ChatRequest request;
  const std::string body = R"({"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[
    {"role":"user","parts":[{"text":"go"}]},
    {"role":"model","parts":[{"text":"ok"},
      {"functionCall":{"name":"read","args":{"path":"a"}},"thoughtSignature":")" +
                           signature_of("read") + R"("},
      {"functionCall":{"name":"read","args":{"path":"b"}}}]},
    {"role":"user","parts":[{"functionResponse":{"name":"read","response":{"result":"first"}}},
      {"functionResponse":{"name":"read","response":{"result":"second"}}}]}],
    "tools":[{"functionDeclarations":[{"name":"read"}]}],
    "generationConfig":{"maxOutputTokens":64,"seed":7}})";
  const Target target{.dialect = Dialect::gemini, .model = "m"};
  const auto parsed = parse_request(target, {}, body, request);
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(request.messages.size(), 5U);
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.messages[2].tool_calls.size(), 2U);
  EXPECT_EQ(request.messages[3].tool_call_id, request.messages[2].tool_calls[0].id);
  EXPECT_EQ(request.messages[4].tool_call_id, request.messages[2].tool_calls[1].id);
  EXPECT_EQ(request.messages[4].text, "second");
  EXPECT_EQ(request.max_tokens, 64);
  EXPECT_EQ(request.seed, 7);
}

TEST(GeminiRequest, is_refused_as_the_provider_refuses_it) {
  const auto problem = [](std::string_view body) {
    ChatRequest request;
    const auto parsed =
        parse_request({.dialect = Dialect::gemini, .model = "m"}, {}, body, request);
    return parsed ? "" : parsed.error().message;
  };
  constexpr std::string_view kHello = R"("contents":[{"role":"user","parts":[{"text":"x"}]}])";
  EXPECT_EQ(problem("{" + std::string(kHello) + "}"), "");
  EXPECT_NE(problem("{" + std::string(kHello) + R"(,"stream":true})").find("stream"),
            std::string::npos);
  EXPECT_NE(problem("{" + std::string(kHello) + R"(,"generationConfig":{"max_tokens":1}})")
                .find("max_tokens"),
            std::string::npos);
  EXPECT_NE(problem(R"({"contents":[{"role":"assistant","parts":[{"text":"x"}]}]})").find("role"),
            std::string::npos);
  EXPECT_NE(problem(R"({"contents":[{"role":"user","parts":[]}]})").find("empty"),
            std::string::npos);
}

TEST(Streams, are_events_with_documents) {
  const ChatAnswer answer = answer_of_everything();
  ChatRequest request;
  request.stream_usage = true;
  for (const Dialect dialect :
       {Dialect::openai, Dialect::azure, Dialect::azure_ai, Dialect::anthropic, Dialect::gemini}) {
    const Streamed stream = stream_in(dialect, answer, request);
    wire::SseDecoder decoder;
    std::size_t events = 0;
    for (const std::string& bytes : stream.events) {
      const wire::SseBatch batch = decoder.feed(bytes);
      ASSERT_EQ(batch.events.size(), 1U) << bytes;
      if (batch.events[0].data != "[DONE]") {
        const auto document = json::parse(batch.events[0].data);
        ASSERT_TRUE(document.has_value()) << bytes;
        if (dialect == Dialect::anthropic) {
          EXPECT_EQ(json::get_string(*document, "type"), batch.events[0].event);
        }
      }
      ++events;
    }
    EXPECT_GE(events, 10U);
    EXPECT_TRUE(decoder.at_boundary());
  }
}

TEST(Pieces, are_whole_characters_and_all_of_the_text) {
  const std::string text = "Grüße ☀☀☀☀☀☀☀☀☀☀☀☀☀☀ und mehr" + std::string(5'000, 'y');
  std::string joined;
  const auto pieces = pieces_of(text);
  for (const std::string_view piece : pieces) {
    EXPECT_NE(static_cast<unsigned char>(piece.front()) & 0xC0U, 0x80U);
    joined += piece;
  }
  EXPECT_EQ(joined, text);
  EXPECT_LE(pieces.size(), kPiecesMax + 1);
  EXPECT_TRUE(pieces_of("").empty());
}

TEST(Errors, are_in_each_ones_own_words) {
  const ApiError key = invalid_key();
  EXPECT_EQ(error_in(Dialect::anthropic, key).status, 401);
  EXPECT_NE(error_in(Dialect::anthropic, key).body.find("authentication_error"), std::string::npos);
  EXPECT_EQ(error_in(Dialect::gemini, key).status, 400);
  EXPECT_NE(error_in(Dialect::gemini, key).body.find("API_KEY_INVALID"), std::string::npos);
  EXPECT_NE(error_in(Dialect::azure, key).body.find(R"("code":"401")"), std::string::npos);
  EXPECT_NE(error_in(Dialect::azure, unknown_model("m")).body.find("DeploymentNotFound"),
            std::string::npos);
  EXPECT_EQ(error_in(Dialect::anthropic, {.status = 503, .message = "x"}).status, 529);
  EXPECT_TRUE(error_event_in(Dialect::anthropic, key).starts_with("event: error\n"));
}

TEST(Refusals, are_in_each_ones_own_words) {
  const Refusal refusal{.limit = "tpm",
                        .dimension = Dimension::tokens,
                        .quota = 1000,
                        .used = 900,
                        .requested = 200,
                        .window = std::chrono::minutes(1),
                        .wait = std::chrono::milliseconds(2500)};
  const auto azure = refusal_in(Dialect::azure, refusal, "m", "a", true);
  EXPECT_NE(azure.body.find("exceeded token rate limit"), std::string::npos);
  EXPECT_NE(azure.body.find("Please retry after 3 seconds"), std::string::npos);
  EXPECT_EQ(azure.headers.find("retry-after-ms"), "2500");
  const auto anthropic = refusal_in(Dialect::anthropic, refusal, "m", "a", true);
  EXPECT_EQ(anthropic.headers.find("retry-after"), "3");
  EXPECT_NE(anthropic.body.find("rate_limit_error"), std::string::npos);
  const auto gemini = refusal_in(Dialect::gemini, refusal, "m", "a", true);
  EXPECT_TRUE(gemini.headers.find("retry-after") == std::nullopt);
  EXPECT_NE(gemini.body.find("2.500s"), std::string::npos);
  EXPECT_NE(gemini.body.find("RESOURCE_EXHAUSTED"), std::string::npos);
}

TEST(ShownLimits, have_each_ones_own_headers) {
  const std::vector<ShownLimit> limits = {{.dimension = Dimension::requests,
                                           .quota = 60,
                                           .remaining = 59,
                                           .reset = std::chrono::milliseconds(1500)}};
  const auto shown = [&](Dialect dialect) {
    wire::Headers headers;
    show_limits_in(dialect, limits, 1'767'225'600, headers);
    return headers;
  };
  EXPECT_EQ(shown(Dialect::openai).find("x-ratelimit-reset-requests"), "1.5s");
  EXPECT_EQ(shown(Dialect::azure).find("x-ratelimit-remaining-requests"), "59");
  EXPECT_EQ(shown(Dialect::azure).find("x-ratelimit-limit-requests"), std::nullopt);
  EXPECT_TRUE(shown(Dialect::gemini).empty());
  const wire::Headers anthropic = shown(Dialect::anthropic);
  EXPECT_EQ(anthropic.find("anthropic-ratelimit-requests-limit"), "60");
  EXPECT_EQ(anthropic.find("anthropic-ratelimit-requests-reset"), "2026-01-01T00:00:02Z");
  EXPECT_EQ(anthropic.find("date"), "Thu, 01 Jan 2026 00:00:00 GMT");
}

}  // namespace
}  // namespace sortie::sim
