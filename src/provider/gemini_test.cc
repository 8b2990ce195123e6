#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::provider {
namespace {

using chat::Message;
using chat::Role;

const Capability kUsual;

Message message(Role role, std::string text) {
  return {.role = role, .text = std::move(text)};
}

Call call_of(const std::vector<Message>& messages) {
  Call call;
  call.base_url = "https://api.test";
  call.api_name = "gemini-test";
  call.messages = &messages;
  call.capability = &kUsual;
  return call;
}

std::string body_of(const Call& call) {
  return json::canonical(json::parse(gemini().encode(call).body).value());
}

std::string canonical(std::string_view text) {
  return json::canonical(json::parse(text).value());
}

TEST(GeminiEncode, writes_a_text_dialogue) {
  const std::vector<Message> messages = {message(Role::system, "Be brief."),
                                         message(Role::user, "Läuft es?"),
                                         message(Role::assistant, "Ja."),
                                         message(Role::user, "Gut.")};
  Call call = call_of(messages);
  call.sampling = {.temperature = 0.6, .top_p = 0.95, .max_tokens = 512, .seed = 7};
  EXPECT_EQ(body_of(call), canonical(R"({"systemInstruction":{"parts":[{"text":"Be brief."}]},
    "contents":[{"role":"user","parts":[{"text":"Läuft es?"}]},
                {"role":"model","parts":[{"text":"Ja."}]},
                {"role":"user","parts":[{"text":"Gut."}]}],
    "generationConfig":{"temperature":0.6,"topP":0.95,"maxOutputTokens":512,"seed":7}})"));
}

TEST(GeminiEncode, names_the_function_that_a_result_answers) {
  Message asks = message(Role::assistant, "Both.");
  asks.tool_calls = {{.id = "t1", .name = "search", .arguments = R"({"q":"a"})"},
                     {.id = "t2", .name = "read", .arguments = "{broken"}};
  Message first = message(Role::tool, "3 hits");
  first.tool_call_id = "t1";
  Message second = message(Role::tool, "failed");
  second.tool_call_id = "t2";
  const std::vector<Message> messages = {message(Role::user, "go"), asks, first, second};
  const std::vector<chat::ToolSchema> functions = {
      {.name = "search",
       .description = "Finds tools.",
       .parameters = json::parse(R"({"type":"object","additionalProperties":false})").value()}};
  Call call = call_of(messages);
  call.functions = &functions;
  EXPECT_EQ(body_of(call), canonical(R"({"contents":[
    {"role":"user","parts":[{"text":"go"}]},
    {"role":"model","parts":[{"text":"Both."},
      {"functionCall":{"name":"search","args":{"q":"a"}}},
      {"functionCall":{"name":"read","args":{"unreadable":"{broken"}}}]},
    {"role":"user","parts":[
      {"functionResponse":{"name":"search","response":{"result":"3 hits"}}},
      {"functionResponse":{"name":"read","response":{"result":"failed"}}}]}],
    "tools":[{"functionDeclarations":[{"name":"search","description":"Finds tools.",
      "parametersJsonSchema":{"type":"object","additionalProperties":false}}]}]})"));
}

TEST(GeminiEncode, puts_signatures_back_on_the_parts_that_they_came_with) {
  Message asks = message(Role::assistant, "Both.");
  asks.tool_calls = {{.id = "t1", .name = "a", .arguments = "{}"},
                     {.id = "t2", .name = "b", .arguments = "{}"}};
  asks.opaque = R"([{"thoughtSignature":"on-text"},{"call":1,"thoughtSignature":"on-b"}])";
  asks.opaque_dialect = "gemini";
  std::vector<Message> messages = {message(Role::user, "go"), asks};
  EXPECT_EQ(body_of(call_of(messages)), canonical(R"({"contents":[
    {"role":"user","parts":[{"text":"go"}]},
    {"role":"model","parts":[{"text":"Both.","thoughtSignature":"on-text"},
      {"functionCall":{"name":"a","args":{}}},
      {"functionCall":{"name":"b","args":{}},"thoughtSignature":"on-b"}]}]})"));
  messages[1].opaque_dialect = "anthropic";
  EXPECT_EQ(gemini().encode(call_of(messages)).body.find("Signature"), std::string::npos);
}

TEST(GeminiEncode, addresses_the_request_and_signs_it) {
  const std::vector<Message> messages = {message(Role::user, "a")};
  const base::Secret key("AIza-secret");
  Call call = call_of(messages);
  call.key = &key;
  wire::Request request = gemini().encode(call);
  EXPECT_EQ(request.url, "https://api.test/v1beta/models/gemini-test:generateContent");
  EXPECT_EQ(request.headers.find("x-goog-api-key"), "AIza-secret");
  call.stream = true;
  call.base_url = "https://api.test/v1beta";
  request = gemini().encode(call);
  EXPECT_EQ(request.url,
            "https://api.test/v1beta/models/gemini-test:streamGenerateContent?alt=sse");
  EXPECT_EQ(request.body.find("stream"), std::string::npos);
}

}  // namespace
}  // namespace sortie::provider
