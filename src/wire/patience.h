#pragma once

#include "sortie/base/time.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sortie::wire {

/// How long an exchange may still take: the limits of wire::Timeouts against what has happened so
/// far. Pure; whoever carries the exchange tells it what happens.
class Patience {
 public:
  enum class Phase : std::uint8_t {
    waiting,     // for a connection: only `total` runs
    connecting,  // name, TCP, TLS, proxy
    sent,        // the request is being written or was; no byte of an answer
    receiving,   // after the first byte
  };

  Patience() = default;

  Patience(const Timeouts& limits, base::Instant now) : limits_(limits), started_at_(now) {}

  void connecting(base::Instant now);
  void sent(base::Instant now);
  /// A byte of the answer.
  void byte(base::Instant now);

  /// A piece that brings the answer forward.
  void progressed(base::Instant now) { progress_at_ = now; }

  [[nodiscard]] Phase phase() const { return phase_; }

  /// The answer has begun, and nothing of it came for so long that whoever carries it should look
  /// for itself: after `shortest`, then in steps that double up to `longest`. Counts as looked at
  /// when it says so.
  [[nodiscard]] bool wants_look(base::Instant now, base::Duration shortest, base::Duration longest);

  /// When the next limit passes unless something happens first.
  [[nodiscard]] std::optional<base::Instant> next_limit() const;

  /// The limit that has passed; `peer` names the other side in its message.
  [[nodiscard]] std::optional<Failure> passed(base::Instant now, const std::string& peer) const;

 private:
  Timeouts limits_;
  Phase phase_ = Phase::waiting;
  base::Instant started_at_;
  base::Instant slot_at_;
  base::Instant sent_at_;
  base::Instant byte_at_;
  base::Instant looked_at_;
  base::Instant progress_at_;  // at first, when it was sent
};

}  // namespace sortie::wire
