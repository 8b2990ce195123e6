#pragma once

#include "sortie/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace sortie::sched {

/// What the end of a request says about the health of what served it.
enum class Health : std::uint8_t {
  good,         // a complete answer
  alive,        // an answer that is no failure of the server: a limit, a refusal
  failing,      // it failed as a server: 5xx, a broken answer, silence
  unreachable,  // no connection, or lost before any byte
  unknown,      // we cancelled it
};

/// A circuit breaker. Closed, it watches a rolling window of 20 s; three requests in a row that
/// could not reach the server, or half of at least five failing, open it for min(20, 2·2^k) s ± 20
/// %. Then it is half open: one real request goes through, then 2, 4 and 8 at once, then half of
/// what was in flight before; each step follows when so many were answered well, and every good
/// answer makes its part of the room for the next step at once. It closes when a step would let
/// through all that was in flight before. The failure of the first request, or of half a step,
/// opens it again with k + 1. Limits (429) never open it. Pure; takes `now`, which
/// must never go backwards. Requests that were sent before the last change of state are not
/// counted.
class Breaker {
 public:
  /// The first instant ≥ now at which a request may pass; Instant::max() while as many are on their
  /// way as the step allows.
  [[nodiscard]] base::Instant earliest(base::Instant now) const;

  /// A request is sent: earliest(now) must be now.
  void admit();

  /// A request that was sent at `sent` ended. `uniform` in [0, 1) spreads the time for which it
  /// opens.
  void ended(base::Instant sent, base::Instant now, Health health, double uniform);

  /// Opens it for reasons that it does not see itself.
  void trip(base::Instant now, double uniform) {
    if (is_closed_) {
      open(now, uniform);
    }
  }

  [[nodiscard]] bool is_closed() const { return is_closed_; }

  /// Closed, but at least a quarter of ten or more requests has failed of late.
  [[nodiscard]] bool is_ailing(base::Instant now) const;

  [[nodiscard]] base::Instant open_until() const { return open_until_; }

 private:
  struct Slice {
    std::int64_t second = -1;
    std::uint32_t requests = 0;
    std::uint32_t failures = 0;
  };

  static constexpr std::int64_t kWindowSeconds = 20;

  void ended_while_half_open(base::Instant now, Health health, double uniform);
  [[nodiscard]] std::size_t next_step() const;
  [[nodiscard]] std::size_t allowed() const;
  void advance(base::Instant now);
  void ended_while_closed(base::Instant sent, base::Instant now, Health health, double uniform);
  void count_unreachable(base::Instant sent, Health health);
  void open(base::Instant now, double uniform);
  void close(base::Instant now);
  [[nodiscard]] Slice lately(base::Instant now) const;
  [[nodiscard]] bool is_too_bad(base::Instant now) const;

  bool is_closed_ = true;
  std::size_t in_flight_ = 0;
  std::size_t peak_ = 0;  // most in flight while closed
  // Only while not closed: the step, what is on its way since it opened, and what came of the step.
  std::size_t step_ = 1;
  std::size_t on_way_ = 0;
  std::size_t good_ = 0;
  std::size_t bad_ = 0;
  base::Instant changed_at_ = base::Instant::min();
  base::Instant open_until_ = base::Instant::min();
  int openings_ = 0;  // since it was last closed by a good answer
  // In a row, of requests sent since the first of them: earlier ones may still be answered.
  int unreachable_ = 0;
  base::Instant unreachable_since_ = base::Instant::min();
  std::array<Slice, kWindowSeconds> slices_{};
};

}  // namespace sortie::sched
