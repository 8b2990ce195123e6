#include "sortie/sim/gemini.h"

#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/sim/dialects.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

using ParseStatus = std::expected<void, ApiError>;

std::unexpected<ApiError> invalid(std::string message) {
  return std::unexpected(ApiError{.message = std::move(message)});
}

std::string_view keep(ChatRequest& request, std::string text) {
  return request.joined.emplace_back(std::move(text));
}

/// Results name the function, not the call: they answer the open calls of that name in order.
std::string_view id_of_result(const ChatRequest& request, std::string_view name) {
  std::vector<std::string_view> answered;
  for (std::size_t i = request.messages.size(); i-- > 0;) {
    const AskedMessage& message = request.messages[i];
    if (message.role == "tool") {
      answered.push_back(message.tool_call_id);
      continue;
    }
    for (const AskedCall& call : message.tool_calls) {
      if (call.name == name && std::ranges::find(answered, call.id) == answered.end()) {
        return call.id;
      }
    }
    break;
  }
  return {};
}

ParseStatus read_user_part(const json::Value& part, ChatRequest& request) {
  if (const json::Value* result = json::find(part, "functionResponse"); result != nullptr) {
    const std::string_view name = json::get_string(*result, "name").value_or("");
    const json::Object* response = json::get_object(*result, "response");
    if (name.empty() || response == nullptr) {
      return invalid("GenerateContentRequest.contents: function_response needs name and response");
    }
    const std::string_view id = id_of_result(request, name);
    if (id.empty()) {
      return invalid(
          "Please ensure that the number of function response parts is equal to the number of "
          "function call parts of the function call turn.");
    }
    const json::Value* text = response->if_contains("result");
    request.messages.push_back({.role = "tool",
                                .text = text != nullptr && text->is_string()
                                            ? json::view(text->get_string())
                                            : keep(request, json::to_text(*response)),
                                .tool_call_id = id});
    return {};
  }
  const auto text = json::get_string(part, "text");
  if (!text) {
    return invalid("GenerateContentRequest.contents: contents.parts must not be empty.");
  }
  request.messages.push_back({.role = "user", .text = *text});
  return {};
}

ParseStatus read_model_parts(const json::Array& parts, ChatRequest& request) {
  AskedMessage out;
  out.role = "assistant";
  std::string text;
  for (const json::Value& part : parts) {
    const json::Value* call = json::find(part, "functionCall");
    if (call != nullptr) {
      const json::Object* args = json::get_object(*call, "args");
      const std::size_t turn = request.messages.size();
      out.tool_calls.push_back(
          {.id = keep(request, fmt::format("{}/{}", turn, out.tool_calls.size())),
           .name = json::get_string(*call, "name").value_or(""),
           .arguments = keep(request, args != nullptr ? json::to_text(*args) : "{}")});
      const auto signature = json::get_string(part, "thoughtSignature");
      if (signature && *signature != signature_of(out.tool_calls.back().name)) {
        return invalid("Thought signature is not valid.");
      }
    } else if (!json::get_bool(part, "thought").value_or(false)) {
      text += json::get_string(part, "text").value_or("");
    }
  }
  out.text = keep(request, std::move(text));
  request.messages.push_back(std::move(out));
  return {};
}

ParseStatus read_contents(const json::Array& contents, ChatRequest& request) {
  for (const json::Value& content : contents) {
    const std::string_view role = json::get_string(content, "role").value_or("user");
    const json::Array* parts = json::get_array(content, "parts");
    if (parts == nullptr || parts->empty()) {
      return invalid("* GenerateContentRequest.contents: contents.parts must not be empty.");
    }
    if (role == "model") {
      if (auto read = read_model_parts(*parts, request); !read) {
        return read;
      }
      continue;
    }
    if (role != "user" && role != "function") {
      return invalid("Please use a valid role: user, model.");
    }
    for (const json::Value& part : *parts) {
      if (auto read = read_user_part(part, request); !read) {
        return read;
      }
    }
  }
  return {};
}

void read_system(ChatRequest& request) {
  const json::Value* system = json::find(request.document, "systemInstruction");
  const json::Array* parts = system != nullptr ? json::get_array(*system, "parts") : nullptr;
  if (parts == nullptr) {
    return;
  }
  std::string text;
  for (const json::Value& part : *parts) {
    text += json::get_string(part, "text").value_or("");
  }
  request.messages.push_back({.role = "system", .text = keep(request, std::move(text))});
}

