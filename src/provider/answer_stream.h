#pragma once

#include "sortie/base/json.h"
#include "sortie/base/scrubber.h"
#include "sortie/provider/dialect.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"
#include "sortie/wire/sse.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

// A streamed answer becomes the document that the provider would have sent without streaming, and
// is then read like one: plain and streamed answers cannot differ in meaning.

namespace sortie::provider {

/// What the events of a stream said so far, in the form of the dialect's plain answer.
struct AnswerDocument {
  json::Object document;
  bool complete = false;               // the event that ends an answer came
  std::optional<json::Value> error;    // the first error event, as its plain answer would be
  std::uint64_t content_events = 0;    // with tokens, of reasoning too
  std::uint64_t reasoning_events = 0;  // of these, with tokens of reasoning
};

/// Decodes one streamed answer. A value: fed with the body's bytes in any pieces, it does not
/// depend on how they are cut. Bounded by what SseDecoder and `bytes_max` allow.
class AnswerStream {
 public:
  explicit AnswerStream(const Dialect& dialect) : dialect_(&dialect) {}

  void feed(std::string_view bytes);

  /// Events with content so far: what a watchdog for progress looks at. Comments and pings count
  /// as life alone.
  [[nodiscard]] std::uint64_t events_with_content() const { return answer_.content_events; }

  [[nodiscard]] std::uint64_t events_with_reasoning() const { return answer_.reasoning_events; }

  /// The model that answers, by its own account so far; "" while it has not said.
  [[nodiscard]] std::string_view served_model() const;

  /// Nothing that may follow changes what the stream comes to, but perhaps the count of its tokens:
  /// the answer is complete, or failed.
  [[nodiscard]] bool is_over() const {
    return answer_.complete || answer_.error.has_value() || !problem_.empty();
  }

  /// Takes the secrets out of everything that was said so far. After the last feed(): a secret may
  /// come in several pieces.
  void scrub(const base::Scrubber& scrubber);

  /// The end of the body: the answer, or what went wrong. `head` has status and headers, its body
  /// is only quoted in messages.
  [[nodiscard]] std::expected<Decoded, quota::Signal> finish(const wire::Response& head,
                                                             const SignalRules& rules) const;

 private:
  const Dialect* dialect_;
  wire::SseDecoder decoder_;
  AnswerDocument answer_;
  std::string problem_;     // of the first event that could not be read
  bool is_closed_ = false;  // an event could not be read, or was an error: nothing after it counts
};

/// True for a body that is an event stream, by its Content-Type or, without one, by its first line.
[[nodiscard]] bool is_event_stream(const wire::Response& response);

/// `target[name]` as an object, made if it is none.
[[nodiscard]] json::Object& object_in(json::Object& target, std::string_view name);

/// `target[name]` as an array, made if it is none.
[[nodiscard]] json::Array& array_in(json::Object& target, std::string_view name);

/// `list[index]` as an object, the list grown to hold it; nullptr for an index beyond
/// kPartsMax, which no answer has.
inline constexpr std::size_t kPartsMax = 1024;
[[nodiscard]] json::Object* object_at(json::Array& list, std::size_t index);

/// Appends a text member of `source` to the one of `target`.
void append_text_member(json::Object& target, std::string_view name, const json::Value& source);

}  // namespace sortie::provider
