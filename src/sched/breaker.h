#pragma once

#include "sortie/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace sortie::sched {

/// What the end of a request says about the health of what served it.
enum class Health : std::uint8_t {
  good,         // a complete answer, or a refusal of the key or the name
  alive,        // no failure of the server and no proof that it works: a limit, a refused request
  failing,      // it failed as a server: 5xx, a broken answer, silence
  unreachable,  // no connection, or lost before any byte
  unknown,      // we cancelled it
};

/// A circuit breaker. Pure; takes `now`, which must never go backwards.
///
/// Closed, it watches a rolling window of 20 s. Three requests in a row that could not reach the
/// server, or half of at least five failing, open it: nothing passes for min(20, 2·2^k) s ± 20 %,
/// where k counts the openings since the last complete answer.
///
/// Then it is half open. One real request goes through, after a good answer 2, then 4 and 8 at
/// once, then half of what was in flight before; each step follows when so many were answered well,
/// and every good answer makes its part of the room for the next step at once. It closes when a
/// step would let through all that was in flight before. It opens again when a request fails
/// before any was answered, or when half of at least five have failed, all since the rest. So a
/// dead server costs one request a rest, and rests grow; one that fails a third of all requests by
/// chance comes back. The window of the closed breaker begins with what came of the half open one.
///
/// Half open, the first token of an answer counts for the whole answer, until its end is known.
/// Limits (429) never open it. Requests that were sent before the last change of state are not
/// counted.
class Breaker {
 public:
  /// The first instant ≥ now at which a request may pass; Instant::max() while as many are on their
  /// way as the step allows.
  [[nodiscard]] base::Instant earliest(base::Instant now) const;

  /// A request is sent: earliest(now) must be now.
  void admit();

  /// Tokens of the answer to a request that was sent at `sent` come; told once of each request.
  void began(base::Instant sent, base::Instant now);

  /// A request that was sent at `sent` ended; began() was told of it if `has_begun`. `uniform` in
  /// [0, 1) spreads the time for which it opens.
  void ended(
      base::Instant sent, base::Instant now, Health health, double uniform, bool has_begun = false);

  /// Opens it for reasons that it does not see itself.
  void trip(base::Instant now, double uniform) {
    if (is_closed_) {
      open(now, uniform);
    }
  }

  [[nodiscard]] bool is_closed() const { return is_closed_; }

  /// Closed, but so much fails of late (of ten or more requests besides the turn's own) that a turn
  /// fails `times` times in a row by chance: more than once in 10,000.
  [[nodiscard]] bool is_ailing(base::Instant now, std::uint32_t times) const;

  [[nodiscard]] base::Instant open_until() const { return open_until_; }

 private:
  struct Slice {
    std::int64_t second = -1;
    std::uint32_t requests = 0;
    std::uint32_t failures = 0;
  };

  static constexpr std::int64_t kWindowSeconds = 20;

  void answered_while_half_open(base::Instant now);
  void failed_while_half_open(base::Instant now, double uniform);
  [[nodiscard]] std::size_t next_step() const;
  [[nodiscard]] std::size_t allowed() const;
  void ended_while_closed(base::Instant sent, base::Instant now, Health health, double uniform);
  void count_unreachable(base::Instant sent, Health health);
  void open(base::Instant now, double uniform);
  void close(base::Instant now);
  void count(base::Instant now, std::uint32_t requests, std::uint32_t failures);
  [[nodiscard]] Slice lately(base::Instant now) const;
  [[nodiscard]] static bool is_half(const Slice& counts);

  bool is_closed_ = true;
  std::size_t in_flight_ = 0;
  std::size_t peak_ = 0;  // most in flight while closed
  // Only while not closed: the step and its good answers, what is on its way since the rest, and
  // what came of all since then.
  std::size_t step_ = 1;
  std::size_t good_ = 0;
  std::size_t on_way_ = 0;
  Slice since_rest_;
  base::Instant changed_at_ = base::Instant::min();
  base::Instant open_until_ = base::Instant::min();  // of the last rest
  int openings_ = 0;                                 // since the last complete answer
  // In a row, of requests sent since the first of them: earlier ones may still be answered.
  int unreachable_ = 0;
  base::Instant unreachable_since_ = base::Instant::min();
  std::array<Slice, kWindowSeconds> slices_{};
};

}  // namespace sortie::sched
