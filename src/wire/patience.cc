#include "sortie/wire/patience.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace sortie::wire {
namespace {

/// The earlier of the two, where a length of zero is no limit.
void keep_earlier(std::optional<base::Instant>& kept, base::Instant from, base::Duration length) {
  if (length > base::Duration::zero() && (!kept || from + length < *kept)) {
    kept = from + length;
  }
}

}  // namespace

void Patience::connecting(base::Instant now) {
  phase_ = Phase::connecting;
  slot_at_ = now;
}

void Patience::sent(base::Instant now) {
  phase_ = Phase::sent;
  sent_at_ = now;
  progress_at_ = now;
}

void Patience::byte(base::Instant now) {
  phase_ = Phase::receiving;
  byte_at_ = now;
}

bool Patience::wants_look(base::Instant now, base::Duration shortest, base::Duration longest) {
  if (phase_ != Phase::receiving) {
    return false;
  }
  const base::Instant last = std::max(looked_at_, byte_at_);
  if (now - last < std::clamp(last - byte_at_, shortest, longest)) {
    return false;
  }
  looked_at_ = now;
  return true;
}

std::optional<base::Instant> Patience::next_limit() const {
  std::optional<base::Instant> next;
  keep_earlier(next, started_at_, limits_.total);
  switch (phase_) {
    case Phase::waiting:
      break;
    case Phase::connecting:
      keep_earlier(next, slot_at_, limits_.connect);
      break;
    case Phase::sent:
      keep_earlier(next, sent_at_, limits_.first_byte);
      keep_earlier(next, progress_at_, limits_.progress);
      break;
    case Phase::receiving:
      keep_earlier(next, byte_at_, limits_.liveness);
      keep_earlier(next, progress_at_, limits_.progress);
      break;
  }
  return next;
}

std::optional<Failure> Patience::passed(base::Instant now, const std::string& peer) const {
  const auto passed = [now](base::Instant from, base::Duration length) {
    return length > base::Duration::zero() && from + length <= now;
  };
  const auto failed = [](FailureKind kind, std::string_view what, base::Duration length) {
    return Failure{kind, fmt::format("{} within {}", what, base::human(length))};
  };
  if (phase_ == Phase::connecting && passed(slot_at_, limits_.connect)) {
    return failed(FailureKind::connect_timeout, "no connection to " + peer, limits_.connect);
  }
  if (phase_ == Phase::sent && passed(sent_at_, limits_.first_byte)) {
    return failed(FailureKind::first_byte_timeout, "no byte of an answer", limits_.first_byte);
  }
  if (phase_ == Phase::receiving && passed(byte_at_, limits_.liveness)) {
    return failed(FailureKind::liveness_timeout, "no further byte of the answer", limits_.liveness);
  }
  if ((phase_ == Phase::sent || phase_ == Phase::receiving) &&
      passed(progress_at_, limits_.progress)) {
    return failed(
        FailureKind::progress_timeout, "nothing that brings the answer forward", limits_.progress);
  }
  if (passed(started_at_, limits_.total)) {
    return failed(FailureKind::total_timeout, "not finished", limits_.total);
  }
  return std::nullopt;
}

}  // namespace sortie::wire
