#pragma once

#include "sortie/base/time.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::quota {

/// "Nobody can say when": a slot has to be released first, or the limit lets nothing through at
/// all.
inline constexpr base::Instant kUntilFreed = base::Instant::max();

/// Requests in flight against a limit of κ. A slot is taken when a request is admitted and released
/// when its answer is complete; the slot of a cancelled request is held for a while, because the
/// server may still be working on it.
class ConcurrencyCounter {
 public:
  /// `active` requests are in flight already.
  explicit ConcurrencyCounter(std::size_t slots, std::size_t active = 0)
      : slots_(slots), active_(active) {}

  /// A new limit; what is in flight beyond it ends as it would have.
  void set_slots(std::size_t slots) { slots_ = slots; }

  /// The first instant ≥ now at which a slot is known to be free; kUntilFreed if that depends on
  /// answers to come.
  [[nodiscard]] base::Instant earliest(base::Instant now) const;

  void acquire(base::Instant now);  // earliest(now) must be now
  void release(base::Instant now);
  void release_at(base::Instant now, base::Instant when);

  /// Slots taken at `now`, held ones included.
  [[nodiscard]] std::size_t in_flight(base::Instant now) const;

  [[nodiscard]] std::size_t slots() const { return slots_; }

 private:
  void forget_ended_holds(base::Instant now);

  std::size_t slots_;
  std::size_t active_;
  std::vector<base::Instant> held_until_;  // ascending
};

}  // namespace sortie::quota
