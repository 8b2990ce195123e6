#pragma once

#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/learner.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/route_admission.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/answer_times.h"
#include "sortie/sched/breaker.h"
#include "sortie/sched/failure_watch.h"
#include "sortie/sched/flights.h"
#include "sortie/sched/key_health.h"
#include "sortie/sched/load_window.h"
#include "sortie/sched/opening_bounds.h"
#include "sortie/sched/pool.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/sharing_evidence.h"
#include "sortie/sched/sharing_trial.h"
#include "sortie/spec/model.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::sched {

/// Pools that a turn further ahead is waiting for: those behind it leave them alone, or a stream of
/// small requests would keep a large one waiting for ever. Valid for one pass over the queues.
class Claims {
 public:
  explicit Claims(std::size_t pools) : stamps_(pools, 0) {}

  void clear() {
    ++pass_;
    signature_ = 0;
  }

  void add(std::size_t pool) {
    if (!has(pool)) {
      stamps_[pool] = pass_;
      signature_ = (signature_ ^ (pool + 1)) * kFactor;
    }
  }

  /// Equal for passes in which the same pools were claimed in the same order; 0: none.
  [[nodiscard]] std::uint64_t signature() const { return signature_; }

  [[nodiscard]] bool has(std::size_t pool) const { return stamps_[pool] == pass_; }

 private:
  static constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15;  // odd: nothing is lost by it

  std::vector<std::uint64_t> stamps_;
  std::uint64_t pass_ = 1;
  std::uint64_t signature_ = 0;
};

/// When a route can take a request.
struct Earliest {
  base::Instant at;                 // quota::kUntilFreed: not before something changes
  std::optional<std::size_t> pool;  // the limit that makes it wait until then
};

/// What a failure did to its route.
struct FailureEffect {
  bool disabled = false;  // by this failure
  bool is_sick = false;   // it fails whatever it is asked while others answer
};

/// Routes with the limits, gates and breakers in front of them: where a request may go, and what
/// its end means for those that follow. Knows nothing of queues. A route without a declared limit
/// domain has a pool of its own.
class RouteTable {
 public:
  RouteTable(const spec::Topology& topology, const SchedulerOptions& options);

  [[nodiscard]] std::size_t size() const { return routes_.size(); }

  /// The most that there will be: pools found to be one limit add to them.
  [[nodiscard]] std::size_t pools_max() const { return by_pool_.size(); }

  /// Pools that seem to be one limit.
  [[nodiscard]] std::vector<SharedPool> shared_pools() const;

  /// Counts the changes of shared_pools().
  [[nodiscard]] std::uint64_t sharing_version() const { return sharing_version_; }

  /// The models that drain each of them; none of those that are over.
  [[nodiscard]] std::vector<std::vector<std::size_t>> models_of_shared() const;

  [[nodiscard]] const std::vector<std::size_t>& routes_of(std::size_t model) const {
    return by_model_[model];
  }

  [[nodiscard]] const std::vector<std::vector<std::size_t>>& by_model() const { return by_model_; }

  [[nodiscard]] bool is_usable(std::size_t route) const { return doors_[route].usable; }

  [[nodiscard]] bool has_usable(std::size_t model) const;
  [[nodiscard]] bool has_usable_besides(std::size_t model, std::size_t route) const;

  /// True when a usable route of the model has no declared limit at all.
  [[nodiscard]] bool has_undeclared(std::size_t model) const;

  /// The model has ready turns, or none.
  void set_ready(std::size_t model, bool ready);

  /// True when a model with ready turns has no way around one of the route's pools: whoever has a
  /// choice leaves the route to it.
  [[nodiscard]] bool is_wanted(std::size_t route) const;

  /// It has failed of late and has not answered well yet: one that was never asked is the better
  /// bet.
  [[nodiscard]] bool has_just_failed(std::size_t route, base::Instant now) const {
    constexpr base::Duration kLately = std::chrono::seconds(20);
    const RouteState& state = routes_[route];
    return !state.is_proven && state.failed_at && now - *state.failed_at <= kLately;
  }

  [[nodiscard]] std::size_t in_flight(std::size_t route) const { return routes_[route].in_flight; }

  /// From now on earliest() and bounds() are about requests of this size for the model.
  void ask(std::size_t model, const quota::RequestSize& size) { bounds_[model].ask(size); }

  /// What was found is remembered until something changes that the route depends on.
  [[nodiscard]] Earliest earliest(std::size_t route, base::Instant now, const Claims& claims);

  /// Of earliest(), from what is known already; by place in routes_of(). Costs nothing.
  [[nodiscard]] const OpeningBounds& bounds(std::size_t model) const { return bounds_[model]; }

  /// Counts the changes of anything that the model's routes depend on.
  [[nodiscard]] std::uint64_t version(std::size_t model) const { return versions_[model]; }

