#include "sortie/sim/anthropic.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/sim/dialects.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace sortie::sim {

namespace {

using ParseStatus = std::expected<void, ApiError>;

constexpr int kOverloaded = 529;

std::unexpected<ApiError> invalid(std::string message) {
  return std::unexpected(ApiError{.message = std::move(message)});
}

/// A text, or blocks of text.
std::string text_of(const json::Value& content) {
  if (content.is_string()) {
    return std::string(json::view(content.get_string()));
  }
  std::string text;
  if (const json::Array* blocks = content.if_array(); blocks != nullptr) {
    for (const json::Value& block : *blocks) {
      text += json::get_string(block, "text").value_or("");
    }
  }
  return text;
}

std::string_view keep(ChatRequest& request, std::string text) {
  return request.joined.emplace_back(std::move(text));
}

/// Thoughts have to come back as they were said.
ParseStatus check_thinking(const json::Value& block, std::size_t at) {
  const std::string_view thoughts = json::get_string(block, "thinking").value_or("");
  if (json::get_string(block, "signature") != signature_of(thoughts)) {
    return invalid(fmt::format("messages.{}.content: Invalid `signature` in `thinking` block", at));
  }
  return {};
}

ParseStatus read_assistant_block(const json::Value& block,
                                 std::size_t at,
                                 ChatRequest& request,
                                 AskedMessage& out) {
  const std::string_view type = json::get_string(block, "type").value_or("");
  if (type == "text") {
    const std::string_view text = json::get_string(block, "text").value_or("");
    if (text.empty()) {
      return invalid("messages: text content blocks must be non-empty");
    }
    out.text = keep(request, std::string(out.text) + std::string(text));
  } else if (type == "tool_use") {
    const json::Value* input = json::find(block, "input");
    if (input == nullptr || !input->is_object()) {
      return invalid(fmt::format(
          "messages.{}.content: tool_use.input: Input should be a valid dictionary", at));
    }
    out.tool_calls.push_back({.id = json::get_string(block, "id").value_or(""),
                              .name = json::get_string(block, "name").value_or(""),
                              .arguments = keep(request, json::to_text(*input))});
  } else if (type == "thinking") {
    return check_thinking(block, at);
  } else if (type != "redacted_thinking") {
    return invalid(
        fmt::format("messages.{}.content: Input tag '{}' found using 'type' does not match any of "
                    "the expected tags",
                    at,
                    type));
  }
  return {};
}

ParseStatus read_assistant(const json::Value& content, std::size_t at, ChatRequest& request) {
  AskedMessage out;
  out.role = "assistant";
  if (const json::Array* blocks = content.if_array(); blocks != nullptr) {
    for (const json::Value& block : *blocks) {
      if (auto read = read_assistant_block(block, at, request, out); !read) {
        return read;
      }
    }
  } else {
    out.text = keep(request, text_of(content));
  }
  request.messages.push_back(std::move(out));
  return {};
}

/// Every call of the answer before needs its result in the message after it.
ParseStatus check_results(const ChatRequest& request, const json::Array& blocks, std::size_t at) {
  if (request.messages.empty() || request.messages.back().role != "assistant") {
    return {};
  }
  for (const AskedCall& call : request.messages.back().tool_calls) {
    const bool answered = std::ranges::any_of(blocks, [&](const json::Value& block) {
      return json::get_string(block, "tool_use_id") == call.id;
    });
    if (!answered) {
      return invalid(
          fmt::format("messages.{}: `tool_use` ids were found without `tool_result` blocks "
                      "immediately after: {}. Each `tool_use` block must have a corresponding "
                      "`tool_result` block in the next message.",
                      at,
                      call.id));
    }
  }
  return {};
}

ParseStatus read_user(const json::Value& content, std::size_t at, ChatRequest& request) {
  const json::Array* blocks = content.if_array();
  if (blocks == nullptr) {
    request.messages.push_back({.role = "user", .text = keep(request, text_of(content))});
    return {};
  }
  if (auto checked = check_results(request, *blocks, at); !checked) {
    return checked;
  }
  for (const json::Value& block : *blocks) {
    const std::string_view type = json::get_string(block, "type").value_or("");
    if (type == "tool_result") {
      const json::Value* result = json::find(block, "content");
      request.messages.push_back(
          {.role = "tool",
           .text = keep(request, result != nullptr ? text_of(*result) : std::string()),
           .tool_call_id = json::get_string(block, "tool_use_id").value_or("")});
    } else if (type == "text") {
      const std::string_view text = json::get_string(block, "text").value_or("");
      if (base::trim(text).empty()) {
        return invalid("messages: text content blocks must contain non-whitespace text");
      }
      request.messages.push_back({.role = "user", .text = text});
    } else {
      return invalid(fmt::format("messages.{}.content: unknown block type '{}'", at, type));
    }
  }
  return {};
}

ParseStatus read_messages(const json::Array& messages, ChatRequest& request) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string_view role = json::get_string(messages[i], "role").value_or("");
    const json::Value* content = json::find(messages[i], "content");
    if (content == nullptr) {
      return invalid(fmt::format("messages.{}.content: Field required", i));
    }
    if (content->is_array() && content->get_array().empty()) {
      return invalid(fmt::format("messages.{}: all messages must have non-empty content", i));
    }
    if (role != "user" && role != "assistant") {
      return invalid(
          fmt::format("messages: Unexpected role \"{}\". The Messages API accepts a top-level "
                      "`system` parameter, not \"system\" as an input message role.",
                      role));
    }
    auto read =
        role == "user" ? read_user(*content, i, request) : read_assistant(*content, i, request);
    if (!read) {
      return read;
    }
  }
  return {};
}

