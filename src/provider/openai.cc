#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/openai_answer.h"
#include "sortie/provider/signals.h"
#include "sortie/provider/writing.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Chat completions. The body is written straight into one string: a dialogue of 10 KB is encoded
// ten times a trial, and a document tree would cost more than the rest of the turn.

namespace sortie::provider {

namespace {

// What surrounds the text: of a body (with what quoting wants free beyond its end), and of each
// message in it.
constexpr std::size_t kFrame = 1024;
constexpr std::size_t kMessageFrame = 64;

// What Azure's documentation names as generally available.
constexpr std::string_view kAzureVersion = "2024-10-21";
constexpr std::string_view kAzureAiVersion = "2024-05-01-preview";

void append_tool_calls(std::string& out, const std::vector<chat::ToolCall>& calls) {
  out += ",\"tool_calls\":[";
  bool first = true;
  for (const chat::ToolCall& call : calls) {
    out += first ? R"({"id":)" : R"(,{"id":)";
    first = false;
    json::append_quoted(out, call.id);
    out += R"(,"type":"function","function":{"name":)";
    json::append_quoted(out, call.name);
    out += R"(,"arguments":)";
    json::append_quoted(out, call.arguments);
    out += "}}";
  }
  out += ']';
}

void append_message(std::string& out, const chat::Message& message) {
  out += R"({"role":")";
  out += chat::to_string(message.role);
  out += '"';
  if (message.role == chat::Role::tool) {
    out += R"(,"tool_call_id":)";
    json::append_quoted(out, message.tool_call_id);
  }
  out += R"(,"content":)";
  if (message.text.empty() && !message.tool_calls.empty()) {
    out += "null";
  } else {
    json::append_quoted(out, message.text);
  }
  if (!message.tool_calls.empty()) {
    append_tool_calls(out, message.tool_calls);
  }
  if (!message.opaque.empty() && message.opaque_dialect == kOpenAiFamily) {
    out += R"(,"reasoning_details":)";
    out += message.opaque;
  }
  out += '}';
}

void append_functions(std::string& out, const std::vector<chat::ToolSchema>& functions) {
  out += ",\"tools\":[";
  bool first = true;
  for (const chat::ToolSchema& function : functions) {
    out += first ? R"({"type":"function","function":{"name":)"
                 : R"(,{"type":"function","function":{"name":)";
    first = false;
    json::append_quoted(out, function.name);
    if (!function.description.empty()) {
      out += R"(,"description":)";
      json::append_quoted(out, function.description);
    }
    out += R"(,"parameters":)";
    json::append_text(out, function.parameters);
    out += "}}";
  }
  out += ']';
}

void append_sampling(std::string& out, const Call& call) {
  const Capability& capability = *call.capability;
  const SentSampling sent = sent_sampling(call);
  append_number(out, "temperature", sent.temperature);
  append_number(out, "top_p", sent.top_p);
  if (!capability.token_limit_parameter.empty()) {
    append_number(out, capability.token_limit_parameter, sent.max_tokens);
  }
  append_number(out, "seed", sent.seed);
}

void append_stream(std::string& out, const Call& call) {
  if (call.stream) {
    out += R"(,"stream":true)";
    if (call.capability->stream_usage) {
      out += R"(,"stream_options":{"include_usage":true})";
    }
  }
}

/// Enough for the body without growing, quotes and escapes of ordinary text included.
std::size_t expected_bytes(const Call& call) {
  std::size_t bytes = kFrame;
  for (const chat::Message& message : *call.messages) {
    bytes += message.text.size() + message.text.size() / 16 + kMessageFrame;
    for (const chat::ToolCall& tool_call : message.tool_calls) {
      bytes += 2 * tool_call.arguments.size() + 2 * kMessageFrame;
    }
  }
  return bytes;
}

std::string body_of(const Call& call) {
  std::string out;
  out.reserve(expected_bytes(call));
  out += R"({"model":)";
  json::append_quoted(out, call.api_name);
  out += R"(,"messages":[)";
  bool first = true;
  for (const chat::Message& message : *call.messages) {
    if (!std::exchange(first, false)) {
      out += ',';
    }
    append_message(out, message);
  }
  out += ']';
  if (call.functions != nullptr && !call.functions->empty()) {
    append_functions(out, *call.functions);
  }
  append_sampling(out, call);
  append_stream(out, call);
  out += '}';
  return out;
}

/// Where the family's members live and how they are signed.
enum class Address : std::uint8_t { openai, azure, azure_ai };

std::string url_of(Address address, const Call& call) {
  const auto version = [&](std::string_view usual) {
    return "?api-version=" + percent_encoded(call.api_version.empty() ? usual : call.api_version);
  };
  switch (address) {
    case Address::azure:
      return with_prefix(call.base_url, "/openai") + "/deployments/" +
             percent_encoded(call.api_name) + "/chat/completions" + version(kAzureVersion);
    case Address::azure_ai:
      return with_prefix(call.base_url, "/models") + "/chat/completions" + version(kAzureAiVersion);
    case Address::openai:
      break;
  }
  return std::string(call.base_url) + "/chat/completions";
}

void add_headers(Address address, const Call& call, wire::Headers& headers) {
  headers.add("Content-Type", "application/json");
  if (call.key != nullptr) {
    if (address == Address::openai) {
      headers.add("Authorization", "Bearer " + call.key->reveal());
    } else {
      headers.add("api-key", call.key->reveal());
    }
  }
  if (!call.organization.empty()) {
    headers.add("OpenAI-Organization", std::string(call.organization));
  }
  if (!call.project.empty()) {
    headers.add("OpenAI-Project", std::string(call.project));
  }
}

class OpenAi final : public Dialect {
 public:
  constexpr OpenAi(std::string_view name, Address address) : name_(name), address_(address) {}

  [[nodiscard]] std::string_view name() const override { return name_; }

  [[nodiscard]] wire::Request encode(const Call& call) const override {
    CHECK(call.messages != nullptr && call.capability != nullptr);
    wire::Request request;
    request.method = wire::Method::post;
    request.url = url_of(address_, call);
    add_headers(address_, call, request.headers);
    request.body = body_of(call);
    return request;
  }

  void take_event(json::Value event, AnswerDocument& answer) const override {
    take_openai_event(event, answer);
  }

  [[nodiscard]] std::expected<Decoded, quota::Signal> read(
      const json::Value& document,
      const wire::Response& head,
      const SignalRules& rules) const override {
    return read_openai(document, head, rules);
  }

 private:
  std::string_view name_;
  Address address_;
};

}  // namespace

const Dialect& openai() {
  static const OpenAi dialect("openai", Address::openai);
  return dialect;
}

const Dialect& azure() {
  static const OpenAi dialect("azure", Address::azure);
  return dialect;
}

const Dialect& azure_ai() {
  static const OpenAi dialect("azure_ai", Address::azure_ai);
  return dialect;
}

}  // namespace sortie::provider
