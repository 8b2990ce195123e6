#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/openai_answer.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Chat completions: POST {base_url}/chat/completions. The body is written straight into one string:
// a dialogue of 10 KB is encoded ten times a trial, and a document tree would cost more than the
// rest of the turn.

namespace sortie::provider {

namespace {

// What surrounds the text: of a body (with what quoting wants free beyond its end), and of each
// message in it.
constexpr std::size_t kFrame = 1024;
constexpr std::size_t kMessageFrame = 64;

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

void append_number(std::string& out, std::string_view name, const std::string& number) {
  out += ',';
  json::append_quoted(out, name);
  out += ':';
  out += number;
}

void append_sampling(std::string& out,
                     const chat::Sampling& sampling,
                     const Capability& capability) {
  if (sampling.temperature && capability.accepts_temperature) {
    append_number(out, "temperature", json::number_text(*sampling.temperature));
  }
  if (sampling.top_p && capability.accepts_top_p) {
    append_number(out, "top_p", json::number_text(*sampling.top_p));
  }
  if (sampling.max_tokens && !capability.token_limit_parameter.empty()) {
    append_number(out, capability.token_limit_parameter, std::to_string(*sampling.max_tokens));
  }
  if (sampling.seed && capability.accepts_seed) {
    append_number(out, "seed", std::to_string(*sampling.seed));
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
  const Capability usual;
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
  append_sampling(out, call.sampling, call.capability != nullptr ? *call.capability : usual);
  out += '}';
  return out;
}

class OpenAi final : public Dialect {
 public:
  explicit OpenAi(std::vector<SignalRow> rows) : rows_(std::move(rows)) {}

  [[nodiscard]] std::string_view name() const override { return "openai"; }

  [[nodiscard]] wire::Request encode(const Call& call) const override {
    CHECK(call.messages != nullptr);
    wire::Request request;
    request.method = wire::Method::post;
    request.url = std::string(call.base_url) + "/chat/completions";
    request.headers.add("Content-Type", "application/json");
    if (call.key != nullptr) {
      request.headers.add("Authorization", "Bearer " + call.key->reveal());
    }
    request.body = body_of(call);
    return request;
  }

  [[nodiscard]] std::expected<Decoded, quota::Signal> decode(
      const wire::Response& response) const override {
    return decode_openai(response, rows_);
  }

 private:
  std::vector<SignalRow> rows_;
};

}  // namespace

const Dialect& openai() {
  // Immutable after construction, so that it is no state of the program.
  static const OpenAi dialect(openai_signal_rows());
  return dialect;
}

}  // namespace sortie::provider
