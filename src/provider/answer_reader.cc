#include "sortie/provider/answer_reader.h"

#include "sortie/base/scrubber.h"
#include "sortie/base/text.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"
#include "sortie/wire/scrub.h"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <string_view>

namespace sortie::provider {

namespace {

// What messages quote of a stream is shorter, so that a secret that the cut would hide from the
// scrubber is not among it.
constexpr std::size_t kQuotedBytesMax = 4096;

// "event:" is the longest beginning by which a stream without a Content-Type is known.
constexpr std::size_t kBeginningBytes = 6;

}  // namespace

bool AnswerReader::is_stream() const {
  const std::string_view body = base::trim(head_.body);
  const bool is_declared = base::to_lower(head_.headers.find("content-type").value_or(""))
                               .starts_with("text/event-stream");
  return body.size() >= (is_declared ? 1 : kBeginningBytes) && is_event_stream(head_);
}

void AnswerReader::feed(const wire::Response& head, std::string_view piece) {
  if (!has_begun_) {
    has_begun_ = true;
    head_ = {.status = head.status, .headers = head.headers, .body = {}};
  }
  if (stream_) {
    stream_->feed(piece);
    if (head_.body.size() < kQuotedBytesMax) {
      head_.body.append(piece.substr(0, kQuotedBytesMax - head_.body.size()));
    }
    return;
  }
  head_.body.append(piece);
  if (is_stream()) {
    stream_.emplace(*dialect_);
    stream_->feed(head_.body);
    head_.body.resize(std::min(head_.body.size(), kQuotedBytesMax));
  }
}

std::expected<Decoded, quota::Signal> AnswerReader::finish(const SignalRules& rules,
                                                           const base::Scrubber& scrubber) {
  const wire::Response head = wire::scrubbed(head_, scrubber);
  if (!stream_) {
    return dialect_->decode(head, rules);
  }
  stream_->scrub(scrubber);
  return stream_->finish(head, rules);
}

}  // namespace sortie::provider
