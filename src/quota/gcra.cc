#include "sortie/quota/gcra.h"

#include "sortie/base/time.h"
#include "sortie/quota/pacing.h"

#include <algorithm>
#include <optional>

namespace sortie::quota {

namespace {

// No debt reaches further than this into the future: keeps sums inside the range of an Instant,
// whatever was asked.
const base::Duration kDebtMax = base::from_seconds(3e9);

}  // namespace

base::Duration Gcra::time_for(double units) const {
  return std::clamp(base::from_seconds(units / pace_.rate), -kDebtMax, kDebtMax);
}

void Gcra::move_to(base::Instant now, base::Instant tat) {
  tat_ = std::min(tat, now + kDebtMax);
}

std::optional<base::Duration> Gcra::wait(base::Instant now, double units) const {
  if (pace_.rate <= 0) {
    return std::nullopt;
  }
  // max(B, c) is c for a large request, which then needs TAT ≤ now; a small one may run ahead by (B
  // − c)/λ.
  const base::Duration ahead =
      units < pace_.burst ? time_for(pace_.burst - units) : base::Duration::zero();
  // (B − c)/λ is rounded up to a nanosecond; taking that off again errs on the slow side.
  const base::Duration allowed = std::max(base::Duration::zero(), ahead - base::Duration(1));
  return std::max(base::Duration::zero(), (tat_ - now) - allowed);
}

void Gcra::reserve(base::Instant now, double units) {
  if (pace_.rate > 0) {
    move_to(now, std::max(tat_, now) + time_for(units));
  }
}

void Gcra::settle(base::Instant now, double reserved, double used) {
  if (pace_.rate <= 0) {
    return;
  }
  if (used > reserved) {
    reserve(now, used - reserved);
    return;
  }
  // A bucket that has been full for longer stays so.
  const base::Instant floor = std::min(tat_, now - time_for(pace_.burst));
  move_to(now, std::max(tat_ + time_for(used - reserved), floor));
}

void Gcra::sync(base::Instant now, double remaining) {
  if (pace_.rate > 0 && remaining < pace_.burst) {
    move_to(now, std::max(tat_, now + time_for(pace_.burst - remaining)));
  }
}

void Gcra::set_pace(base::Instant now, Pace pace) {
  const double debt = base::seconds(tat_ - now) * pace_.rate;
  const double growth = std::max(0.0, pace.burst - pace_.burst);
  const bool was_open = pace_.rate > 0;
  pace_ = pace;
  if (was_open && pace_.rate > 0) {
    move_to(now, now + time_for(debt + growth));
  }
}

}  // namespace sortie::quota
