#include "sortie/provider/answer_stream.h"

#include "sortie/base/json.h"
#include "sortie/base/scrubber.h"
#include "sortie/base/text.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/reading.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"
#include "sortie/wire/scrub.h"
#include "sortie/wire/sse.h"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::provider {

namespace {

constexpr std::string_view kDone = "[DONE]";

void scrub_texts(json::Value& value, const base::Scrubber& scrubber);

void scrub_members(json::Object& object, const base::Scrubber& scrubber) {
  json::Object clean;
  for (auto& member : object) {
    json::Value value = std::move(member.value());
    scrub_texts(value, scrubber);
    clean.emplace(scrubber.scrub(member.key(), wire::kSecretBytesMin), std::move(value));
  }
  object = std::move(clean);
}

void scrub_texts(json::Value& value, const base::Scrubber& scrubber) {
  if (value.is_string()) {
    value = scrubber.scrub(json::view(value.get_string()), wire::kSecretBytesMin);
  } else if (value.is_array()) {
    for (json::Value& item : value.get_array()) {
      scrub_texts(item, scrubber);
    }
  } else if (value.is_object()) {
    scrub_members(value.get_object(), scrubber);
  }
}

}  // namespace

void AnswerStream::scrub(const base::Scrubber& scrubber) {
  scrub_members(answer_.document, scrubber);
  if (answer_.error.has_value()) {
    scrub_texts(*answer_.error, scrubber);
  }
  problem_ = scrubber.scrub(problem_, wire::kSecretBytesMin);
}

void AnswerStream::feed(std::string_view bytes) {
  if (!problem_.empty() || answer_.error.has_value()) {
    return;
  }
  base::Result<wire::SseBatch> batch = decoder_.feed(bytes);
  if (!batch) {
    problem_ = batch.error().message;
    return;
  }
  for (const wire::SseEvent& event : batch->events) {
    const std::string_view data = base::trim(event.data);
    if (data.empty()) {
      continue;
    }
    if (data == kDone) {
      answer_.complete = true;
      continue;
    }
    base::Result<json::Value> document = json::parse(data);
    if (!document) {
      problem_ = "an event of the stream is no JSON: " + document.error().message;
      return;
    }
    if (holds_error(*document) || event.event == "error") {
      answer_.error = std::move(*document);
      return;
    }
    dialect_->take_event(std::move(*document), answer_);
  }
}

std::expected<Decoded, quota::Signal> AnswerStream::finish(const wire::Response& head,
                                                           const SignalRules& rules) const {
  if (answer_.error.has_value()) {
    quota::Signal signal = signal_of_error(head, &*answer_.error, rules);
    signal.maybe_billed = signal.maybe_billed || answer_.content_events > 0;
    return std::unexpected(std::move(signal));
  }
  if (!problem_.empty()) {
    return std::unexpected(unusable(head, quota::SignalClass::broken, "not_json", problem_));
  }
  if (!answer_.complete) {
    return std::unexpected(unusable(
        head, quota::SignalClass::broken, "truncated", "the stream ended before its answer did"));
  }
  return dialect_->read(answer_.document, head, rules);
}

bool is_event_stream(const wire::Response& response) {
  const std::string_view body = base::trim(std::string_view(response.body).substr(0, 256));
  if (body.starts_with('{')) {
    return false;  // an answer in one piece, whatever its type says
  }
  const std::string type = base::to_lower(response.headers.find("content-type").value_or(""));
  return type.starts_with("text/event-stream") || body.starts_with("data:") ||
         body.starts_with("event:") || body.starts_with(":");
}

json::Object& object_in(json::Object& target, std::string_view name) {
  json::Value& member = target[name];
  return member.is_object() ? member.get_object() : member.emplace_object();
}

json::Array& array_in(json::Object& target, std::string_view name) {
  json::Value& member = target[name];
  return member.is_array() ? member.get_array() : member.emplace_array();
}

json::Object* object_at(json::Array& list, std::size_t index) {
  if (index >= kPartsMax) {
    return nullptr;
  }
  while (list.size() <= index) {
    list.emplace_back(json::Object{});
  }
  json::Value& item = list[index];
  return item.is_object() ? &item.get_object() : &item.emplace_object();
}

void append_text_member(json::Object& target, std::string_view name, const json::Value& source) {
  const auto text = json::get_string(source, name);
  if (!text || text->empty()) {
    return;
  }
  json::Value& member = target[name];
  if (!member.is_string()) {
    member.emplace_string();
  }
  member.get_string().append(*text);
}

std::expected<Decoded, quota::Signal> Dialect::decode(const wire::Response& response,
                                                      const SignalRules& rules) const {
  if (is_good(response.status) && is_event_stream(response)) {
    AnswerStream stream(*this);
    stream.feed(response.body);
    return stream.finish(response, rules);
  }
  // DeepSeek sends empty lines while a request waits.
  const std::string_view text = base::trim(response.body);
  const base::Result<json::Value> body = json::parse(text);
  if (!is_good(response.status)) {
    return std::unexpected(signal_of_error(response, body ? &*body : nullptr, rules));
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
    return std::unexpected(signal_of_error(response, &*body, rules));
  }
  return read(*body, response, rules);
}

}  // namespace sortie::provider