ParseStatus read_options(ChatRequest& request) {
  const json::Value& document = request.document;
  request.max_tokens = json::get_int(document, "max_tokens");
  if (!request.max_tokens || *request.max_tokens < 1) {
    return invalid("max_tokens: Field required");
  }
  for (const std::string_view name : {"seed", "max_completion_tokens", "stream_options", "n"}) {
    if (json::find(document, name) != nullptr) {
      return invalid(fmt::format("{}: Extra inputs are not permitted", name));
    }
  }
  const auto temperature = json::get_double(document, "temperature");
  if (temperature && (*temperature < 0 || *temperature > 1)) {
    return invalid("temperature: range: 0..1");
  }
  request.stream = json::get_bool(document, "stream").value_or(false);
  if (const json::Array* tools = json::get_array(document, "tools"); tools != nullptr) {
    for (const json::Value& tool : *tools) {
      if (json::get_object(tool, "input_schema") == nullptr) {
        return invalid("tools.0.custom.input_schema: Field required");
      }
    }
    request.functions = !tools->empty();
  }
  return {};
}

// --- Answers

std::string_view stop_reason(const ChatAnswer& answer) {
  if (!answer.refusal.empty() || answer.finish_reason == "content_filter") {
    return "refusal";
  }
  if (answer.finish_reason == "length") {
    return "max_tokens";
  }
  return answer.finish_reason == "tool_calls" ? "tool_use" : "end_turn";
}

json::Object input_of(const AnsweredCall& call) {
  auto input = json::parse(call.arguments);
  // The API never hands out arguments that are no object.
  return input && input->is_object() ? std::move(input->get_object()) : json::Object{};
}

json::Array content_of(const ChatAnswer& answer) {
  json::Array content;
  if (!answer.reasoning.empty()) {
    content.push_back(json::Object{{"type", "thinking"},
                                   {"thinking", answer.reasoning},
                                   {"signature", signature_of(answer.reasoning)}});
  }
  if (const std::string text = answer.text + answer.refusal; !text.empty()) {
    content.push_back(json::Object{{"type", "text"}, {"text", text}});
  }
  for (std::size_t i = 0; i < answer.calls.size(); ++i) {
    content.push_back(json::Object{{"type", "tool_use"},
                                   {"id", call_id("toolu_", answer, i)},
                                   {"name", answer.calls[i].name},
                                   {"input", input_of(answer.calls[i])}});
  }
  return content;
}

