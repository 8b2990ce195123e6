#include "sortie/sim/openai.h"

#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/sim/dialects.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
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

std::unexpected<ApiError> invalid(std::string message, std::string param, std::string code = {}) {
  return std::unexpected(
      ApiError{.message = std::move(message), .param = std::move(param), .code = std::move(code)});
}

/// Content is a text, a list of text parts, or null.
ParseStatus read_content(const json::Value& message,
                         std::size_t position,
                         ChatRequest& request,
                         AskedMessage& out) {
  const json::Value* content = json::find(message, "content");
  if (content == nullptr || content->is_null()) {
    return {};
  }
  if (content->is_string()) {
    out.text = json::view(content->get_string());
    return {};
  }
  const json::Array* parts = content->if_array();
  if (parts == nullptr) {
    return invalid(fmt::format("Invalid type for 'messages[{}].content': expected one of a string "
                               "or array of objects.",
                               position),
                   fmt::format("messages[{}].content", position),
                   "invalid_type");
  }
  std::string& joined = request.joined.emplace_back();
  for (const json::Value& part : *parts) {
    const auto text = json::get_string(part, "text");
    if (json::get_string(part, "type") != "text" || !text.has_value()) {
      return invalid("Only content parts of type 'text' are supported by this model.",
                     fmt::format("messages[{}].content", position));
    }
    joined += *text;
  }
  out.text = joined;
  return {};
}

void read_tool_calls(const json::Value& message, AskedMessage& out) {
  const json::Array* calls = json::get_array(message, "tool_calls");
  if (calls == nullptr) {
    return;
  }
  for (const json::Value& call : *calls) {
    const json::Value* function = json::find(call, "function");
    if (function != nullptr) {
      out.tool_calls.push_back(
          {.id = json::get_string(call, "id").value_or(""),
           .name = json::get_string(*function, "name").value_or(""),
           .arguments = json::get_string(*function, "arguments").value_or("")});
    }
  }
}

ParseStatus read_message(const json::Value& message, std::size_t position, ChatRequest& request) {
  constexpr std::array<std::string_view, 5> kRoles = {
      "system", "developer", "user", "assistant", "tool"};
  AskedMessage out;
  out.role = json::get_string(message, "role").value_or("");
  if (std::ranges::find(kRoles, out.role) == kRoles.end()) {
    return invalid(
        fmt::format(
            "Invalid value: '{}'. Supported values are: 'system', 'assistant', 'user', 'tool', and "
            "'developer'.",
            out.role),
        fmt::format("messages[{}].role", position),
        "invalid_value");
  }
  if (auto read = read_content(message, position, request, out); !read) {
    return read;
  }
  read_tool_calls(message, out);
  out.tool_call_id = json::get_string(message, "tool_call_id").value_or("");
  request.messages.push_back(std::move(out));
  return {};
}

/// A number that must lie in [low, high] where it is given.
ParseStatus check_range(const json::Value& document,
                        std::string_view name,
                        double low,
                        double high) {
  const json::Value* value = json::find(document, name);
  if (value == nullptr || value->is_null()) {
    return {};
  }
  const auto number = json::as_number(*value);
  if (!number.has_value()) {
    return invalid(fmt::format("Invalid type for '{}': expected a decimal.", name),
                   std::string(name),
                   "invalid_type");
  }
  if (*number < low || *number > high) {
    return invalid(
        fmt::format("Invalid '{}': expected a value between {} and {}, but got {} instead.",
                    name,
                    low,
                    high,
                    *number),
        std::string(name),
        "decimal_out_of_range");
  }
  return {};
}

