#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/learner.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/rate_limiter.h"
#include "sortie/quota/settled_window.h"
#include "sortie/quota/signal.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

// All limits of one limit domain, decided together. Pure and single-threaded: every call takes
// `now`, which must never go backwards. A request is admitted by reserve(); what it took is
// corrected and given back afterwards:
// - answer complete: settle() with the real usage, then release();
// - failed, perhaps billed: release() alone, the reserved cost stays;
// - cancelled by us: release() with a grace, since the server may still be working;
// - no byte was ever sent: cancel(), which gives everything back.

namespace sortie::quota {

struct DomainOptions {
  double jitter_seconds =
      0.010;           // by which delays to the server differ (p99.9): pacing allows for it
  double share = 1.0;  // of every quota that is ours; the rest belongs to other users of the pool
  Learner::Options learning{};
};

/// What one admitted request took from one domain. A value; belongs to the DomainLimiter that made
/// it.
struct Reservation {
  base::Instant at;
  std::vector<double> units;  // per rate limit; negative: it was not in force
  Learner::Share learned;
  bool settled = false;
  bool released = false;
};

/// One limit as status pages show it.
struct LimitStatus {
  Limit limit;         // as declared, scaled by the share; learned: units a minute
  double used = 0;     // units taken in the last window; in flight for concurrency
  double allowed = 0;  // units a window at our pace; slots for concurrency
  Pace pace;           // zero for concurrency
  LimitSource source = LimitSource::declared;
  double confidence = 1;  // 0 to 1
};

struct DomainStatus {
  std::string name;
  std::size_t in_flight = 0;          // admitted and not released, held slots excluded
  std::optional<base::Instant> gate;  // closed until then; absent when open
  std::vector<LimitStatus> limits;    // in declared order, then the learned ones
  double refused_by_chance = 0;       // share of the requests, as far as it can be told
};

class DomainLimiter {
 public:
  explicit DomainLimiter(LimitDomain domain, DomainOptions options = {});

  /// The first instant ≥ now at which all limits and the gate admit a request of this size;
  /// kUntilFreed while that depends on a release. Holds nothing: ask again then, others may have
  /// come first.
  [[nodiscard]] base::Instant earliest(base::Instant now, const RequestSize& size) const;

  /// Takes the request's cost from every limit. earliest(now, size) must be now.
  [[nodiscard]] Reservation reserve(base::Instant now, const RequestSize& size);

  /// Corrects the limits that the provider settles (`is_settled`) to the real usage; no effect the
  /// second time.
  void settle(base::Instant now, Reservation& reservation, const RequestSize& used);

  /// Frees the concurrency slot, at once or after `grace`; no effect the second time.
  void release(base::Instant now, Reservation& reservation, base::Duration grace = {});

  /// Gives everything back. Only when certainly no byte was sent; no effect after settle or
  /// release.
  void cancel(base::Instant now, Reservation& reservation);

  /// Closes the domain for everybody until `until`; a later gate wins, an earlier one is ignored.
  void gate(base::Instant until);

  void gate(base::Instant now, base::Duration wait) { gate(later(now, wait)); }

  /// Opens the gate (a person's decision).
  void open_gate() { gate_ = {}; }

  /// A person's limit takes the place of all limits of its kind, tighter or looser, until
  /// lift_override(). It starts without a burst. Requests in flight keep their slots.
  void set_override(const Limit& limit, base::Instant now);

  /// The declared limits of that kind are in force again, from an empty bucket.
  void lift_override(LimitKind kind, base::Instant now);

  /// Rate-limit headers of the answer to `answered`, which say something about kinds of limits that
  /// are not declared. A declared limit is paced so that no way of counting refuses it: what
  /// remains of it is our own doing, or others', which only a refusal tells for sure. Elsewhere
  /// nothing is sent until the next unit can be there.
  void observe(base::Instant now, const LimitHints& hints, const Reservation& answered);

  /// What is learned from refusals. Its reservations, settlements and releases follow ours.
  [[nodiscard]] Learner& learner() { return learner_; }

  [[nodiscard]] const Learner& learner() const { return learner_; }

  [[nodiscard]] const std::string& name() const { return domain_.name; }

  /// True when a limit of that kind is in force that was declared or set, not learned.
  [[nodiscard]] bool declares(LimitKind kind) const;

  /// With the limits that are in force now.
  [[nodiscard]] const LimitDomain& domain() const { return domain_; }

  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

  [[nodiscard]] DomainStatus status(base::Instant now) const;

 private:
  struct Stated {
    std::optional<double> limit;
    std::optional<double> remaining;
    std::optional<base::Duration> reset;
  };

  [[nodiscard]] static base::Instant later(base::Instant now, base::Duration wait);
  [[nodiscard]] static std::optional<base::Duration> stated_wait(const Stated& stated, double next);
  void learn_stated(base::Instant now, LimitKind kind, const Stated& stated);
  void observe_kind(base::Instant now,
                    LimitKind kind,
                    const Stated& stated,
                    const Reservation& answered);
  void add_learned(base::Instant now, DomainStatus& status) const;

  /// A rate limit keeps its place for ever, since reservations name it by that.
  struct Rate {
    RateLimiter limiter;
    UnsettledCosts unsettled{};
    bool is_override = false;
    bool in_force = true;
  };

  [[nodiscard]] double shortfall_of(const Rate& rate, double units) const;
  void put_in_force(LimitKind kind, bool in_force, base::Instant now);
  void list_limits();

  DomainOptions options_;
  LimitDomain domain_;
  std::vector<Limit> declared_;   // scaled by the share
  std::vector<Limit> overrides_;  // at most one per kind
  std::vector<Rate> rates_;       // declared ones, then overrides
  std::vector<ConcurrencyCounter> slots_;
  Learner learner_;
  std::optional<base::Instant> gate_;
  std::size_t in_flight_ = 0;
};

/// How long to close a gate after a hint of `wait`: stretched by up to 5 % (`uniform` in [0, 1)),
/// so that those who were told the same time do not return together.
[[nodiscard]] base::Duration gate_wait(base::Duration wait, double uniform);

}  // namespace sortie::quota
