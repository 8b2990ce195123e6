#pragma once

#include "sortie/base/time.h"

#include <algorithm>

namespace sortie::sched {

/// Spacing at the moment of sending. Pacing decides when a request is bound, but it leaves only
/// once its attempt is durable; a slow commit would let requests that were bound one after the
/// other leave together, and a server that enforces by the second counts arrivals. Pure.
class Departure {
 public:
  /// `spacing` between two requests at the pool's pace; zero where bursts are allowed.
  explicit Departure(base::Duration spacing) : spacing_(shortened(spacing)) {}

  void set_spacing(base::Duration spacing) { spacing_ = shortened(spacing); }

  /// The next free place at or after `now`.
  [[nodiscard]] base::Instant next(base::Instant now) const {
    return std::max(now, last_ + spacing_);
  }

  void take(base::Instant at) { last_ = std::max(last_, at); }

 private:
  /// A thousandth shorter than the pace, so that a delay is made up for over the next thousand
  /// requests; for limits by the second that is a tenth of the margin of pacing.
  static base::Duration shortened(base::Duration spacing) { return spacing - spacing / 1000; }

  base::Duration spacing_;
  base::Instant last_{-base::from_seconds(3e9)};
};

}  // namespace sortie::sched