ParseStatus read_options(ChatRequest& request) {
  const json::Value& document = request.document;
  constexpr double kTokensMax = 1e9;
  for (const std::string_view name : {"max_tokens", "max_completion_tokens"}) {
    if (auto checked = check_range(document, name, 1, kTokensMax); !checked) {
      return checked;
    }
    if (const auto value = json::get_int(document, name)) {
      request.max_tokens = value;
    }
  }
  if (auto checked = check_range(document, "temperature", 0, 2); !checked) {
    return checked;
  }
  if (auto checked = check_range(document, "top_p", 0, 1); !checked) {
    return checked;
  }
  request.stream = json::get_bool(document, "stream").value_or(false);
  if (const json::Value* options = json::find(document, "stream_options");
      options != nullptr && !options->is_null()) {
    if (!request.stream) {
      return invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                     "stream_options");
    }
    request.stream_usage = json::get_bool(*options, "include_usage").value_or(false);
  }
  request.seed = json::get_int(document, "seed");
  const json::Array* tools = json::get_array(document, "tools");
  request.functions = tools != nullptr && !tools->empty();
  return {};
}

void append_nullable(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
  } else {
    json::append_quoted(out, text);
  }
}

void append_calls(std::string& out, const ChatAnswer& answer) {
  out += R"(,"tool_calls":[)";
  for (std::size_t i = 0; i < answer.calls.size(); ++i) {
    out += i == 0 ? R"({"id":)" : R"(,{"id":)";
    json::append_quoted(out, call_id("call_", answer, i));
    out += R"(,"type":"function","function":{"name":)";
    json::append_quoted(out, answer.calls[i].name);
    out += R"(,"arguments":)";
    json::append_quoted(out, answer.calls[i].arguments);
    out += "}}";
  }
  out += "]";
}

std::string usage_of(const ChatAnswer& answer) {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
                     R"("prompt_tokens_details":{{"cached_tokens":0}},)"
                     R"("completion_tokens_details":{{"reasoning_tokens":{}}}}})",
                     answer.input_tokens,
                     answer.output_tokens,
                     answer.input_tokens + answer.output_tokens,
                     answer.reasoning_tokens);
}

/// One chunk of a stream with this delta (JSON text) and finish reason ("" none).
std::string chunk_of(const ChatAnswer& answer, std::string_view delta, std::string_view finish) {
  std::string out = R"(data: {"id":)";
  json::append_quoted(out, answer.id);
  out += fmt::format(R"(,"object":"chat.completion.chunk","created":{},"model":)", answer.created);
  json::append_quoted(out, answer.model);
  out += R"(,"system_fingerprint":)";
  append_nullable(out, answer.fingerprint);
  out += R"(,"choices":[{"index":0,"delta":)";
  out += delta;
  out += R"(,"logprobs":null,"finish_reason":)";
  append_nullable(out, finish);
  out += "}]}\n\n";
  return out;
}

void stream_text(const ChatAnswer& answer,
                 std::string_view member,
                 std::string_view text,
                 std::vector<std::string>& events) {
  if (text.empty()) {
    return;
  }
  for (const std::string_view piece : pieces_of(text)) {
    std::string delta = "{";
    json::append_quoted(delta, member);
    delta += ':';
    json::append_quoted(delta, piece);
    delta += '}';
    events.push_back(chunk_of(answer, delta, ""));
  }
}

void stream_calls(const ChatAnswer& answer, std::vector<std::string>& events) {
  for (std::size_t i = 0; i < answer.calls.size(); ++i) {
    std::string head = fmt::format(R"({{"tool_calls":[{{"index":{},"id":)", i);
    json::append_quoted(head, call_id("call_", answer, i));
    head += R"(,"type":"function","function":{"name":)";
    json::append_quoted(head, answer.calls[i].name);
    head += R"(,"arguments":""}}]})";
    events.push_back(chunk_of(answer, head, ""));
    for (const std::string_view piece : pieces_of(answer.calls[i].arguments)) {
      std::string delta =
          fmt::format(R"({{"tool_calls":[{{"index":{},"function":{{"arguments":)", i);
      json::append_quoted(delta, piece);
      delta += "}}]}";
      events.push_back(chunk_of(answer, delta, ""));
    }
  }
}

