#pragma once

#include "sortie/base/time.h"

#include <algorithm>

namespace sortie::aio {

/// A point in time by which something must be over. One is passed down and each step takes what is
/// left of it, instead of time-outs that add up.
class Deadline {
 public:
  /// Never passes.
  constexpr Deadline() = default;

  constexpr explicit Deadline(base::Instant at) : at_(at) {}

  /// `limit` after `now`; one that would overflow never passes.
  [[nodiscard]] static constexpr Deadline after(base::Instant now, base::Duration limit) {
    const bool endless = limit > base::Instant::max() - std::max(now, base::Instant());
    return endless ? Deadline() : Deadline(now + limit);
  }

  [[nodiscard]] constexpr base::Instant at() const { return at_; }

  [[nodiscard]] constexpr bool is_never() const { return at_ == base::Instant::max(); }

  [[nodiscard]] constexpr bool passed(base::Instant now) const { return !is_never() && at_ <= now; }

  /// Zero once passed; Duration::max() if it never passes.
  [[nodiscard]] constexpr base::Duration remaining(base::Instant now) const {
    if (is_never()) {
      return base::Duration::max();
    }
    return at_ > now ? at_ - now : base::Duration::zero();
  }

  [[nodiscard]] constexpr Deadline earlier(Deadline other) const {
    return Deadline(std::min(at_, other.at_));
  }

  constexpr auto operator<=>(const Deadline&) const = default;

 private:
  base::Instant at_ = base::Instant::max();
};

}  // namespace sortie::aio
