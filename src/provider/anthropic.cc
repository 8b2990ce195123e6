#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/base/text.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/anthropic_answer.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/provider/writing.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Anthropic Messages. The system prompt stands apart, content is a list of blocks, results of tools
// are blocks of a user's message; `max_tokens` is required, a seed does not exist.

namespace sortie::provider {

namespace {

constexpr std::string_view kVersion = "2023-06-01";

// Sent where a campaign sets no limit, since the API refuses requests without one.
constexpr std::int64_t kMaxTokensUsual = 4096;

/// Puts a comma between the members of a list.
class List {
 public:
  explicit List(std::string& out) : out_(out) {}

  void next() {
    if (!std::exchange(first_, false)) {
      out_ += ',';
    }
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_text_block(std::string& out, List& blocks, std::string_view text) {
  // Blocks of nothing but space are refused.
  if (base::trim(text).empty()) {
    return;
  }
  blocks.next();
  out += R"({"type":"text","text":)";
  json::append_quoted(out, text);
  out += '}';
}

/// A call's arguments as an object; what the model wrote in no JSON goes back as a text in one.
void append_input(std::string& out, const std::string& arguments) {
  const base::Result<json::Value> value = json::parse(arguments);
  if (value && value->is_object()) {
    json::append_text(out, *value);
  } else if (base::trim(arguments).empty()) {
    out += "{}";
  } else {
    out += R"({"unreadable":)";
    json::append_quoted(out, arguments);
    out += '}';
  }
}

/// Signed thinking comes first and unchanged.
void append_opaque(std::string& out, List& blocks, const chat::Message& message) {
  if (message.opaque.empty() || message.opaque_dialect != kAnthropicName) {
    return;
  }
  const base::Result<json::Value> parts = json::parse(message.opaque);
  if (!parts || !parts->is_array()) {
    return;
  }
  for (const json::Value& part : parts->get_array()) {
    blocks.next();
    json::append_text(out, part);
  }
}

void append_blocks(std::string& out, List& blocks, const chat::Message& message) {
  if (message.role == chat::Role::tool) {
    blocks.next();
    out += R"({"type":"tool_result","tool_use_id":)";
    json::append_quoted(out, message.tool_call_id);
    out += R"(,"content":)";
    json::append_quoted(out, message.text);
    out += '}';
    return;
  }
  append_opaque(out, blocks, message);
  append_text_block(out, blocks, message.text);
  for (const chat::ToolCall& call : message.tool_calls) {
    blocks.next();
    out += R"({"type":"tool_use","id":)";
    json::append_quoted(out, call.id);
    out += R"(,"name":)";
    json::append_quoted(out, call.name);
    out += R"(,"input":)";
    append_input(out, call.arguments);
    out += '}';
  }
}

bool is_assistant(const chat::Message& message) {
  return message.role == chat::Role::assistant;
}

/// Messages of one side that follow each other are one: all results of a turn have to stand in the
/// message after their calls.
void append_messages(std::string& out, const std::vector<chat::Message>& messages, std::size_t at) {
  List list(out);
  while (at < messages.size()) {
    const bool assistant = is_assistant(messages[at]);
    std::string content;
    List blocks(content);
    for (; at < messages.size() && is_assistant(messages[at]) == assistant; ++at) {
      append_blocks(content, blocks, messages[at]);
    }
    if (content.empty()) {
      continue;
    }
    list.next();
    out += assistant ? R"({"role":"assistant","content":[)" : R"({"role":"user","content":[)";
    out += content;
    out += "]}";
  }
}

void append_tools(std::string& out, const std::vector<chat::ToolSchema>& functions) {
  out += R"(,"tools":[)";
  List list(out);
  for (const chat::ToolSchema& function : functions) {
    list.next();
    out += R"({"name":)";
    json::append_quoted(out, function.name);
    if (!function.description.empty()) {
      out += R"(,"description":)";
      json::append_quoted(out, function.description);
    }
    out += R"(,"input_schema":)";
    json::append_text(out, function.parameters);
    out += '}';
  }
  out += ']';
}

std::string body_of(const Call& call) {
  const SystemPrompt system = system_prompt(*call.messages);
  const SentSampling sent = sent_sampling(call);
  std::string out = R"({"model":)";
  json::append_quoted(out, call.api_name);
  append_number(out, "max_tokens", std::optional(sent.max_tokens.value_or(kMaxTokensUsual)));
  if (!system.text.empty()) {
    out += R"(,"system":)";
    json::append_quoted(out, system.text);
  }
  out += R"(,"messages":[)";
  append_messages(out, *call.messages, system.rest);
  out += ']';
  if (call.functions != nullptr && !call.functions->empty()) {
    append_tools(out, *call.functions);
  }
  append_number(out, "temperature", sent.temperature);
  append_number(out, "top_p", sent.top_p);
  if (call.stream) {
    out += R"(,"stream":true)";
  }
  out += '}';
  return out;
}

class Anthropic final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const override { return kAnthropicName; }

  [[nodiscard]] wire::Request encode(const Call& call) const override {
    CHECK(call.messages != nullptr && call.capability != nullptr);
    wire::Request request;
    request.method = wire::Method::post;
    request.url = with_prefix(call.base_url, "/v1") + "/messages";
    request.headers.add("Content-Type", "application/json");
    request.headers.add("anthropic-version",
                        std::string(call.api_version.empty() ? kVersion : call.api_version));
    if (call.key != nullptr) {
      request.headers.add("x-api-key", call.key->reveal());
    }
    request.body = body_of(call);
    return request;
  }

  void take_event(json::Value event, AnswerDocument& answer) const override {
    take_anthropic_event(event, answer);
  }

  [[nodiscard]] std::expected<Decoded, quota::Signal> read(
      const json::Value& document,
      const wire::Response& head,
      const SignalRules& rules) const override {
    return read_anthropic(document, head, rules);
  }
};

}  // namespace

const Dialect& anthropic() {
  static const Anthropic dialect;
  return dialect;
}

}  // namespace sortie::provider