std::string_view short_name(Dimension dimension) {
  switch (dimension) {
    case Dimension::requests:
      return "RPM";
    case Dimension::tokens:
      return "TPM";
    case Dimension::concurrency:
      break;
  }
  return "concurrency";
}

std::string refusal_message(const Refusal& refusal,
                            std::string_view model,
                            std::string_view account) {
  if (refusal.dimension == Dimension::concurrency) {
    return fmt::format(
        "Too many concurrent requests for {} in organization {}: Limit {:.0f}, in flight {:.0f}. "
        "Please "
        "wait for a request to finish.",
        model,
        account,
        refusal.quota,
        refusal.used);
  }
  if (refusal.wait == kNever) {
    return fmt::format(
        "Request too large for {} in organization {} on {} per min ({}): Limit {:.0f}, Requested "
        "{:.0f}.",
        model,
        account,
        to_string(refusal.dimension),
        short_name(refusal.dimension),
        refusal.quota,
        refusal.requested);
  }
  const bool minute = refusal.window >= std::chrono::minutes(1);
  const std::string window = minute ? "min" : go_duration(refusal.window);
  return fmt::format(
      "Rate limit reached for {} in organization {} on {} per {} ({}): Limit {:.0f}, Used {:.0f}, "
      "Requested {:.0f}. Please try again in {}.",
      model,
      account,
      to_string(refusal.dimension),
      window,
      short_name(refusal.dimension),
      refusal.quota,
      refusal.used,
      refusal.requested,
      go_duration(refusal.wait));
}

}  // namespace

std::string call_id(std::string_view prefix, const ChatAnswer& answer, std::size_t i) {
  // Ids are unique in a conversation because the answer's id is.
  return fmt::format(
      "{}{}_{}",
      prefix,
      answer.id.substr(answer.id.size() - std::min<std::size_t>(answer.id.size(), 16)),
      i);
}

std::size_t ChatRequest::characters() const {
  std::size_t sum = 0;
  for (const AskedMessage& message : messages) {
    sum += message.text.size();
    for (const AskedCall& call : message.tool_calls) {
      sum += call.name.size() + call.arguments.size();
    }
  }
  return sum;
}

std::expected<void, ApiError> parse_chat_request(std::string_view body, ChatRequest& request) {
  auto document = json::parse(body);
  if (!document || !document->is_object()) {
    return invalid(
        "We could not parse the JSON body of your request. The API expects a JSON payload.", {});
  }
  request.document = std::move(*document);
  const auto model = json::get_string(request.document, "model");
  if (!model.has_value() || model->empty()) {
    return invalid("you must provide a model parameter", "model");
  }
  request.model = *model;
  const json::Array* messages = json::get_array(request.document, "messages");
  if (messages == nullptr) {
    return invalid(
        "Missing required parameter: 'messages'.", "messages", "missing_required_parameter");
  }
  if (messages->empty()) {
    return invalid("Invalid 'messages': empty array. Expected an array with minimum length 1.",
                   "messages",
                   "empty_array");
  }
  request.messages.reserve(messages->size());
  for (std::size_t i = 0; i < messages->size(); ++i) {
    if (auto read = read_message((*messages)[i], i, request); !read) {
      return read;
    }
  }
  return read_options(request);
}

wire::Response encode_answer(const ChatAnswer& answer) {
  std::string body;
  body.reserve(answer.text.size() + answer.reasoning.size() + 640);
  body += R"({"id":)";
  json::append_quoted(body, answer.id);
  body += fmt::format(R"(,"object":"chat.completion","created":{},"model":)", answer.created);
  json::append_quoted(body, answer.model);
  body += R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)";
  if (answer.text.empty() && (!answer.calls.empty() || !answer.refusal.empty())) {
    body += "null";
  } else {
    json::append_quoted(body, answer.text);
  }
  if (!answer.reasoning.empty()) {
    body += R"(,"reasoning_content":)";
    json::append_quoted(body, answer.reasoning);
  }
  if (!answer.calls.empty()) {
    append_calls(body, answer);
  }
  body += R"(,"refusal":)";
  append_nullable(body, answer.refusal);
  body += R"(},"logprobs":null,"finish_reason":)";
  json::append_quoted(body, answer.finish_reason);
  body += R"(}],"usage":)";
  body += usage_of(answer);
  body += R"(,"system_fingerprint":)";
  append_nullable(body, answer.fingerprint);
  body += "}";
  return json_response(200, std::move(body));
}

