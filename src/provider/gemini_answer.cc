#include "sortie/provider/gemini_answer.h"

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/reading.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::provider {

namespace {

bool is_filter(std::string_view word) {
  constexpr std::array<std::string_view, 7> kWords = {"SAFETY",
                                                      "RECITATION",
                                                      "LANGUAGE",
                                                      "BLOCKLIST",
                                                      "PROHIBITED_CONTENT",
                                                      "SPII",
                                                      "IMAGE_SAFETY"};
  return std::ranges::find(kWords, word) != kWords.end();
}

chat::FinishReason finish_of(std::string_view word, bool calls) {
  if (word == "STOP") {
    return calls ? chat::FinishReason::tool_calls : chat::FinishReason::stop;
  }
  if (word == "MAX_TOKENS") {
    return chat::FinishReason::length;
  }
  return is_filter(word) ? chat::FinishReason::content_filter : chat::FinishReason::other;
}

/// A signature goes back with the part that it came with: the text, or the call of that number.
void keep_signature(const json::Value& part,
                    bool is_call,
                    const chat::Answer& answer,
                    json::Array& out) {
  const auto signature = json::get_string(part, "thoughtSignature");
  if (!signature || signature->empty()) {
    return;
  }
  json::Object kept;
  if (is_call) {
    kept["call"] = answer.tool_calls.size() - 1;
  }
  kept["thoughtSignature"] = *signature;
  out.push_back(std::move(kept));
}

void read_part(const json::Value& part, chat::Answer& answer, json::Array& opaque) {
  const json::Value* call = json::find(part, "functionCall");
  const bool is_call = call != nullptr && call->is_object();
  if (is_call) {
    const json::Value* arguments = json::find(*call, "args");
    answer.tool_calls.push_back({.id = text_or_empty(*call, "id"),
                                 .name = text_or_empty(*call, "name"),
                                 .arguments = arguments != nullptr && arguments->is_object()
                                                  ? json::to_text(*arguments)
                                                  : std::string("{}")});
  } else if (const auto text = json::get_string(part, "text"); text) {
    (json::get_bool(part, "thought").value_or(false) ? answer.reasoning : answer.text) += *text;
  }
  keep_signature(part, is_call, answer, opaque);
}

void read_usage(const json::Value& body, chat::Answer& answer) {
  const json::Value* usage = json::find(body, "usageMetadata");
  const auto input =
      usage != nullptr ? token_count(*usage, "promptTokenCount") : std::optional<std::int64_t>();
  if (!input) {
    return;
  }
  // Members of zero are left out. Thoughts are counted beside the answer.
  answer.usage_reported = true;
  answer.usage.input = *input + token_count(*usage, "toolUsePromptTokenCount").value_or(0);
  answer.usage.cached_input = token_count(*usage, "cachedContentTokenCount").value_or(0);
  answer.usage.reasoning = token_count(*usage, "thoughtsTokenCount").value_or(0);
  answer.usage.output =
      token_count(*usage, "candidatesTokenCount").value_or(0) + answer.usage.reasoning;
}

/// The reason for which the prompt itself was blocked; empty if it was not.
std::string block_reason(const json::Value& body) {
  const json::Value* feedback = json::find(body, "promptFeedback");
  return feedback != nullptr ? text_or_empty(*feedback, "blockReason") : std::string();
}

void read_content(const json::Value& candidate, chat::Answer& answer) {
  const json::Value* content = json::find(candidate, "content");
  const json::Array* parts = content != nullptr ? json::get_array(*content, "parts") : nullptr;
  json::Array opaque;
  if (parts != nullptr) {
    for (const json::Value& part : *parts) {
      read_part(part, answer, opaque);
    }
  }
  if (!opaque.empty()) {
    answer.opaque = json::to_text(opaque);
    answer.opaque_dialect = kGeminiName;
  }
}

}  // namespace

std::expected<Decoded, quota::Signal> read_gemini(const json::Value& body,
                                                  const wire::Response& response,
                                                  const SignalRules& rules) {
  const json::Array* candidates = json::get_array(body, "candidates");
  const std::string blocked = block_reason(body);
  Decoded decoded;
  chat::Answer& answer = decoded.answer;
  if (candidates != nullptr && !candidates->empty()) {
    const json::Value& candidate = candidates->front();
    read_content(candidate, answer);
    answer.finish_text = text_or_empty(candidate, "finishReason");
    answer.finish = finish_of(answer.finish_text, !answer.tool_calls.empty());
  } else if (!blocked.empty()) {
    answer.finish_text = blocked;
    answer.finish = chat::FinishReason::content_filter;
  } else {
    return std::unexpected(unusable(
        response, quota::SignalClass::broken, "no_candidates", "the answer holds no candidates"));
  }
  read_usage(body, answer);
  answer.served_model = text_or_empty(body, "modelVersion");
  answer.response_id = text_or_empty(body, "responseId");
  decoded.hints = hints_of(response, rules);
  return decoded;
}

void take_gemini_event(const json::Value& event, AnswerDocument& answer) {
  for (const std::string_view name :
       {"usageMetadata", "modelVersion", "responseId", "promptFeedback"}) {
    if (const json::Value* member = json::find(event, name); member != nullptr) {
      answer.document[name] = *member;
    }
  }
  answer.complete = answer.complete || !block_reason(event).empty();
  const json::Array* candidates = json::get_array(event, "candidates");
  if (candidates == nullptr || candidates->empty()) {
    return;
  }
  const json::Value& piece = candidates->front();
  json::Object& candidate = *object_at(array_in(answer.document, "candidates"), 0);
  if (const json::Value* content = json::find(piece, "content"); content != nullptr) {
    if (const json::Array* parts = json::get_array(*content, "parts"); parts != nullptr) {
      json::Array& known = array_in(object_in(candidate, "content"), "parts");
      for (const json::Value& part : *parts) {
        known.push_back(part);
        ++answer.content_events;
        answer.reasoning_events += json::get_bool(part, "thought").value_or(false) ? 1U : 0U;
      }
    }
  }
  if (const auto reason = json::get_string(piece, "finishReason"); reason && !reason->empty()) {
    candidate["finishReason"] = *reason;
    answer.complete = true;
  }
}

}  // namespace sortie::provider