json::Object usage_of(const ChatAnswer& answer, std::int64_t output) {
  return {{"input_tokens", answer.input_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", 0},
          {"output_tokens", output}};
}

json::Object message_of(const ChatAnswer& answer) {
  return {{"id", answer.id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", answer.model},
          {"content", json::Array{}},
          {"stop_reason", nullptr},
          {"stop_sequence", nullptr}};
}

std::string event_of(std::string_view type, json::Object members) {
  json::Object event{{"type", type}};
  for (auto& member : members) {
    event[member.key()] = std::move(member.value());
  }
  return fmt::format("event: {}\ndata: {}\n\n", type, json::to_text(event));
}

void stream_delta(std::size_t index,
                  std::string_view type,
                  std::string_view member,
                  std::string_view text,
                  std::vector<std::string>& events) {
  for (const std::string_view piece : pieces_of(text)) {
    json::Object delta{{"type", type}};
    delta[member] = piece;
    events.push_back(event_of("content_block_delta", {{"index", index}, {"delta", delta}}));
  }
}

void stream_block(std::size_t index, const json::Value& block, std::vector<std::string>& events) {
  const std::string_view type = json::get_string(block, "type").value_or("");
  json::Object start = block.get_object();
  const auto open = [&] {
    events.push_back(event_of("content_block_start", {{"index", index}, {"content_block", start}}));
  };
  if (type == "thinking") {
    start["thinking"] = "";
    start["signature"] = "";
    open();
    stream_delta(index, "thinking_delta", "thinking", *json::get_string(block, "thinking"), events);
    events.push_back(event_of("content_block_delta",
                              {{"index", index},
                               {"delta",
                                json::Object{{"type", "signature_delta"},
                                             {"signature", *json::find(block, "signature")}}}}));
  } else if (type == "text") {
    start["text"] = "";
    open();
    stream_delta(index, "text_delta", "text", *json::get_string(block, "text"), events);
  } else {
    start["input"] = json::Object{};
    open();
    stream_delta(index,
                 "input_json_delta",
                 "partial_json",
                 json::to_text(*json::find(block, "input")),
                 events);
  }
  events.push_back(event_of("content_block_stop", {{"index", index}}));
}

std::string_view type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case kOverloaded:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

/// What Anthropic calls the errors that the simulator's faults are written as.
ApiError translated(ApiError error) {
  if (error.code == "invalid_api_key") {
    error.message = "invalid x-api-key";
  } else if (error.code == "insufficient_quota") {
    error.status = 400;
    error.message =
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
        "to upgrade or purchase credits.";
  } else if (error.code == "context_length_exceeded") {
    error.message = "prompt is too long: 214102 tokens > 200000 maximum";
  } else if (error.status == 503) {
    error.status = kOverloaded;
    error.message = "Overloaded";
  } else if (error.status == 500) {
    error.message = "Internal server error";
  }
  return error;
}

std::string error_body(const ApiError& error) {
  return json::to_text(json::Object{
      {"type", "error"},
      {"error", json::Object{{"type", type_of(error.status)}, {"message", error.message}}},
      {"request_id", "req_011CSHoEeqs5C35K2UUqR7Fy"}});
}

}  // namespace

std::expected<void, ApiError> parse_anthropic(const wire::Headers& headers,
                                              std::string_view body,
                                              ChatRequest& request) {
  if (!headers.find("anthropic-version")) {
    return invalid("anthropic-version: header is required");
  }
  auto document = json::parse(body);
  if (!document || !document->is_object()) {
    return invalid("The request body is not valid JSON");
  }
  request.document = std::move(*document);
  const auto model = json::get_string(request.document, "model");
  const json::Array* messages = json::get_array(request.document, "messages");
  if (!model || model->empty()) {
    return invalid("model: Field required");
  }
  if (messages == nullptr || messages->empty()) {
    return invalid("messages: at least one message is required");
  }
  request.model = *model;
  if (const json::Value* system = json::find(request.document, "system"); system != nullptr) {
    request.messages.push_back({.role = "system", .text = keep(request, text_of(*system))});
  }
  if (auto read = read_messages(*messages, request); !read) {
    return read;
  }
  return read_options(request);
}

wire::Response encode_anthropic(const ChatAnswer& answer) {
  json::Object message = message_of(answer);
  message["content"] = content_of(answer);
  message["stop_reason"] = stop_reason(answer);
  message["usage"] = usage_of(answer, answer.output_tokens);
  return json_response(200, json::to_text(message));
}

std::vector<std::string> stream_anthropic(const ChatAnswer& answer) {
  std::vector<std::string> events;
  json::Object message = message_of(answer);
  message["usage"] = usage_of(answer, 1);
  events.push_back(event_of("message_start", {{"message", message}}));
  events.push_back(event_of("ping", {}));
  const json::Array content = content_of(answer);
  for (std::size_t i = 0; i < content.size(); ++i) {
    stream_block(i, content[i], events);
  }
  events.push_back(event_of(
      "message_delta",
      {{"delta", json::Object{{"stop_reason", stop_reason(answer)}, {"stop_sequence", nullptr}}},
       {"usage", json::Object{{"output_tokens", answer.output_tokens}}}}));
  events.push_back(event_of("message_stop", {}));
  return events;
}

wire::Response anthropic_error(const ApiError& error) {
  const ApiError own = translated(error);
  return json_response(own.status, error_body(own));
}

std::string anthropic_error_event(const ApiError& error) {
  return fmt::format("event: error\ndata: {}\n\n", error_body(translated(error)));
}

wire::Response anthropic_refusal(const Refusal& refusal, bool with_retry_after) {
  const std::string_view what = refusal.dimension == Dimension::tokens ? "input tokens"
                                : refusal.dimension == Dimension::concurrency
                                    ? "concurrent requests"
                                    : "requests";
  wire::Response response = json_response(
      429,
      error_body({.status = 429,
                  .message = refusal.dimension == Dimension::concurrency
                                 ? std::string(
                                       "Number of concurrent requests has exceeded your rate limit")
                                 : fmt::format("This request would exceed your organization's rate "
                                               "limit of {:.0f} {} per minute.",
                                               refusal.quota,
                                               what)}));
  if (with_retry_after && refusal.wait != kNever && refusal.dimension != Dimension::concurrency) {
    response.headers.add(
        "retry-after",
        std::to_string(std::chrono::ceil<std::chrono::seconds>(refusal.wait).count()));
  }
  return response;
}

void show_anthropic_limits(const std::vector<ShownLimit>& limits,
                           std::int64_t now,
                           wire::Headers& out) {
  const std::chrono::sys_seconds date{std::chrono::seconds(now)};
  out.add("date", fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", date));
  for (const ShownLimit& limit : limits) {
    const std::string prefix = fmt::format("anthropic-ratelimit-{}-", to_string(limit.dimension));
    out.add(prefix + "limit", fmt::format("{:.0f}", limit.quota));
    out.add(prefix + "remaining", fmt::format("{:.0f}", limit.remaining));
    // Full seconds later: what is told is when the limit is replenished for sure.
    const auto reset = std::chrono::ceil<std::chrono::seconds>(limit.reset);
    out.add(prefix + "reset", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", date + reset));
  }
}

}  // namespace sortie::sim
