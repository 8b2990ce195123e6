#pragma once

#include "sortie/base/scrubber.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace sortie::provider {

/// Reads the body of a good answer (2xx) while it comes. What was asked for as a stream is one as a
/// rule, but a gateway may answer in one piece, or with an error object: then the body is kept
/// until its end. Reads the same however the body is cut.
class AnswerReader {
 public:
  explicit AnswerReader(const Dialect& dialect) : dialect_(&dialect) {}

  /// `head`: status and headers, the same at each call.
  void feed(const wire::Response& head, std::string_view piece);

  [[nodiscard]] bool has_begun() const { return has_begun_; }

  /// Pieces of the answer that held tokens, those of reasoning included.
  [[nodiscard]] std::uint64_t events_with_content() const {
    return stream_ ? stream_->events_with_content() : 0;
  }

  [[nodiscard]] std::uint64_t events_with_reasoning() const {
    return stream_ ? stream_->events_with_reasoning() : 0;
  }

  /// See AnswerStream; "" of a body in one piece.
  [[nodiscard]] std::string_view served_model() const {
    return stream_ ? stream_->served_model() : std::string_view();
  }

  /// See AnswerStream. Of a body in one piece only its end tells.
  [[nodiscard]] bool is_over() const { return stream_ && stream_->is_over(); }

  /// At the end of the body, once: the answer, or what went wrong, without secrets.
  [[nodiscard]] std::expected<Decoded, quota::Signal> finish(const SignalRules& rules,
                                                             const base::Scrubber& scrubber);

 private:
  [[nodiscard]] bool is_stream() const;

  const Dialect* dialect_;
  bool has_begun_ = false;
  wire::Response head_;  // body: all of it, or the beginning of a stream, for messages
  std::optional<AnswerStream> stream_;  // once the body is known to be one
};

}  // namespace sortie::provider
