#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/scrubber.h"
#include "sortie/base/time.h"
#include "sortie/provider/answer_reader.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <expected>
#include <optional>
#include <string_view>

namespace sortie::engine {

/// An answer while it comes: what it says so far, and when it showed life and tokens.
class StreamedAnswer {
 public:
  explicit StreamedAnswer(const provider::Dialect& dialect) : reader_(dialect) {}

  /// Tokens, those of reasoning included, are progress; all else is life.
  wire::Piece take(const wire::Response& head, std::string_view piece, base::Instant now);

  [[nodiscard]] bool has_begun() const { return reader_.has_begun(); }

  [[nodiscard]] std::string_view served_model() const { return reader_.served_model(); }

  /// It is complete or has failed, whatever becomes of its connection.
  [[nodiscard]] bool is_over() const { return reader_.is_over(); }

  /// At its end, once.
  [[nodiscard]] std::expected<provider::Decoded, quota::Signal> finish(
      const provider::SignalRules& rules, const base::Scrubber& scrubber) {
    return reader_.finish(rules, scrubber);
  }

  /// Of an answer that ended so. Without tokens it says nothing.
  [[nodiscard]] sched::AnswerTiming timing(const wire::Completion& completion) const;

  std::optional<aio::TimerId> ending;  // set once it is over
  bool is_told = false;                // the scheduler knows that it has begun

 private:
  provider::AnswerReader reader_;
  std::optional<base::Instant> first_at_;  // of its bytes
  base::Instant last_at_;
  base::Duration longest_silence_{};  // between two
  std::optional<base::Instant> first_token_at_;
};

}  // namespace sortie::engine
