#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/gemini_answer.h"
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

// Gemini's generateContent. The model stands in the URL; the assistant is called "model"; results
// of functions name the function and not the call, and stand in a message of the user.

namespace sortie::provider {

namespace {

/// The name of the function that a result answers: calls stand in the messages before it.
std::string_view name_of_call(const std::vector<chat::Message>& messages,
                              std::size_t before,
                              std::string_view id) {
  for (std::size_t i = before; i-- > 0;) {
    for (const chat::ToolCall& call : messages[i].tool_calls) {
      if (call.id == id) {
        return call.name;
      }
    }
  }
  return id;
}

json::Object text_part(std::string_view text) {
  json::Object part;
  part["text"] = text;
  return part;
}

json::Object call_part(const chat::ToolCall& call) {
  json::Object function;
  function["name"] = call.name;
  const base::Result<json::Value> arguments = json::parse(call.arguments);
  if (arguments && arguments->is_object()) {
    function["args"] = *arguments;
  } else {
    // What the model wrote in no JSON goes back as a text in one.
    function["args"] = json::Object{{"unreadable", call.arguments}};
  }
  json::Object part;
  part["functionCall"] = std::move(function);
  return part;
}

json::Object result_part(std::string_view name, std::string_view text) {
  json::Object response;
  response["result"] = text;
  json::Object function;
  function["name"] = name;
  function["response"] = std::move(response);
  json::Object part;
  part["functionResponse"] = std::move(function);
  return part;
}

/// Puts the signatures of an answer back on the parts that they came with.
void put_signatures(const chat::Message& message, bool has_text, json::Array& parts) {
  if (message.opaque.empty() || message.opaque_dialect != kGeminiName) {
    return;
  }
  const base::Result<json::Value> kept = json::parse(message.opaque);
  if (!kept || !kept->is_array()) {
    return;
  }
  for (const json::Value& item : kept->get_array()) {
    const auto call = json::get_int(item, "call");
    const std::size_t at =
        call && *call >= 0 ? static_cast<std::size_t>(*call) + (has_text ? 1 : 0) : std::size_t{0};
    const json::Value* signature = json::find(item, "thoughtSignature");
    if (at < parts.size() && parts[at].is_object() && signature != nullptr) {
      parts[at].get_object()["thoughtSignature"] = *signature;
    }
  }
}

json::Array parts_of(const std::vector<chat::Message>& messages, std::size_t at) {
  const chat::Message& message = messages[at];
  json::Array parts;
  if (message.role == chat::Role::tool) {
    parts.push_back(result_part(name_of_call(messages, at, message.tool_call_id), message.text));
    return parts;
  }
  const bool has_text = !message.text.empty();
  if (has_text) {
    parts.push_back(text_part(message.text));
  }
  for (const chat::ToolCall& call : message.tool_calls) {
    parts.push_back(call_part(call));
  }
  put_signatures(message, has_text, parts);
  return parts;
}

std::string_view role_of(const chat::Message& message) {
  return message.role == chat::Role::assistant ? "model" : "user";
}

json::Array contents_of(const std::vector<chat::Message>& messages, std::size_t at) {
  json::Array contents;
  for (; at < messages.size(); ++at) {
    const std::string_view role = role_of(messages[at]);
    json::Array parts = parts_of(messages, at);
    if (parts.empty()) {
      continue;
    }
    if (!contents.empty() && json::get_string(contents.back(), "role") == role) {
      json::Array& known = contents.back().get_object()["parts"].get_array();
      known.insert(known.end(), parts.begin(), parts.end());
      continue;
    }
    json::Object content;
    content["role"] = role;
    content["parts"] = std::move(parts);
    contents.push_back(std::move(content));
  }
  return contents;
}

json::Array declarations_of(const std::vector<chat::ToolSchema>& functions) {
  json::Array declarations;
  for (const chat::ToolSchema& function : functions) {
    json::Object declaration;
    declaration["name"] = function.name;
    if (!function.description.empty()) {
      declaration["description"] = function.description;
    }
    // `parameters` takes a subset of OpenAPI alone, which has no additionalProperties.
    declaration["parametersJsonSchema"] = function.parameters;
    declarations.push_back(std::move(declaration));
  }
  return declarations;
}

std::string config_of(const Call& call) {
  const SentSampling sent = sent_sampling(call);
  std::string members;
  append_number(members, "temperature", sent.temperature);
  append_number(members, "topP", sent.top_p);
  append_number(members, "maxOutputTokens", sent.max_tokens);
  append_number(members, "seed", sent.seed);
  return members.empty() ? members : members.substr(1);
}

std::string body_of(const Call& call) {
  const SystemPrompt system = system_prompt(*call.messages);
  std::string out = R"({"contents":)";
  json::append_text(out, contents_of(*call.messages, system.rest));
  if (!system.text.empty()) {
    out += R"(,"systemInstruction":{"parts":[{"text":)";
    json::append_quoted(out, system.text);
    out += "}]}";
  }
  if (call.functions != nullptr && !call.functions->empty()) {
    out += R"(,"tools":[{"functionDeclarations":)";
    json::append_text(out, declarations_of(*call.functions));
    out += "}]";
  }
  if (const std::string config = config_of(call); !config.empty()) {
    out += R"(,"generationConfig":{)" + config + "}";
  }
  out += '}';
  return out;
}

class Gemini final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const override { return kGeminiName; }

  [[nodiscard]] wire::Request encode(const Call& call) const override {
    CHECK(call.messages != nullptr && call.capability != nullptr);
    wire::Request request;
    request.method = wire::Method::post;
    const std::string_view version = call.api_version.empty() ? "v1beta" : call.api_version;
    request.url = with_prefix(call.base_url, "/" + std::string(version)) + "/models/" +
                  percent_encoded(call.api_name) +
                  (call.stream ? ":streamGenerateContent?alt=sse" : ":generateContent");
    request.headers.add("Content-Type", "application/json");
    if (call.key != nullptr) {
      request.headers.add("x-goog-api-key", call.key->reveal());
    }
    request.body = body_of(call);
    return request;
  }

  [[nodiscard]] std::string_view model_field() const override { return "modelVersion"; }

  void take_event(json::Value event, AnswerDocument& answer) const override {
    take_gemini_event(event, answer);
  }

  [[nodiscard]] std::expected<Decoded, quota::Signal> read(
      const json::Value& document,
      const wire::Response& head,
      const SignalRules& rules) const override {
    return read_gemini(document, head, rules);
  }
};

}  // namespace

const Dialect& gemini() {
  static const Gemini dialect;
  return dialect;
}

}  // namespace sortie::provider
