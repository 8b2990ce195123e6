#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/pacing.h"

#include <optional>

// The generic cell rate algorithm (ITU-T I.371) as a value: one instant, the theoretical arrival
// time TAT, is the whole state of a rate limit. (TAT − now)·rate units are "in the bucket's debt";
// in the past, the bucket is full. Pure: takes `now`, which must never go backwards. 24 bytes, no
// allocation.

namespace sortie::quota {

class Gcra {
 public:
  explicit Gcra(Pace pace) : pace_(pace) {}

  /// Time until `units` may be taken: max(0, TAT + c/λ − now − max(B, c)/λ). More than a burst
  /// passes when the bucket is full. Nullopt: never (the pace is zero).
  [[nodiscard]] std::optional<base::Duration> wait(base::Instant now, double units) const;

  /// TAT ← max(TAT, now) + c/λ. The caller has seen wait() = 0; taking more is only delay for those
  /// who follow.
  void reserve(base::Instant now, double units);

  /// Corrects an earlier reservation to what was really used: TAT ← max(TAT − (c − c')/λ, now −
  /// B/λ). An extra charge counts from now on, so that an idle bucket does not forget it.
  void settle(base::Instant now, double reserved, double used);

  /// The server says that `remaining` units are left, our own later requests already taken off:
  /// with less than a burst left, TAT ← max(TAT, now + (B − R)/λ). Never speeds up.
  void sync(base::Instant now, double remaining);

  /// Changes the pace and keeps the debt in units. A larger burst adds its growth to the debt, so
  /// that a window around the change lets through no more than the old pace or the new one would.
  void set_pace(base::Instant now, Pace pace);

  [[nodiscard]] Pace pace() const { return pace_; }

  /// Since when the bucket has been full, or when it will be.
  [[nodiscard]] base::Instant full_at() const { return tat_; }

 private:
  [[nodiscard]] base::Duration time_for(double units) const;
  void move_to(base::Instant now, base::Instant tat);

  Pace pace_;
  // A bucket that was never used has been full for longer than any window.
  base::Instant tat_{-base::from_seconds(3e9)};
};

}  // namespace sortie::quota