  /// Takes the request's cost from all limits of the route: all or nothing. earliest() must be now.
  [[nodiscard]] Flight admit(Ticket ticket,
                             std::size_t route,
                             const quota::RequestSize& size,
                             base::Instant now);

  /// When a request of this route may leave, and takes that place: see Scheduler::departure.
  [[nodiscard]] base::Instant departure(std::size_t route,
                                        std::optional<base::Instant> granted,
                                        base::Instant now);

  [[nodiscard]] bool awaits_tokens(std::size_t route) const {
    const RouteState& state = routes_[route];
    return !state.is_proven || !state.breaker.is_closed() ||
           !endpoints_[doors_[route].endpoint].is_closed();
  }

  void began(Flight& flight, base::Instant now);

  void answered(Flight& flight,
                const quota::RequestSize& used,
                const quota::LimitHints& hints,
                const AnswerTiming& timing,
                base::Instant now);

  /// Gates, disables and counts as the signal's class demands. `is_poison`: the item is to blame.
  FailureEffect failed(Flight& flight,
                       const quota::Signal& signal,
                       bool is_poison,
                       base::Instant now,
                       base::RandomStream& random);

  /// So much fails at the route's endpoint that a turn fails `times` times in a row by chance.
  [[nodiscard]] bool is_ailing(std::size_t route, std::uint32_t times, base::Instant now) const {
    return endpoints_[doors_[route].endpoint].is_ailing(now, times);
  }

  /// The route has answered something of late.
  [[nodiscard]] bool works(std::size_t route, base::Instant now) const {
    return routes_[route].watch.works(now);
  }

  [[nodiscard]] bool shows_life(std::size_t route) const {
    return routes_[route].times.shows_life();
  }

  [[nodiscard]] SilenceLimits silence_limits(std::size_t route,
                                             double input_tokens,
                                             double output_tokens_max,
                                             bool shows_life) const;

  void cancelled(Flight& flight, base::Instant now);

  /// Another model answered.
  bool substituted(Flight& flight, std::string_view served, base::Instant now);

  // A person's decisions: see Scheduler.
  bool take_out(std::size_t route, std::string reason);
  bool enable(std::size_t route, base::Instant now);
  void set_limit(std::size_t domain, const quota::Limit& limit, base::Instant now);
  void lift_limit(std::size_t domain, quota::LimitKind kind, base::Instant now);

  [[nodiscard]] RouteStatus status(std::size_t route, base::Instant now) const;
  [[nodiscard]] std::vector<quota::DomainStatus> domain_status(base::Instant now) const;
  [[nodiscard]] std::vector<quota::PoolMemory> learned() const;
  void set_probing(bool probing);

 private:
  struct RouteState {
    std::vector<std::size_t> pools;
    std::vector<quota::DomainLimiter*> limiters;  // of these pools
    std::size_t key = 0;                          // in keys_
    Breaker breaker;
    FailureWatch watch;
    AnswerTimes times;
    bool is_proven = false;    // has begun to answer
    std::string disabled;      // why; "" while usable
    bool died_by_key = false;  // and comes back with it
    bool taken_out = false;    // by a person, and comes back by one
    std::size_t in_flight = 0;
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
    std::optional<base::Instant> failed_at;  // the last time, by no limit
    std::uint64_t throttled = 0;
  };

  /// The pools that it was admitted by: the first of its route's, which may have got more since.
  [[nodiscard]] std::span<const std::size_t> pools_of(const Flight& flight) const;
  [[nodiscard]] quota::RouteDomains limiters_of(const Flight& flight) const;

  struct KeyState {
    KeyHealth health;
    std::vector<std::size_t> routes;
  };

  /// When a route opens, as far as it is known; small, since every pass looks at all of them.
  struct Door {
    base::Instant limits_at;  // of all pools, for a request of `size`
    quota::RequestSize size;
    base::Instant route_at;  // breaker and proof; kUntilFreed: not before something ends
    std::uint32_t pool = 0;  // the one that opens last
    std::uint32_t endpoint = 0;
    std::uint32_t service = 0;
    std::uint32_t model = 0;
    std::uint32_t place = 0;  // among the routes of the model
    bool limits_known = false;
    bool any_size = false;  // limits_at holds for every request
    bool usable = true;
  };

  void find_door(std::size_t route, base::Instant now);
  void find_endpoint_door(std::size_t endpoint, base::Instant now);
  void find_service_door(std::size_t route, base::Instant now);
  void changed(std::size_t route, base::Instant now);
  void changed_pool(std::size_t pool);
  void find_limits(std::size_t route, const quota::RequestSize& size, base::Instant now);

  [[nodiscard]] Breaker& breaker_of_endpoint(std::size_t route) {
    return endpoints_[doors_[route].endpoint];
  }

  [[nodiscard]] LoadWindow& service_of(std::size_t route) {
    return services_[doors_[route].service];
  }

  [[nodiscard]] const LoadWindow& service_of(std::size_t route) const {
    return services_[doors_[route].service];
  }

