#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/backoff.h"
#include "sortie/sched/departure.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace sortie::sched {

/// A limit domain as the scheduler sees it: its declared limits, and what its refusals taught
/// since. Pure.
class Pool {
 public:
  enum class Kind : std::uint8_t {
    own,    // a limit domain, or a route without one
    found,  // refusals showed that pools are one limit: their rates are learned here, while each of
            // them keeps its own gate
  };

  Pool(const quota::LimitDomain& domain, quota::DomainOptions options, Kind kind = Kind::own);

  [[nodiscard]] quota::DomainLimiter& limiter() { return limiter_; }

  [[nodiscard]] const quota::DomainLimiter& limiter() const { return limiter_; }

  /// The first instant ≥ now at which everything here admits the request; quota::kUntilFreed while
  /// that depends on a release. True as long as nothing is reserved, settled, released or closed.
  [[nodiscard]] base::Instant earliest(base::Instant now, const quota::RequestSize& size) const;

  /// False: earliest() is the same for every request.
  [[nodiscard]] bool depends_on_size() const;

  /// A limit of rate refused the request that holds `part` (released already): closed for all until
  /// the hint is over, without a hint for 1 s·2^k; and the limit is learned. A found pool closes
  /// only for long hints, since what it lets through in a second or two is there for its other
  /// members. One that came by chance closes nothing. True when that began an episode.
  bool refused(const quota::Reservation& part,
               quota::Dimension dimension,
               base::Instant now,
               std::optional<base::Duration> wait,
               double uniform);

  /// The same during a trial, of which nothing is learned.
  bool refused_in_trial(const quota::Reservation& part,
                        quota::Dimension dimension,
                        base::Instant now,
                        std::optional<base::Duration> wait,
                        double uniform);

  /// Too many at once: no more in flight than there are now (the refused request is released
  /// already), and a little patience, since the server may count a slot longer than we do.
  void crowded(const quota::Reservation& part,
               base::Instant now,
               std::optional<base::Duration> wait,
               double uniform);

  /// Growing too fast: closed for `wait`, and slower from then on.
  void ramped(base::Instant now, base::Duration wait, double uniform);

  /// Nothing until the provider's clock says so; an hour when it does not say.
  void exhausted(base::Instant now, std::optional<base::Duration> wait, double uniform);

  void close(base::Instant until);

  /// A person's limit, in the place of all of its kind until it is lifted.
  void set_limit(const quota::Limit& limit, base::Instant now);
  void lift_limit(quota::LimitKind kind, base::Instant now);

  /// A request that was sent at `sent` was answered well, and is not released yet.
  void succeeded(base::Instant sent, base::Instant now);

  /// True while exhausted() keeps it closed.
  [[nodiscard]] bool is_exhausted(base::Instant now) const { return now < exhausted_until_; }

  [[nodiscard]] bool is_found() const { return kind_ == Kind::found; }

  /// A found pool that holds up nobody any more.
  void give_up();

  [[nodiscard]] base::Instant closed_until() const { return closed_until_; }

  /// Nothing is declared, and nothing was learned yet.
  [[nodiscard]] bool is_unknown() const;

  /// Spaces the requests of this pool at the moment they leave.
  [[nodiscard]] Departure& departure();

 private:
  [[nodiscard]] bool came_by_chance(const quota::Reservation& part,
                                    quota::Dimension dimension,
                                    base::Instant now,
                                    std::optional<base::Duration> wait);
  void back_off(base::Instant sent,
                base::Instant now,
                std::optional<base::Duration> wait,
                double uniform);

  quota::DomainLimiter limiter_;
  Kind kind_ = Kind::own;
  base::Duration declared_spacing_;
  Departure departure_;
  Backoff backoff_;
  base::Instant closed_until_ = base::Instant::min();
  base::Instant exhausted_until_ = base::Instant::min();
};

}  // namespace sortie::sched
