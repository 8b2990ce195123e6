#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/gcra.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/settled_window.h"
#include "sortie/quota/usage_meter.h"

#include <cstddef>
#include <vector>

namespace sortie::quota {

/// One rate limit (requests or tokens) with its pacer. The burst follows the largest request of
/// late, so that in every window at most the quota is used, whatever the mix of sizes:
/// - a request larger than the burst raises it (and, but for a bucket, lowers the rate) first, up
/// to
///   largest_burst();
/// - a request beyond that goes when the bucket has been full long enough to pay for the excess;
/// - one beyond the whole quota of a window waits as one of exactly that quota: it goes alone and
/// the server decides.
/// Where the server charges real tokens, which are known with the answer, a SettledWindow counts
/// them as it does, beside the pace.
class RateLimiter {
 public:
  RateLimiter(const Limit& limit, double jitter_seconds);

  /// The first instant ≥ now at which `units` may be taken; kUntilFreed if never. Later only if
  /// others reserve.
  /// `shortfall`: what requests in flight, this one included, may cost beyond what was reserved.
  [[nodiscard]] base::Instant earliest(base::Instant now, double units, double shortfall = 0) const;

  /// earliest(now, units, shortfall) must be now.
  void reserve(base::Instant now, double units, double shortfall = 0);

  /// Corrects what was reserved at `reserved_at`. More than the window's quota is counted as that
  /// quota, so that no server can stop us for hours by an absurd number.
  void settle(base::Instant now, base::Instant reserved_at, double reserved, double used);

  /// Only `remaining` units are left.
  void sync(base::Instant now, double remaining);

  [[nodiscard]] const Limit& limit() const { return limit_; }

  [[nodiscard]] Pace pace() const { return gcra_.pace(); }

  [[nodiscard]] double used_in_window(base::Instant now) const { return meter_.in_window(now); }

 private:
  [[nodiscard]] bool raises_burst(double units) const;
  void remember_cost(base::Instant now, double units);

  Limit limit_;
  double jitter_seconds_;
  double smallest_quota_;  // smallest_quota()
  double largest_burst_;   // largest_burst()
  Gcra gcra_;
  UsageMeter meter_;
  std::vector<SettledWindow> settled_;  // of the window and the sub-window
  // Largest cost of this epoch and of the one before; an outlier is forgotten after two.
  double largest_now_ = 0;
  double largest_before_ = 0;
  base::Instant epoch_end_;
};

}  // namespace sortie::quota
