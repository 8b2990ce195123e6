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
  static const Capability usual;
  Call call;
  call.capability = &usual;
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

TEST(OpenAiEncode, asks_for_usage_in_a_stream_where_that_is_taken) {
  const std::vector<Message> messages = {message(Role::user, "hi")};
  Call call = call_of(messages);
  call.stream = true;
  EXPECT_NE(
      openai().encode(call).body.find(R"("stream":true,"stream_options":{"include_usage":true}})"),
      std::string::npos);
  const Capability plain{.stream_usage = false};
  call.capability = &plain;
  EXPECT_TRUE(openai().encode(call).body.ends_with(R"("stream":true})"));
}

TEST(OpenAiEncode, names_organization_and_project) {
  const std::vector<Message> messages = {message(Role::user, "hi")};
  Call call = call_of(messages);
  call.organization = "org-1";
  call.project = "proj-1";
  const wire::Request request = openai().encode(call);
  EXPECT_EQ(request.headers.find("openai-organization"), "org-1");
  EXPECT_EQ(request.headers.find("openai-project"), "proj-1");
}

TEST(OpenAiEncode, sends_reasoning_details_back_to_who_made_them) {
  Message asks = message(Role::assistant, "x");
  asks.opaque = R"([{"type":"reasoning.encrypted","data":"gAAA"}])";
  asks.opaque_dialect = "openai";
  const std::vector<Message> messages = {message(Role::user, "hi"), asks};
  EXPECT_NE(openai()
                .encode(call_of(messages))
                .body.find(R"("reasoning_details":[{"type":"reasoning.encrypted","data":"gAAA"}])"),
            std::string::npos);
}

TEST(AzureEncode, puts_the_deployment_into_address_and_body) {
  const std::vector<Message> messages = {message(Role::user, "hi")};
  const base::Secret key("azure-key");
  Call call = call_of(messages);
  call.base_url = "https://team.openai.azure.com";
  call.api_name = "gpt-4o mini/2";
  call.key = &key;
  wire::Request request = azure().encode(call);
  EXPECT_EQ(request.url,
            "https://team.openai.azure.com/openai/deployments/gpt-4o%20mini%2F2/chat/completions"
            "?api-version=2024-10-21");
  EXPECT_EQ(request.headers.find("api-key"), "azure-key");
  EXPECT_EQ(request.headers.find("authorization"), std::nullopt);
  EXPECT_NE(request.body.find(R"("model":"gpt-4o mini/2")"), std::string::npos);
  call.api_version = "2025-01-01-preview";
  call.base_url = "https://team.openai.azure.com/openai";
  EXPECT_EQ(azure().encode(call).url,
            "https://team.openai.azure.com/openai/deployments/gpt-4o%20mini%2F2/chat/completions"
            "?api-version=2025-01-01-preview");
}

TEST(AzureAiEncode, has_an_address_of_its_own) {
  const std::vector<Message> messages = {message(Role::user, "hi")};
  Call call = call_of(messages);
  call.base_url = "https://team.services.ai.azure.com";
  call.api_name = "DeepSeek-V3-0324-2";
  const wire::Request request = azure_ai().encode(call);
  EXPECT_EQ(request.url,
            "https://team.services.ai.azure.com/models/chat/completions"
            "?api-version=2024-05-01-preview");
  EXPECT_NE(request.body.find(R"("model":"DeepSeek-V3-0324-2")"), std::string::npos);
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