/// The API refuses names that it does not know, at every level; here at two.
ParseStatus check_names(const json::Object& object,
                        std::string_view where,
                        const std::vector<std::string_view>& known) {
  for (const auto& member : object) {
    const std::string_view name = member.key();
    if (std::ranges::find(known, name) == known.end()) {
      return invalid(fmt::format(
          "Invalid JSON payload received. Unknown name \"{}\"{}: Cannot find field.", name, where));
    }
  }
  return {};
}

ParseStatus read_options(ChatRequest& request) {
  static const std::vector<std::string_view> kTop = {"contents",
                                                     "systemInstruction",
                                                     "tools",
                                                     "toolConfig",
                                                     "safetySettings",
                                                     "generationConfig",
                                                     "cachedContent",
                                                     "model"};
  static const std::vector<std::string_view> kConfig = {"temperature",
                                                        "topP",
                                                        "topK",
                                                        "maxOutputTokens",
                                                        "seed",
                                                        "stopSequences",
                                                        "candidateCount",
                                                        "responseMimeType",
                                                        "responseSchema",
                                                        "thinkingConfig",
                                                        "presencePenalty",
                                                        "frequencyPenalty"};
  if (auto checked = check_names(request.document.get_object(), "", kTop); !checked) {
    return checked;
  }
  if (const json::Object* config = json::get_object(request.document, "generationConfig")) {
    if (auto checked = check_names(*config, " at 'generation_config'", kConfig); !checked) {
      return checked;
    }
    const json::Value value(*config);
    request.max_tokens = json::get_int(value, "maxOutputTokens");
    request.seed = json::get_int(value, "seed");
  }
  if (const json::Array* tools = json::get_array(request.document, "tools"); tools != nullptr) {
    for (const json::Value& tool : *tools) {
      const json::Array* functions = json::get_array(tool, "functionDeclarations");
      request.functions = request.functions || (functions != nullptr && !functions->empty());
    }
  }
  return {};
}

// --- Answers

std::string_view finish_of(const ChatAnswer& answer) {
  if (answer.finish_reason == "length") {
    return "MAX_TOKENS";
  }
  return answer.finish_reason == "content_filter" ? "SAFETY" : "STOP";
}

json::Object call_part(const AnsweredCall& call, bool is_signed) {
  auto arguments = json::parse(call.arguments);
  json::Object function{
      {"name", call.name},
      {"args",
       arguments && arguments->is_object() ? std::move(arguments->get_object()) : json::Object{}}};
  json::Object part{{"functionCall", std::move(function)}};
  if (is_signed) {
    part["thoughtSignature"] = signature_of(call.name);
  }
  return part;
}

/// The parts in order; only the first call is signed.
json::Array parts_of(const ChatAnswer& answer) {
  json::Array parts;
  if (!answer.reasoning.empty()) {
    parts.push_back(json::Object{{"text", answer.reasoning}, {"thought", true}});
  }
  if (const std::string text = answer.text + answer.refusal; !text.empty()) {
    parts.push_back(json::Object{{"text", text}});
  }
  for (std::size_t i = 0; i < answer.calls.size(); ++i) {
    parts.push_back(call_part(answer.calls[i], i == 0));
  }
  return parts;
}

/// Counts of zero are left out.
json::Object usage_of(const ChatAnswer& answer) {
  json::Object usage{{"promptTokenCount", answer.input_tokens},
                     {"totalTokenCount", answer.input_tokens + answer.output_tokens}};
  if (const auto said = answer.output_tokens - answer.reasoning_tokens; said > 0) {
    usage["candidatesTokenCount"] = said;
  }
  if (answer.reasoning_tokens > 0) {
    usage["thoughtsTokenCount"] = answer.reasoning_tokens;
  }
  return usage;
}

json::Object document_of(const ChatAnswer& answer, json::Array parts, bool last) {
  json::Object content{{"role", "model"}};
  if (!parts.empty()) {
    content["parts"] = std::move(parts);
  }
  json::Object candidate{{"content", std::move(content)}, {"index", 0}};
  if (last) {
    candidate["finishReason"] = finish_of(answer);
  }
  json::Array candidates;
  candidates.push_back(std::move(candidate));
  json::Object document{{"candidates", std::move(candidates)},
                        {"modelVersion", answer.model},
                        {"responseId", answer.id}};
  if (last) {
    document["usageMetadata"] = usage_of(answer);
  }
  return document;
}

std::string event_of(const json::Object& document) {
  return fmt::format("data: {}\r\n\r\n", json::to_text(document));
}

std::string_view status_name(int status) {
  switch (status) {
    case 400:
      return "INVALID_ARGUMENT";
    case 402:
      return "FAILED_PRECONDITION";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 503:
      return "UNAVAILABLE";
    default:
      return "INTERNAL";
  }
}

