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

}  // namespace

void AnswerStream::scrub(const base::Scrubber& scrubber) {
  wire::scrub_texts(answer_.document, scrubber);
  if (answer_.error.has_value()) {
    wire::scrub_texts(*answer_.error, scrubber);
  }
  problem_ = scrubber.scrub(problem_, wire::kSecretBytesMin);
}

std::string_view AnswerStream::served_model() const {
  const json::Value* model = answer_.document.if_contains(dialect_->model_field());
  return model != nullptr && model->is_string() ? json::view(model->get_string())
                                                : std::string_view();
}

void AnswerStream::feed(std::string_view bytes) {
  if (is_closed_) {
    return;
  }
  // An answer that is complete was made and is paid for, whatever follows it.
  const auto fail = [this](std::string why) {
    is_closed_ = true;
    if (!answer_.complete) {
      problem_ = std::move(why);
    }
  };
  wire::SseBatch batch = decoder_.feed(bytes);
  for (const wire::SseEvent& event : batch.events) {
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
      fail("an event of the stream is no JSON: " + document.error().message);
      return;
    }
    if (holds_error(*document) || event.event == "error") {
      is_closed_ = true;
      if (!answer_.complete) {
        answer_.error = std::move(*document);
      }
      return;
    }
    dialect_->take_event(std::move(*document), answer_);
  }
  if (batch.error.has_value()) {
    fail(std::move(batch.error->message));
  }
}

std::expected<Decoded, quota::Signal> AnswerStream::finish(const wire::Response& head,
                                                           const SignalRules& rules) const {
  if (answer_.error.has_value()) {
    // Only what the error says is looked at: the body began with words of the model.
    const wire::Response error{
        .status = head.status, .headers = head.headers, .body = json::to_text(*answer_.error)};
    quota::Signal signal = signal_of_error(error, &*answer_.error, rules);
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
