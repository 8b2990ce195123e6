#include "sortie/provider/openai_answer.h"

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/limit_headers.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::provider {

namespace {

// Of an answer that cannot be read, as shown to people.
constexpr std::size_t kExcerptBytesMax = 400;

// More tokens than any request can hold: a count beyond it is a mistake of the server.
constexpr std::int64_t kTokensMax = 1'000'000'000;

bool is_good(int status) {
  return status >= 200 && status <= 299;
}

std::string text_or_empty(const json::Value& value, std::string_view name) {
  return std::string(json::get_string(value, name).value_or(""));
}

/// A member as text, also where a gateway writes a code as a number.
std::string scalar_text(const json::Value& value, std::string_view name) {
  const json::Value* member = json::find(value, name);
  if (member == nullptr || member->is_null() || member->is_object() || member->is_array()) {
    return {};
  }
  return member->is_string() ? std::string(json::view(member->get_string()))
                             : json::to_text(*member);
}

std::string first_text(const json::Value& value, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (std::string text = scalar_text(value, name); !text.empty()) {
      return text;
    }
  }
  return {};
}

// --- Errors

struct ErrorBody {
  std::string code;
  std::string type;
  std::string message;
};

ErrorBody read_error(const json::Value& body) {
  ErrorBody error;
  const json::Value* inner = json::find(body, "error");
  if (inner != nullptr && inner->is_object()) {
    error.code = first_text(*inner, {"code", "error_code"});
    error.type = scalar_text(*inner, "type");
    error.message = first_text(*inner, {"message", "msg"});
    // Azure explains a filtered prompt one level deeper.
    if (const json::Value* cause = json::find(*inner, "innererror"); cause != nullptr) {
      if (std::string code = scalar_text(*cause, "code"); !code.empty() && error.type.empty()) {
        error.type = std::move(code);
      }
    }
    return error;
  }
  error.message = inner != nullptr ? scalar_text(body, "error") : std::string();
  error.code = first_text(body, {"code", "error_code", "errorCode", "errCode"});
  error.type = scalar_text(body, "type");
  if (std::string message =
          first_text(body, {"message", "msg", "errorMessage", "errMsg", "detail"});
      !message.empty()) {
    error.message = std::move(message);
  }
  return error;
}

/// The status that an error inside a good answer states as its code ("code": 502).
int inner_status(int status, std::string_view code) {
  const bool is_status = code.size() == 3 && (code[0] == '4' || code[0] == '5') &&
                         code.find_first_not_of("0123456789") == std::string_view::npos;
  return is_good(status) && is_status ? std::stoi(std::string(code)) : status;
}

quota::Signal signal_of_error(const wire::Response& response,
                              const json::Value* body,
                              std::span<const SignalRow> rows) {
  const ErrorBody error = body != nullptr ? read_error(*body) : ErrorBody{};
  quota::Signal signal = classify(rows,
                                  {.status = inner_status(response.status, error.code),
                                   .code = error.code,
                                   .type = error.type,
                                   .message = error.message,
                                   .body = response.body});
  signal.status = response.status;
  const std::string_view words =
      error.message.empty() ? std::string_view(response.body) : std::string_view(error.message);
  signal.wait = wait_hint(response.headers, words);
  return signal;
}

/// A 2xx answer that is no answer.
quota::Signal unusable(const wire::Response& response,
                       quota::SignalClass kind,
                       std::string_view code,
                       std::string_view why) {
  quota::Signal signal;
  signal.kind = kind;
  signal.status = response.status;
  signal.code = std::string(code);
  signal.message =
      std::string(why) + ": " +
      base::shortened(base::valid_utf8(std::string_view(response.body).substr(0, 1024)),
                      kExcerptBytesMax);
  signal.wait = wait_hint(response.headers, "");
  signal.maybe_billed = kind == quota::SignalClass::broken;
  return signal;
}

// --- Answers

void append_part(const json::Value& part, chat::Answer& answer) {
  if (part.is_string()) {
    answer.text += json::view(part.get_string());
    return;
  }
  const std::string_view type = json::get_string(part, "type").value_or("text");
  if (type == "refusal") {
    answer.refusal += json::get_string(part, "refusal").value_or("");
  } else if (type == "thinking" || type == "reasoning") {
    answer.reasoning +=
        json::get_string(part, "text").value_or(json::get_string(part, "thinking").value_or(""));
  } else {
    answer.text += json::get_string(part, "text").value_or("");
  }
}

void read_content(const json::Value& message, chat::Answer& answer) {
  const json::Value* content = json::find(message, "content");
  if (content == nullptr) {
    return;
  }
  if (content->is_string()) {
    answer.text = std::string(json::view(content->get_string()));
  } else if (content->is_array()) {
    for (const json::Value& part : content->get_array()) {
      append_part(part, answer);
    }
  }
}

chat::ToolCall read_function(const json::Value& function, std::string id) {
  chat::ToolCall call{
      .id = std::move(id), .name = text_or_empty(function, "name"), .arguments = {}};
  const json::Value* arguments = json::find(function, "arguments");
  if (arguments != nullptr && !arguments->is_null()) {
    // Some gateways send the object itself instead of its text.
    call.arguments = arguments->is_string() ? std::string(json::view(arguments->get_string()))
                                            : json::to_text(*arguments);
  }
  return call;
}

void read_tool_calls(const json::Value& message, chat::Answer& answer) {
  if (const json::Array* calls = json::get_array(message, "tool_calls"); calls != nullptr) {
    for (const json::Value& call : *calls) {
      if (const json::Value* function = json::find(call, "function"); function != nullptr) {
        answer.tool_calls.push_back(read_function(*function, scalar_text(call, "id")));
      }
    }
  }
  const json::Value* legacy = json::find(message, "function_call");
  if (answer.tool_calls.empty() && legacy != nullptr && legacy->is_object()) {
    answer.tool_calls.push_back(read_function(*legacy, ""));
  }
}

chat::FinishReason finish_reason(std::string_view word) {
  if (word == "stop" || word == "eos" || word == "end_turn" || word == "stop_sequence") {
    return chat::FinishReason::stop;
  }
  if (word == "length" || word == "max_tokens") {
    return chat::FinishReason::length;
  }
  if (word == "tool_calls" || word == "function_call" || word == "tool_use") {
    return chat::FinishReason::tool_calls;
  }
  if (word == "content_filter" || word == "sensitive" || word == "safety") {
    return chat::FinishReason::content_filter;
  }
  return chat::FinishReason::other;
}

/// Finish reasons by which a gateway says that it broke the answer off itself.
bool is_broken_off(std::string_view word) {
  return word == "insufficient_system_resource" || word == "network_error" || word == "error";
}

std::optional<std::int64_t> token_count(const json::Value& value, std::string_view name) {
  const std::optional<double> count = json::get_double(value, name);
  if (!count || !(*count >= 0) || *count > static_cast<double>(kTokensMax)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*count);
}

std::int64_t nested_count(const json::Value& usage,
                          std::string_view object,
                          std::string_view name) {
  const json::Value* details = json::find(usage, object);
  return details != nullptr ? token_count(*details, name).value_or(0) : 0;
}

void read_usage(const json::Value& body, chat::Answer& answer) {
  const json::Value* usage = json::find(body, "usage");
  if (usage == nullptr || !usage->is_object()) {
    return;
  }
  const std::optional<std::int64_t> input = token_count(*usage, "prompt_tokens");
  const std::optional<std::int64_t> output = token_count(*usage, "completion_tokens");
  if (!input || !output) {
    return;
  }
  answer.usage_reported = true;
  answer.usage.input = *input;
  answer.usage.output = *output;
  answer.usage.reasoning = nested_count(*usage, "completion_tokens_details", "reasoning_tokens");
  answer.usage.cached_input = nested_count(*usage, "prompt_tokens_details", "cached_tokens");
  if (answer.usage.cached_input == 0) {
    // DeepSeek, Moonshot.
    answer.usage.cached_input = token_count(*usage, "prompt_cache_hit_tokens")
                                    .value_or(token_count(*usage, "cached_tokens").value_or(0));
  }
  // Where the total shows that reasoning is counted beside the completion, it is added: `output`
  // includes reasoning.
  const std::int64_t reasoning = answer.usage.reasoning;
  if (reasoning > 0 && token_count(*usage, "total_tokens") == *input + *output + reasoning) {
    answer.usage.output += reasoning;
  }
}

std::expected<Decoded, quota::Signal> read_answer(const wire::Response& response,
                                                  const json::Value& body,
                                                  std::span<const SignalRow> rows) {
  const json::Array* choices = json::get_array(body, "choices");
  if (choices == nullptr || choices->empty()) {
    return std::unexpected(unusable(
        response, quota::SignalClass::broken, "no_choices", "the answer holds no choices"));
  }
  const json::Value& choice = choices->front();
  const json::Value* message = json::find(choice, "message");
  if (message == nullptr || !message->is_object()) {
    return std::unexpected(unusable(response,
                                    quota::SignalClass::broken,
                                    "no_message",
                                    "the answer's choice holds no message"));
  }
  Decoded decoded;
  chat::Answer& answer = decoded.answer;
  answer.finish_text = text_or_empty(choice, "finish_reason");
  if (is_broken_off(answer.finish_text)) {
    return std::unexpected(classify(rows,
                                    {.status = response.status,
                                     .code = answer.finish_text,
                                     .type = {},
                                     .message = "the provider broke the answer off",
                                     .body = {}}));
  }
  answer.finish = finish_reason(answer.finish_text);
  answer.reasoning = first_text(*message, {"reasoning_content", "reasoning"});
  read_content(*message, answer);
  read_tool_calls(*message, answer);
  if (answer.refusal.empty()) {
    answer.refusal = text_or_empty(*message, "refusal");
  }
  read_usage(body, answer);
  answer.served_model = text_or_empty(body, "model");
  answer.response_id = text_or_empty(body, "id");
  answer.fingerprint = text_or_empty(body, "system_fingerprint");
  decoded.hints = limit_hints(response.headers);
  return decoded;
}

/// An `error` member that says something; null, false and empty ones do not.
bool holds_error(const json::Value& body) {
  const json::Value* error = json::find(body, "error");
  if (error == nullptr) {
    return false;
  }
  return (error->is_object() && !error->get_object().empty()) ||
         (error->is_string() && !error->get_string().empty());
}

}  // namespace

std::expected<Decoded, quota::Signal> decode_openai(const wire::Response& response,
                                                    std::span<const SignalRow> rows) {
  // DeepSeek sends empty lines while a request waits.
  const std::string_view text = base::trim(response.body);
  const base::Result<json::Value> body = json::parse(text);
  if (!is_good(response.status)) {
    return std::unexpected(signal_of_error(response, body ? &*body : nullptr, rows));
  }
  if (!body) {
    const bool truncated = text.empty() || text.starts_with('{') || text.starts_with('[');
    return std::unexpected(
        truncated
            ? unusable(response, quota::SignalClass::broken, "truncated", body.error().message)
            : unusable(response,
                       quota::SignalClass::transient,
                       "not_json",
                       "a good status with something other than an answer"));
  }
  if (holds_error(*body)) {
    return std::unexpected(signal_of_error(response, &*body, rows));
  }
  return read_answer(response, *body, rows);
}

}  // namespace sortie::provider
