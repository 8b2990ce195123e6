#include "sortie/engine/streamed_answer.h"

#include "sortie/base/time.h"
#include "sortie/sched/answer_times.h"
#include "sortie/sched/scheduler.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace sortie::engine {

wire::Piece StreamedAnswer::take(const wire::Response& head,
                                 std::string_view piece,
                                 base::Instant now) {
  const std::uint64_t before = reader_.events_with_content();
  if (first_at_) {
    longest_silence_ = std::max(longest_silence_, now - last_at_);
  } else {
    first_at_ = now;
  }
  last_at_ = now;
  reader_.feed(head, piece);
  if (reader_.events_with_content() == before) {
    return wire::Piece::life;
  }
  if (!first_token_at_) {
    first_token_at_ = now;
  }
  return wire::Piece::progress;
}

sched::AnswerTiming StreamedAnswer::timing(const wire::Completion& completion) const {
  if (!first_at_ || !first_token_at_) {
    return {};
  }
  const base::Duration first_token = *first_token_at_ - completion.sent_at;
  return {
      .first_token = first_token,
      .stream = sched::StreamTiming{
          .first_token = first_token,
          .longest_silence = std::max(
              {*first_at_ - completion.sent_at, longest_silence_, completion.ended_at - last_at_}),
          .reasoned_openly = reader_.events_with_reasoning() > 0}};
}

}  // namespace sortie::engine