json::Object status_document(int status, std::string_view message, json::Array details) {
  json::Object error{{"code", status}, {"message", message}, {"status", status_name(status)}};
  if (!details.empty()) {
    error["details"] = std::move(details);
  }
  return {{"error", std::move(error)}};
}

struct Told {
  int status;
  json::Object document;
};

/// What Gemini calls the errors that the simulator's faults are written as.
Told told(const ApiError& error) {
  if (error.code == "invalid_api_key") {
    json::Array details;
    details.push_back(json::Object{{"@type", "type.googleapis.com/google.rpc.ErrorInfo"},
                                   {"reason", "API_KEY_INVALID"},
                                   {"domain", "googleapis.com"}});
    return {400,
            status_document(
                400, "API key not valid. Please pass a valid API key.", std::move(details))};
  }
  if (error.code == "insufficient_quota") {
    return {402, status_document(402, "Your prepayment credits are depleted.", {})};
  }
  if (error.code == "context_length_exceeded") {
    return {400,
            status_document(400,
                            "The input token count (1200000) exceeds the maximum number of tokens "
                            "allowed (1048576).",
                            {})};
  }
  if (error.code == "model_not_found") {
    return {404,
            status_document(404,
                            "The model is not found for API version v1beta, or is not supported "
                            "for generateContent.",
                            {})};
  }
  if (error.status == 503) {
    return {503, status_document(503, "The model is overloaded. Please try again later.", {})};
  }
  return {error.status, status_document(error.status, error.message, {})};
}

}  // namespace

std::expected<void, ApiError> parse_gemini(std::string_view model,
                                           std::string_view body,
                                           ChatRequest& request) {
  auto document = json::parse(body);
  if (!document || !document->is_object()) {
    return invalid("Invalid JSON payload received.");
  }
  request.document = std::move(*document);
  request.model = model;
  const json::Array* contents = json::get_array(request.document, "contents");
  if (contents == nullptr || contents->empty()) {
    return invalid("* GenerateContentRequest.contents: contents is not specified");
  }
  read_system(request);
  if (auto read = read_contents(*contents, request); !read) {
    return read;
  }
  return read_options(request);
}

wire::Response encode_gemini(const ChatAnswer& answer) {
  return json_response(200, json::to_text(document_of(answer, parts_of(answer), true)));
}

std::vector<std::string> stream_gemini(const ChatAnswer& answer) {
  std::vector<std::string> events;
  for (json::Value& part : parts_of(answer)) {
    const auto text = json::get_string(part, "text");
    if (!text) {
      events.push_back(event_of(document_of(answer, {part}, false)));
      continue;
    }
    for (const std::string_view piece : pieces_of(*text)) {
      json::Object small = part.get_object();
      small["text"] = piece;
      json::Array parts;
      parts.push_back(std::move(small));
      events.push_back(event_of(document_of(answer, std::move(parts), false)));
    }
  }
  events.push_back(event_of(document_of(answer, {}, true)));
  return events;
}

wire::Response gemini_error(const ApiError& error) {
  Told what = told(error);
  return json_response(what.status, json::to_pretty_text(what.document));
}

std::string gemini_error_event(const ApiError& error) {
  return event_of(told(error).document);
}

wire::Response gemini_refusal(const Refusal& refusal,
                              std::string_view model,
                              bool with_retry_delay) {
  json::Object violation{
      {"quotaMetric",
       refusal.dimension == Dimension::tokens
           ? "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count"
           : "generativelanguage.googleapis.com/generate_requests_per_model"},
      {"quotaId",
       refusal.dimension == Dimension::tokens
           ? "GenerateContentPaidTierInputTokensPerModelPerMinute"
           : "GenerateRequestsPerMinutePerProjectPerModel"},
      {"quotaDimensions", json::Object{{"model", model}, {"location", "global"}}}};
  json::Array violations;
  violations.push_back(std::move(violation));
  json::Array details;
  details.push_back(json::Object{{"@type", "type.googleapis.com/google.rpc.QuotaFailure"},
                                 {"violations", std::move(violations)}});
  if (with_retry_delay && refusal.wait != kNever) {
    details.push_back(
        json::Object{{"@type", "type.googleapis.com/google.rpc.RetryInfo"},
                     {"retryDelay", fmt::format("{:.3f}s", base::seconds(refusal.wait))}});
  }
  const std::string message =
      refusal.dimension == Dimension::concurrency
          ? "Too many concurrent requests for this model."
          : "You exceeded your current quota, please check your plan and billing details.";
  return json_response(429,
                       json::to_pretty_text(status_document(429, message, std::move(details))));
}

}  // namespace sortie::sim
