#include "sortie/provider/openai_answer.h"

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/reading.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::provider {

namespace {

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

/// OpenRouter wants the details of its reasoning back.
void keep_reasoning_details(const json::Value& message, chat::Answer& answer) {
  const json::Array* details = json::get_array(message, "reasoning_details");
  if (details != nullptr && !details->empty()) {
    answer.opaque = json::to_text(*details);
    answer.opaque_dialect = kOpenAiFamily;
  }
}

// --- Streams

/// The list of parts in which some gateways stream their content.
void append_parts(json::Object& message, const json::Array& parts) {
  for (const json::Value& part : parts) {
    const std::string_view type = json::get_string(part, "type").value_or("text");
    const bool thinks = type == "thinking" || type == "reasoning";
    const std::string_view name = thinks ? "reasoning_content" : "content";
    json::Object renamed;
    renamed[name] = json::get_string(part, "text").value_or("");
    append_text_member(message, name, renamed);
  }
}

/// Where the call that a piece belongs to stands. Gateways that send no index send whole calls, or
/// go on with the last one.
std::size_t position_of(const json::Value& piece, const json::Array& calls) {
  if (const auto index = json::get_int(piece, "index"); index && *index >= 0) {
    return static_cast<std::size_t>(*index);
  }
  const bool is_new = !json::get_string(piece, "id").value_or("").empty() || calls.empty();
  return is_new ? calls.size() : calls.size() - 1;
}

void append_function(json::Object& function, const json::Value& piece) {
  if (const auto name = json::get_string(piece, "name");
      name && !name->empty() && !function.contains("name")) {
    function["name"] = *name;
  }
  const json::Value* arguments = json::find(piece, "arguments");
  if (arguments != nullptr && arguments->is_object()) {
    function["arguments"] = *arguments;
  } else {
    append_text_member(function, "arguments", piece);
  }
}

void append_calls(json::Object& message, const json::Array& pieces) {
  json::Array& calls = array_in(message, "tool_calls");
  for (const json::Value& piece : pieces) {
    json::Object* call = object_at(calls, position_of(piece, calls));
    if (call == nullptr) {
      continue;
    }
    if (const auto id = json::get_string(piece, "id"); id && !id->empty()) {
      (*call)["id"] = *id;
    }
    if (const json::Value* function = json::find(piece, "function"); function != nullptr) {
      append_function(object_in(*call, "function"), *function);
    }
  }
}

/// A block of thoughts comes in pieces, its signature with the last one; it goes back as one.
bool continues(const json::Value& detail, const json::Value& before) {
  constexpr std::string_view kText = "reasoning.text";
  return json::get_string(detail, "type") == kText && json::get_string(before, "type") == kText &&
         json::get_int(detail, "index") == json::get_int(before, "index");
}

void append_details(json::Object& message, const json::Array& details) {
  json::Array& list = array_in(message, "reasoning_details");
  for (const json::Value& detail : details) {
    if (!list.empty() && continues(detail, list.back())) {
      json::Object& known = list.back().get_object();
      append_text_member(known, "text", detail);
      for (const auto& member : detail.get_object()) {
        if (member.key() != "text" && !member.value().is_null()) {
          known[member.key()] = member.value();
        }
      }
    } else if (list.size() < kPartsMax) {
      list.push_back(detail);
    }
  }
}

void append_delta(json::Object& message, const json::Value& delta) {
  for (const std::string_view name : {"content", "reasoning_content", "reasoning", "refusal"}) {
    append_text_member(message, name, delta);
  }
  if (const json::Array* parts = json::get_array(delta, "content"); parts != nullptr) {
    append_parts(message, *parts);
  }
  if (const json::Array* calls = json::get_array(delta, "tool_calls"); calls != nullptr) {
    append_calls(message, *calls);
  }
  if (const json::Array* details = json::get_array(delta, "reasoning_details")) {
    append_details(message, *details);
  }
  if (const json::Value* legacy = json::find(delta, "function_call");
      legacy != nullptr && legacy->is_object()) {
    append_function(object_in(message, "function_call"), *legacy);
  }
}

bool holds_any(const json::Value& delta, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(names, [&delta](std::string_view name) {
    const json::Array* list = json::get_array(delta, name);
    return (list != nullptr && !list->empty()) ||
           !json::get_string(delta, name).value_or("").empty();
  });
}

/// Gateways that have nothing to say send empty texts and lists.
void count_tokens(const json::Value& delta, AnswerDocument& answer) {
  const bool reasons = holds_any(delta, {"reasoning_content", "reasoning", "reasoning_details"});
  const bool says = holds_any(delta, {"content", "refusal", "tool_calls"}) ||
                    json::get_object(delta, "function_call") != nullptr;
  answer.reasoning_events += reasons ? 1U : 0U;
  answer.content_events += reasons || says ? 1U : 0U;
}

void take_choice(const json::Value& choice, AnswerDocument& answer) {
  if (json::get_int(choice, "index").value_or(0) != 0) {
    return;  // one answer is asked for
  }
  json::Object& whole = *object_at(array_in(answer.document, "choices"), 0);
  json::Object& message = object_in(whole, "message");
  if (const json::Value* delta = json::find(choice, "delta"); delta != nullptr) {
    append_delta(message, *delta);
    count_tokens(*delta, answer);
  }
  if (const auto reason = json::get_string(choice, "finish_reason"); reason && !reason->empty()) {
    whole["finish_reason"] = *reason;
    answer.complete = true;
  }
}

}  // namespace

void take_openai_event(const json::Value& event, AnswerDocument& answer) {
  for (const std::string_view name : {"id", "model", "system_fingerprint"}) {
    // Azure's first event carries the filter's results alone, with empty names.
    if (const auto text = json::get_string(event, name); text && !text->empty()) {
      answer.document[name] = *text;
    }
  }
  if (const json::Object* usage = json::get_object(event, "usage"); usage != nullptr) {
    answer.document["usage"] = *usage;
  }
  if (const json::Array* choices = json::get_array(event, "choices"); choices != nullptr) {
    for (const json::Value& choice : *choices) {
      take_choice(choice, answer);
    }
  }
}

std::expected<Decoded, quota::Signal> read_openai(const json::Value& body,
                                                  const wire::Response& response,
                                                  const SignalRules& rules) {
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
    return std::unexpected(classify(rules,
                                    {.status = response.status,
                                     .code = answer.finish_text,
                                     .message = "the provider broke the answer off"}));
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
  keep_reasoning_details(*message, answer);
  decoded.hints = hints_of(response, rules);
  return decoded;
}

}  // namespace sortie::provider
