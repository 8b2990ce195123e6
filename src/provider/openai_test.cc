#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::provider {
namespace {

using chat::Message;
using chat::Role;

Message message(Role role, std::string text) {
  return {.role = role, .text = std::move(text), .tool_calls = {}, .tool_call_id = {}};
}

Call call_of(const std::vector<Message>& messages) {
  Call call;
  call.base_url = "https://api.test/v1";
  call.api_name = "sim-large";
  call.messages = &messages;
  return call;
}

TEST(OpenAiEncode, writes_a_text_dialogue) {
  const std::vector<Message> messages = {message(Role::system, "Be \"brief\".\n"),
                                         message(Role::user, "Läuft es?"),
                                         message(Role::assistant, "Ja."),
                                         message(Role::user, "")};
  Call call = call_of(messages);
  call.sampling = {.temperature = 0.1, .top_p = 1, .max_tokens = 4096, .seed = 7};
  EXPECT_EQ(openai().encode(call).body,
            "{\"model\":\"sim-large\",\"messages\":["
            "{\"role\":\"system\",\"content\":\"Be \\\"brief\\\".\\n\"},"
            "{\"role\":\"user\",\"content\":\"Läuft es?\"},"
            "{\"role\":\"assistant\",\"content\":\"Ja.\"},"
            "{\"role\":\"user\",\"content\":\"\"}],"
            "\"temperature\":0.1,\"top_p\":1,\"max_tokens\":4096,\"seed\":7}");
}

TEST(OpenAiEncode, writes_native_functions_and_their_results) {
  Message asks = message(Role::assistant, "");
  asks.tool_calls = {{.id = "call_1", .name = "search", .arguments = R"({"q":"a b"})"},
                     {.id = "call_2", .name = "read", .arguments = "{broken"}};
  Message found = message(Role::tool, "3 hits");
  found.tool_call_id = "call_1";
  const std::vector<Message> messages = {message(Role::user, "go"), asks, found};
  const std::vector<chat::ToolSchema> functions = {
      {.name = "search",
       .description = "Finds tools.",
       .parameters =
           json::parse(R"({"type":"object","properties":{"q":{"type":"string"}}})").value()},
      {.name = "read",
       .description = "",
       .parameters = json::parse(R"({"type":"object"})").value()}};
  Call call = call_of(messages);
  call.functions = &functions;
  EXPECT_EQ(
      openai().encode(call).body,
      R"({"model":"sim-large","messages":[{"role":"user","content":"go"},)"
      R"({"role":"assistant","content":null,"tool_calls":[)"
      R"({"id":"call_1","type":"function","function":{"name":"search","arguments":"{\"q\":\"a b\"}"}},)"
      R"({"id":"call_2","type":"function","function":{"name":"read","arguments":"{broken"}}]},)"
      R"({"role":"tool","tool_call_id":"call_1","content":"3 hits"}],)"
      R"("tools":[{"type":"function","function":{"name":"search","description":"Finds tools.",)"
      R"("parameters":{"type":"object","properties":{"q":{"type":"string"}}}}},)"
      R"({"type":"function","function":{"name":"read","parameters":{"type":"object"}}}]})");
}

TEST(OpenAiEncode, sends_parameters_as_the_model_wants_them) {
  const std::vector<Message> messages = {message(Role::user, "hi")};
  const Capability reasoning{.token_limit_parameter = "max_completion_tokens",
                             .accepts_temperature = false,
                             .accepts_top_p = false,
                             .accepts_seed = false};
  Call call = call_of(messages);
  call.sampling = {.temperature = 0.7, .top_p = 0.9, .max_tokens = 1000, .seed = 1};
  call.capability = &reasoning;
  EXPECT_EQ(openai().encode(call).body,
            R"({"model":"sim-large","messages":[{"role":"user","content":"hi"}],)"
            R"("max_completion_tokens":1000})");
}

TEST(OpenAiEncode, sends_no_parameter_that_is_not_set) {
  const std::vector<Message> messages = {message(Role::user, "hi")};
  EXPECT_EQ(openai().encode(call_of(messages)).body,
            R"({"model":"sim-large","messages":[{"role":"user","content":"hi"}]})");
}

TEST(OpenAiEncode, addresses_the_request_and_signs_it) {
  const std::vector<Message> messages = {message(Role::user, "hi")};
  const base::Secret key("sk-test");
  Call call = call_of(messages);
  call.key = &key;
  const wire::Request request = openai().encode(call);
  EXPECT_EQ(request.method, wire::Method::post);
  EXPECT_EQ(request.url, "https://api.test/v1/chat/completions");
  EXPECT_EQ(request.headers.find("content-type"), "application/json");
  EXPECT_EQ(request.headers.find("authorization"), "Bearer sk-test");
  EXPECT_EQ(request.headers.fields().size(), 2U);
}

TEST(OpenAiEncode, sends_no_credential_without_a_key) {
  const std::vector<Message> messages = {message(Role::user, "hi")};
  EXPECT_EQ(openai().encode(call_of(messages)).headers.find("authorization"), std::nullopt);
}

TEST(OpenAiEncode, is_valid_json_whatever_the_text) {
  EXPECT_TRUE(rc::check([](const std::string& text, const std::string& arguments) {
    Message asks = message(Role::assistant, text);
    asks.tool_calls = {{.id = text, .name = arguments, .arguments = arguments}};
    const std::vector<Message> messages = {message(Role::user, text), asks};
    const auto body = json::parse(openai().encode(call_of(messages)).body);
    RC_ASSERT(body.has_value());
    const json::Array* list = json::get_array(*body, "messages");
    RC_ASSERT(list != nullptr);
    RC_ASSERT(list->size() == 2U);
  }));
}

}  // namespace
}  // namespace sortie::provider
