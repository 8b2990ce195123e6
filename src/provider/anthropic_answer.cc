#include "sortie/provider/anthropic_answer.h"

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/reading.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::provider {

namespace {

// --- Plain answers

/// "model_context_window_exceeded": as if max_tokens had ended there.
chat::FinishReason finish_of(std::string_view word) {
  if (word == "end_turn" || word == "stop_sequence") {
    return chat::FinishReason::stop;
  }
  if (word == "max_tokens" || word == "model_context_window_exceeded") {
    return chat::FinishReason::length;
  }
  if (word == "tool_use") {
    return chat::FinishReason::tool_calls;
  }
  return chat::FinishReason::other;
}

void read_tool_use(const json::Value& block, chat::Answer& answer) {
  chat::ToolCall call{
      .id = text_or_empty(block, "id"), .name = text_or_empty(block, "name"), .arguments = "{}"};
  if (const json::Value* input = json::find(block, "input"); input != nullptr) {
    // A text is what a stream held that broke off within the arguments.
    call.arguments =
        input->is_string() ? std::string(json::view(input->get_string())) : json::to_text(*input);
  }
  answer.tool_calls.push_back(std::move(call));
}

void read_block(const json::Value& block, chat::Answer& answer, json::Array& opaque) {
  const std::string_view type = json::get_string(block, "type").value_or("");
  if (type == "text") {
    answer.text += json::get_string(block, "text").value_or("");
  } else if (type == "tool_use") {
    read_tool_use(block, answer);
  } else if (type == "thinking") {
    answer.reasoning += json::get_string(block, "thinking").value_or("");
    opaque.push_back(block);
  } else if (type == "redacted_thinking") {
    opaque.push_back(block);
  }
}

void read_usage(const json::Value& message, chat::Answer& answer) {
  const json::Value* usage = json::find(message, "usage");
  if (usage == nullptr || !usage->is_object()) {
    return;
  }
  const auto input = token_count(*usage, "input_tokens");
  const auto output = token_count(*usage, "output_tokens");
  if (!input || !output) {
    return;
  }
  // `input_tokens` is what no cache covered.
  answer.usage_reported = true;
  answer.usage.cached_input = token_count(*usage, "cache_read_input_tokens").value_or(0);
  answer.usage.input = *input + answer.usage.cached_input +
                       token_count(*usage, "cache_creation_input_tokens").value_or(0);
  answer.usage.output = *output;
  if (const json::Value* details = json::find(*usage, "output_tokens_details")) {
    answer.usage.reasoning = token_count(*details, "thinking_tokens").value_or(0);
  }
}

// --- Streams

/// The arguments came as text; as the plain answer has them, they are an object.
void close_tool_use(json::Object& block) {
  json::Value* input = block.if_contains("input");
  if (input == nullptr || !input->is_string()) {
    return;
  }
  base::Result<json::Value> value = json::parse(json::view(input->get_string()));
  if (value && value->is_object()) {
    *input = std::move(*value);
  } else if (input->get_string().empty()) {
    input->emplace_object();
  }
}

void start_block(const json::Value& event, json::Object& block) {
  const json::Object* content = json::get_object(event, "content_block");
  if (content != nullptr) {
    block = *content;
  }
}

void append_delta(const json::Value& event, json::Object& block) {
  const json::Value* delta = json::find(event, "delta");
  if (delta == nullptr) {
    return;
  }
  const std::string_view type = json::get_string(*delta, "type").value_or("");
  if (type == "text_delta") {
    append_text_member(block, "text", *delta);
  } else if (type == "thinking_delta") {
    append_text_member(block, "thinking", *delta);
  } else if (type == "signature_delta") {
    append_text_member(block, "signature", *delta);
  } else if (type == "input_json_delta") {
    json::Object renamed;
    renamed["input"] = json::get_string(*delta, "partial_json").value_or("");
    append_text_member(block, "input", renamed);
  }
}

/// Members of the final usage replace those of the first one; it counts from the start.
void merge_usage(const json::Value& event, json::Object& document) {
  const json::Object* usage = json::get_object(event, "usage");
  if (usage == nullptr) {
    return;
  }
  json::Object& known = object_in(document, "usage");
  for (const auto& member : *usage) {
    if (!member.value().is_null()) {
      known[member.key()] = member.value();
    }
  }
}

void take_message_delta(const json::Value& event, AnswerDocument& answer) {
  merge_usage(event, answer.document);
  const json::Object* delta = json::get_object(event, "delta");
  if (delta == nullptr) {
    return;
  }
  for (const auto& member : *delta) {
    answer.document[member.key()] = member.value();
  }
}

json::Object* block_of(const json::Value& event, AnswerDocument& answer) {
  const auto index = json::get_int(event, "index");
  return index && *index >= 0
             ? object_at(array_in(answer.document, "content"), static_cast<std::size_t>(*index))
             : nullptr;
}

void take_block_event(std::string_view type, const json::Value& event, AnswerDocument& answer) {
  json::Object* block = block_of(event, answer);
  if (block == nullptr) {
    return;
  }
  if (type == "content_block_start") {
    start_block(event, *block);
  } else if (type == "content_block_delta") {
    append_delta(event, *block);
    ++answer.content_events;
    const json::Object* delta = json::get_object(event, "delta");
    const bool reasons = delta != nullptr && delta->contains("thinking");
    answer.reasoning_events += reasons ? 1U : 0U;
  } else if (type == "content_block_stop") {
    close_tool_use(*block);
  }
}

}  // namespace

std::expected<Decoded, quota::Signal> read_anthropic(const json::Value& message,
                                                     const wire::Response& response,
                                                     const SignalRules& rules) {
  const json::Array* content = json::get_array(message, "content");
  if (content == nullptr) {
    return std::unexpected(unusable(
        response, quota::SignalClass::broken, "no_content", "the answer holds no content"));
  }
  Decoded decoded;
  chat::Answer& answer = decoded.answer;
  json::Array opaque;
  for (const json::Value& block : *content) {
    read_block(block, answer, opaque);
  }
  if (!opaque.empty()) {
    answer.opaque = json::to_text(opaque);
    answer.opaque_dialect = kAnthropicName;
  }
  answer.finish_text = text_or_empty(message, "stop_reason");
  answer.finish = finish_of(answer.finish_text);
  if (answer.finish_text == "refusal") {
    // The model's, or that of a classifier that watches its answer: what was said is the refusal.
    answer.refusal = answer.text.empty() ? "refusal" : std::exchange(answer.text, {});
  }
  read_usage(message, answer);
  answer.served_model = text_or_empty(message, "model");
  answer.response_id = text_or_empty(message, "id");
  decoded.hints = hints_of(response, rules);
  return decoded;
}

void take_anthropic_event(const json::Value& event, AnswerDocument& answer) {
  const std::string_view type = json::get_string(event, "type").value_or("");
  if (type == "message_start") {
    if (const json::Object* message = json::get_object(event, "message"); message != nullptr) {
      answer.document = *message;
    }
  } else if (type.starts_with("content_block_")) {
    take_block_event(type, event, answer);
  } else if (type == "message_delta") {
    take_message_delta(event, answer);
  } else if (type == "message_stop") {
    answer.complete = true;
  }
}

}  // namespace sortie::provider
