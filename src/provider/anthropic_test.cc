#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"

#include <string>
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
  call.api_name = "claude-test";
  call.messages = &messages;
  call.capability = &kUsual;
  return call;
}

std::string body_of(const Call& call) {
  return json::canonical(json::parse(anthropic().encode(call).body).value());
}

std::string canonical(std::string_view text) {
  return json::canonical(json::parse(text).value());
}

TEST(AnthropicEncode, puts_the_system_prompt_apart_and_content_into_blocks) {
  const std::vector<Message> messages = {message(Role::system, "Be brief."),
                                         message(Role::user, "Läuft es?"),
                                         message(Role::assistant, "Ja."),
                                         message(Role::user, "Gut.")};
  Call call = call_of(messages);
  call.sampling = {.temperature = 0.6, .top_p = 0.95, .max_tokens = 512, .seed = 7};
  EXPECT_EQ(body_of(call),
            canonical(R"({"model":"claude-test","max_tokens":512,"system":"Be brief.",
    "messages":[{"role":"user","content":[{"type":"text","text":"Läuft es?"}]},
                {"role":"assistant","content":[{"type":"text","text":"Ja."}]},
                {"role":"user","content":[{"type":"text","text":"Gut."}]}],
    "temperature":0.6,"top_p":0.95})"));
}

TEST(AnthropicEncode, puts_all_results_of_a_turn_into_one_message_of_the_user) {
  Message asks = message(Role::assistant, "Both.");
  asks.tool_calls = {{.id = "t1", .name = "search", .arguments = R"({"q":"a b"})"},
                     {.id = "t2", .name = "read", .arguments = "{broken"},
                     {.id = "t3", .name = "now", .arguments = ""}};
  Message first = message(Role::tool, "3 hits");
  first.tool_call_id = "t1";
  Message second = message(Role::tool, "failed");
  second.tool_call_id = "t2";
  const std::vector<Message> messages = {
      message(Role::user, "go"), asks, first, second, message(Role::user, "on")};
  const std::vector<chat::ToolSchema> functions = {
      {.name = "search",
       .description = "Finds tools.",
       .parameters = json::parse(R"({"type":"object","properties":{}})").value()}};
  Call call = call_of(messages);
  call.functions = &functions;
  EXPECT_EQ(body_of(call), canonical(R"({"model":"claude-test","max_tokens":4096,"messages":[
    {"role":"user","content":[{"type":"text","text":"go"}]},
    {"role":"assistant","content":[{"type":"text","text":"Both."},
      {"type":"tool_use","id":"t1","name":"search","input":{"q":"a b"}},
      {"type":"tool_use","id":"t2","name":"read","input":{"unreadable":"{broken"}},
      {"type":"tool_use","id":"t3","name":"now","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"3 hits"},
      {"type":"tool_result","tool_use_id":"t2","content":"failed"},{"type":"text","text":"on"}]}],
    "tools":[{"name":"search","description":"Finds tools.",
              "input_schema":{"type":"object","properties":{}}}]})"));
}

TEST(AnthropicEncode, sends_signed_thinking_back_verbatim_and_nobody_elses) {
  const std::string signed_part =
      R"([{"type":"thinking","thinking":"hm","signature":"abc=="},{"type":"redacted_thinking","data":"x"}])";
  Message asks = message(Role::assistant, "21");
  asks.opaque = signed_part;
  asks.opaque_dialect = "anthropic";
  std::vector<Message> messages = {message(Role::user, "go"), asks, message(Role::user, "on")};
  EXPECT_EQ(body_of(call_of(messages)),
            canonical(R"({"model":"claude-test","max_tokens":4096,"messages":[
    {"role":"user","content":[{"type":"text","text":"go"}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"abc=="},
       {"type":"redacted_thinking","data":"x"},{"type":"text","text":"21"}]},
    {"role":"user","content":[{"type":"text","text":"on"}]}]})"));
  messages[1].opaque_dialect = "gemini";
  EXPECT_EQ(anthropic().encode(call_of(messages)).body.find("signature"), std::string::npos);
}

TEST(AnthropicEncode, leaves_out_messages_of_nothing_but_space) {
  const std::vector<Message> messages = {
      message(Role::user, "a"), message(Role::assistant, " \n"), message(Role::user, "b")};
  EXPECT_EQ(body_of(call_of(messages)),
            canonical(R"({"model":"claude-test","max_tokens":4096,"messages":[
    {"role":"user","content":[{"type":"text","text":"a"}]},
    {"role":"user","content":[{"type":"text","text":"b"}]}]})"));
}

TEST(AnthropicEncode, addresses_the_request_and_signs_it) {
  const std::vector<Message> messages = {message(Role::user, "a")};
  const base::Secret key("sk-ant-secret");
  Call call = call_of(messages);
  call.key = &key;
  call.stream = true;
  const wire::Request request = anthropic().encode(call);
  EXPECT_EQ(request.url, "https://api.test/v1/messages");
  EXPECT_EQ(request.headers.find("x-api-key"), "sk-ant-secret");
  EXPECT_EQ(request.headers.find("anthropic-version"), "2023-06-01");
  EXPECT_EQ(request.headers.find("authorization"), std::nullopt);
  EXPECT_NE(request.body.find(R"("stream":true)"), std::string::npos);
  call.base_url = "https://gateway.test/claude/v1";
  call.api_version = "2024-10-01";
  EXPECT_EQ(anthropic().encode(call).url, "https://gateway.test/claude/v1/messages");
  EXPECT_EQ(anthropic().encode(call).headers.find("anthropic-version"), "2024-10-01");
}

}  // namespace
}  // namespace sortie::provider
