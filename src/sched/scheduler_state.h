#pragma once

#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/flights.h"
#include "sortie/sched/ready_queue.h"
#include "sortie/sched/retry.h"
#include "sortie/sched/retry_pressure.h"
#include "sortie/sched/route_table.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/shares.h"
#include "sortie/sched/slow_routes.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

// The scheduler's state and its moves, shared by scheduler.cc (the interface), turns.cc (a turn's
// way through the queues) and binding.cc (what goes now, and where). Internal to the module.

namespace sortie::sched {

enum class Phase : std::uint8_t {
  absent,     // not here
  resting,    // waits for its own back-off
  ready,      // in its model's queue
  held,       // its group is paused
  in_flight,  // bound to a route
};

struct Turn {
  ReadyTurn request;
  Phase phase = Phase::absent;
  base::Instant since;                 // ready since, over all attempts
  std::optional<base::Instant> timer;  // resting: its end; ready: when it stops to avoid a route
  std::size_t group = 0;               // its place inside the model
  std::size_t lane = 0;                // of the queue, while ready
  std::optional<std::size_t> avoid;    // this route, until then
  base::Instant avoid_until;
  TurnHistory history;

  /// What it counts as in the order: at least the turn itself.
  [[nodiscard]] double turns() const { return std::max(1.0, request.remaining_turns); }
};

/// Where the head of a lane can go.
struct Offer {
  std::size_t route = 0;
  Earliest earliest{.at = quota::kUntilFreed, .pool = std::nullopt};
};

/// The offer to the model's only head, while it waits: true as long as nothing has changed.
struct KnownOffer {
  Offer offer;
  std::uint64_t version = 0;  // RouteTable::version
  std::uint64_t claims = 0;   // Claims::signature
};

struct ModelState {
  explicit ModelState(std::size_t routes) : queue(routes + 1) {}

  ReadyQueue queue;
  std::size_t waiting = 0;  // resting and ready
  std::vector<bool> held;   // groups that are paused, by place
  std::size_t in_flight = 0;
  std::size_t in_flight_peak = 0;
  bool paused = false;
  double place = 0;                     // in the order of models, while something is ready
  std::vector<ReadyQueue::Head> heads;  // of the queue, best first
  bool heads_known = false;
  std::optional<KnownOffer> offer;
};

struct Scheduler::State {
  State(const spec::Topology& topology, const SchedulerOptions& scheduler_options);

  // --- turns.cc
  Turn& turn_of(Ticket ticket);
  void enter(Turn& turn, base::Instant now);
  void push(const Turn& turn);
  void leave_queue(Turn& turn);
  void set_held(std::size_t model, std::size_t place, bool held, base::Instant now);
  void rest(Turn& turn, base::Duration wait, base::Instant now);
  void set_timer(Turn& turn, base::Instant at);
  void drop_timer(Turn& turn);
  void wake(base::Instant now);
  void free_lanes();
  Flight land(const Assignment& assignment, base::Instant now, bool answered);
  void judge_routes(std::size_t model);
  void unite_models();
  void forget(Ticket ticket);
  [[nodiscard]] bool is_poison(const TurnHistory& history,
                               std::size_t route,
                               quota::SignalClass kind,
                               base::Instant now) const;
  RetryDecision after(quota::SignalClass kind,
                      bool is_servers,
                      bool is_ailing,
                      TurnHistory& history,
                      base::Instant now);
  FailureVerdict requeue(const Flight& flight,
                         const RetryDecision& decision,
                         bool disabled,
                         base::Instant now);

  // --- binding.cc
  [[nodiscard]] bool is_full() const {
    return options.in_flight_max > 0 && flights.size() >= options.in_flight_max;
  }

  const std::vector<ReadyQueue::Head>& heads_of(std::size_t model);
  void changed(std::size_t model);
  [[nodiscard]] Offer offer_to(const ReadyQueue::Head& head, std::size_t model, base::Instant now);
  [[nodiscard]] Offer best_offer(const ReadyQueue::Head& head, base::Instant now);
  [[nodiscard]] bool must_ask_all(const ReadyQueue::Head& head, std::size_t model) const;
  [[nodiscard]] base::Instant likely_opening(const ReadyQueue::Head& head,
                                             std::size_t model,
                                             base::Instant now);
  [[nodiscard]] double most_turns_on(std::size_t route, std::size_t model) const;
  [[nodiscard]] bool is_too_slow(const ReadyQueue::Head& head,
                                 std::size_t route,
                                 std::size_t model) const;

  [[nodiscard]] bool is_in_use(std::size_t route) const {
    return routes.is_usable(route) && routes.in_flight(route) > 0;
  }

  void add_heads_of_slow(std::size_t model);
  [[nodiscard]] bool is_soon_elsewhere(const Offer& offer,
                                       std::size_t slow_route,
                                       base::Instant slow_at,
                                       std::size_t model) const;
  [[nodiscard]] bool is_better(const Offer& offer, const Offer& than, base::Instant now) const;
  void claim(const Offer& offer);
  /// The first instant at which a head of the model can go; bound if that is now.
  base::Instant bind_one(std::size_t model, base::Instant now, std::vector<Assignment>& out);
  void bind(const ReadyQueue::Head& head,
            std::size_t route,
            base::Instant now,
            std::vector<Assignment>& out);
  base::Instant bind_pass(base::Instant now, std::vector<Assignment>& out);
  void bind_all(base::Instant now, std::vector<Assignment>& out);
  [[nodiscard]] base::Instant first_timer() const;
  [[nodiscard]] base::Instant earliest_binding(base::Instant now);

  SchedulerOptions options;
  RouteTable routes;
  Shares shares;
  SlowRoutes slow;
  RetryPressure retries;
  std::vector<ModelState> models;
  std::set<std::pair<double, std::size_t>> order;  // models with ready turns, by place
  bool paused = false;
  std::uint64_t sharing_version = 0;  // of the routes, as the shares know it
  std::vector<Turn> turns;            // by ticket
  std::set<std::pair<base::Instant, Ticket>> timers;
  Flights flights;
  std::size_t waiting = 0;
  base::RandomStream random;
  Claims claims;
  std::optional<base::Instant>
      idle_until;  // known: nothing can be bound before, unless something changes
};

}  // namespace sortie::sched