std::vector<std::string> stream_answer(const ChatAnswer& answer, bool with_usage, bool azure) {
  std::vector<std::string> events;
  if (azure) {
    events.emplace_back(
        R"(data: {"id":"","object":"","created":0,"model":"","prompt_filter_results":)"
        R"([{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,)"
        R"("severity":"safe"}}}],"choices":[]})"
        "\n\n");
  }
  events.push_back(chunk_of(answer, R"({"role":"assistant","content":"","refusal":null})", ""));
  stream_text(answer, "reasoning_content", answer.reasoning, events);
  stream_text(answer, "content", answer.text, events);
  stream_text(answer, "refusal", answer.refusal, events);
  stream_calls(answer, events);
  events.push_back(chunk_of(answer, "{}", answer.finish_reason));
  if (with_usage) {
    std::string last = R"(data: {"id":)";
    json::append_quoted(last, answer.id);
    last +=
        fmt::format(R"(,"object":"chat.completion.chunk","created":{},"model":)", answer.created);
    json::append_quoted(last, answer.model);
    last += R"(,"choices":[],"usage":)" + usage_of(answer) + "}\n\n";
    events.push_back(std::move(last));
  }
  events.emplace_back("data: [DONE]\n\n");
  return events;
}

wire::Response encode_error(const ApiError& error) {
  std::string body = R"({"error":{"message":)";
  json::append_quoted(body, error.message);
  body += R"(,"type":)";
  append_nullable(body, error.type);
  body += R"(,"param":)";
  append_nullable(body, error.param);
  body += R"(,"code":)";
  append_nullable(body, error.code);
  body += "}}";
  return json_response(error.status, std::move(body));
}

wire::Response encode_refusal(const Refusal& refusal,
                              std::string_view model,
                              std::string_view account,
                              bool with_retry_after) {
  wire::Response response = encode_error({.status = 429,
                                          .message = refusal_message(refusal, model, account),
                                          .type = std::string(to_string(refusal.dimension)),
                                          .param = {},
                                          .code = "rate_limit_exceeded"});
  const bool waits = refusal.dimension != Dimension::concurrency && refusal.wait != kNever;
  if (with_retry_after && waits) {
    using std::chrono::ceil;
    const auto whole_seconds = ceil<std::chrono::seconds>(refusal.wait).count();
    const auto milliseconds = ceil<std::chrono::milliseconds>(refusal.wait).count();
    response.headers.add("retry-after", std::to_string(whole_seconds));
    response.headers.add("retry-after-ms", std::to_string(milliseconds));
  }
  return response;
}

ApiError invalid_key() {
  return {.status = 401,
          .message =
              "Incorrect API key provided. You can find your API key in the simulator's profile.",
          .param = {},
          .code = "invalid_api_key"};
}

ApiError unknown_model(std::string_view model) {
  return {.status = 404,
          .message =
              fmt::format("The model `{}` does not exist or you do not have access to it.", model),
          .param = {},
          .code = "model_not_found"};
}

wire::Response encode_models(const std::vector<std::string>& names) {
  std::string body = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < names.size(); ++i) {
    body += i == 0 ? R"({"id":)" : R"(,{"id":)";
    json::append_quoted(body, names[i]);
    body += R"(,"object":"model","created":1767225600,"owned_by":"sortie-simulator"})";
  }
  body += "]}";
  return json_response(200, std::move(body));
}

wire::Response json_response(int status, std::string body) {
  wire::Response response{.status = status, .headers = {}, .body = std::move(body)};
  response.headers.add("content-type", "application/json");
  return response;
}

}  // namespace sortie::sim