  /// Pools that are believed to be one limit, and the found pool that stands for it.
  struct Sharing {
    std::string name;
    std::optional<std::size_t> pool;   // none: it is only reported
    std::vector<std::size_t> members;  // pools of the topology
    std::vector<double> shares;        // of the limit, as it was when they were joined
    base::Instant since;
    double limit_at_first = 0;
    bool is_over = false;
    bool has_grown = false;  // over, because a larger one has taken its place
    // Episodes in a row at the same member.
    std::size_t refused_member = 0;
    int in_a_row = 0;
    double chance = 1;  // of that, if it were one limit
  };

  // --- route_sharing.cc
  [[nodiscard]] std::optional<std::size_t> endpoint_of_pool(std::size_t pool) const;
  [[nodiscard]] SharingEvidence::Loads loads_beside(std::size_t pool) const;
  [[nodiscard]] double suspicion(std::size_t a, std::size_t b) const;
  [[nodiscard]] bool is_in_trial(std::size_t pool) const;
  void note_episode(std::size_t pool, std::size_t route, base::Instant now);
  [[nodiscard]] quota::RateLearner& learner_of(std::size_t pool);
  void maybe_begin_trial(std::size_t pool, double suspicion_min, base::Instant now);
  void step_trial(SharingTrial::Verdict verdict, base::Instant now);
  void check_trial(std::size_t route, base::Instant now);
  [[nodiscard]] bool meet(std::size_t a, std::size_t b) const;
  [[nodiscard]] Sharing* sharing_at(std::size_t pool);
  [[nodiscard]] bool is_over(std::size_t pool) const;
  [[nodiscard]] std::string name_of(const std::vector<std::size_t>& members) const;
  void report(std::size_t a, std::size_t b, base::Instant now);
  void join(std::size_t a, std::size_t b, double total, base::Instant now);
  bool add_sharing(Sharing sharing,
                   const std::vector<quota::LearnedLimit>& limits,
                   base::Instant now);
  void judge_sharing(Sharing& sharing, std::size_t pool, std::size_t route, base::Instant now);
  void part(Sharing& sharing, std::size_t pool, base::Instant now);
  void suspect(const std::vector<std::size_t>& members,
               const std::vector<quota::LearnedLimit>& limits);
  void refute(std::size_t a, std::size_t b, base::Instant now);
  void remember_shared(const quota::PoolMemory& memory);

  void add_pools(const SchedulerOptions& options);
  void add_keys(const SchedulerOptions& options);
  void add_services(const SchedulerOptions& options);
  [[nodiscard]] bool others_work(std::size_t route, base::Instant now) const;
  void remember(const std::vector<quota::PoolMemory>& remembered);
  void end(const Flight& flight, base::Instant now, Health health, base::RandomStream* random);
  void end_check(const Flight& flight, bool accepted, base::Instant now);
  void react(const Flight& flight, const quota::Signal& signal, base::Instant now, double uniform);
  void refuse(const Flight& flight, const quota::Signal& signal, base::Instant now, double uniform);
  bool disable_for(const Flight& flight, const quota::Signal& signal, base::Instant now);
  void find_captives();
  bool disable_key(const Flight& flight, const quota::Signal& signal, base::Instant now);
  bool disable(std::size_t route, std::string reason);
  void revive_key(std::size_t key);

  const spec::Topology& topology_;
  // Of Topology::domains, then those of routes without one, then found ones; never reallocated.
  std::vector<Pool> pools_;
  quota::DomainOptions domain_options_;
  SharedLimits shared_limits_ = SharedLimits::ignored;
  bool is_probing_ = true;
  SharingEvidence evidence_;
  std::optional<std::size_t> next_trial_;  // the pool whose next look above its limit it will be
  std::optional<SharingTrial> trial_;
  std::vector<Sharing> sharings_;
  std::vector<std::vector<std::size_t>> suspected_;  // pools that an earlier run found to be one
  std::uint64_t sharing_version_ = 0;
  std::vector<Breaker> endpoints_;
  std::vector<LoadWindow> services_;  // a model of an endpoint
  std::vector<KeyState> keys_;
  std::vector<RouteState> routes_;
  std::vector<Door> doors_;                        // by route
  std::vector<OpeningBounds> bounds_;              // by model
  std::vector<base::Instant> endpoint_doors_;      // by endpoint
  std::vector<base::Instant> service_doors_;       // by service
  std::vector<std::vector<std::size_t>> by_pool_;  // routes that drain it
  std::vector<std::uint64_t> versions_;            // by model
  std::vector<std::vector<std::size_t>> by_model_;
  std::vector<std::vector<std::size_t>> captive_of_;  // by model: pools that all its routes drain
  std::vector<bool> ready_;                           // by model
  std::vector<std::size_t> wanted_;                   // by pool: its captives that are ready
};

}  // namespace sortie::sched
