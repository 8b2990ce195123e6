#include "sortie/sched/scheduler.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/flights.h"
#include "sortie/sched/ready_queue.h"
#include "sortie/sched/retry.h"
#include "sortie/sched/route_table.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::sched {

namespace {

// A dialogue stays on its route unless that has more than this many times the requests in flight of
// the best other one, plus the slack.
constexpr std::size_t kAffinityFactor = 2;
constexpr std::size_t kAffinitySlack = 4;

// How long a turn waits for another route than the one that failed it, before it takes that one
// again.
constexpr base::Duration kPatienceForOther = std::chrono::seconds(5);

constexpr std::size_t kOpenMin = 32;
constexpr std::size_t kOpenMax = 4096;
constexpr std::size_t kOpenHeadroom = 16;

enum class Phase : std::uint8_t {
  absent,     // not here
  resting,    // waits for its own back-off
  ready,      // in its model's queue
  in_flight,  // bound to a route
};

struct Turn {
  ReadyTurn request;
  Phase phase = Phase::absent;
  base::Instant since;                 // ready since, over all attempts
  std::optional<base::Instant> timer;  // resting: its end; ready: when it stops to avoid a route
  std::size_t lane = 0;                // of the queue, while ready
  std::optional<std::size_t> avoid;    // this route, until then
  base::Instant avoid_until;
  TurnHistory history;
};

struct ModelState {
  explicit ModelState(std::size_t routes) : queue(routes + 1) {}

  ReadyQueue queue;
  std::size_t waiting = 0;  // resting and ready
  std::size_t in_flight = 0;
  std::size_t in_flight_peak = 0;
  double weight = 1;
  bool paused = false;
  // Turns served, divided by the weight: the model with the least goes first.
  double served = 0;
};

/// Where the head of a lane can go.
struct Offer {
  std::size_t route = 0;
  Earliest earliest{.at = quota::kUntilFreed, .pool = std::nullopt};
};

base::Digest seed_digest(std::uint64_t seed) {
  return base::FieldHasher("sortie.sched.v1")
      .field("seed", static_cast<std::int64_t>(seed))
      .finish();
}

quota::RequestSize size_of(const ReadyTurn& turn) {
  return {.input = turn.input_tokens,
          .output = turn.output_tokens,
          .max_output = turn.max_output_tokens};
}

}  // namespace

struct Scheduler::State {
  State(const spec::Topology& topology, const SchedulerOptions& scheduler_options);

  // --- turns ---
  Turn& turn_of(Ticket ticket);
  [[nodiscard]] QueueKey key_of(const Turn& turn) const;
  void enter(Turn& turn, base::Instant now);
  void push(const Turn& turn);
  void leave_queue(Turn& turn);
  void rest(Turn& turn, base::Duration wait, base::Instant now);
  void set_timer(Turn& turn, base::Instant at);
  void drop_timer(Turn& turn);
  void wake(base::Instant now);
  void free_lanes();

  // --- binding ---
  [[nodiscard]] bool is_full() const {
    return options.in_flight_max > 0 && flights.size() >= options.in_flight_max;
  }

  [[nodiscard]] Offer best_offer(const ReadyQueue::Head& head, base::Instant now) const;
  void claim(const Offer& offer);
  void charge(std::size_t model);
  bool bind_one(std::size_t model, base::Instant now, std::vector<Assignment>& out);
  void bind(const ReadyQueue::Head& head,
            std::size_t route,
            base::Instant now,
            std::vector<Assignment>& out);
  void bind_all(base::Instant now, std::vector<Assignment>& out);
  [[nodiscard]] base::Instant earliest_binding(base::Instant now);

  // --- endings ---
  Flight land(const Assignment& assignment);
  void forget(Ticket ticket);
  FailureVerdict requeue(const Flight& flight,
                         const RetryDecision& decision,
                         bool disabled,
                         base::Instant now);

  SchedulerOptions options;
  RouteTable routes;
  std::vector<ModelState> models;
  std::set<std::pair<double, std::size_t>> order;  // models with ready turns, least served first
  double served = 0;                               // of the model that was served last
  bool paused = false;
  std::vector<Turn> turns;  // by ticket
  std::set<std::pair<base::Instant, Ticket>> timers;
  Flights flights;
  std::size_t waiting = 0;
  base::RandomStream random;
  Claims claims;
  std::optional<base::Instant>
      idle_until;  // known: nothing can be bound before, unless something changes

  // Scratch of one pass.
  std::vector<ReadyQueue::Head> heads;
};

Scheduler::State::State(const spec::Topology& topology, const SchedulerOptions& scheduler_options)
    : options(scheduler_options),
      routes(topology, scheduler_options.jitter_seconds),
      random(seed_digest(scheduler_options.seed)),
      claims(routes.pools()) {
  for (std::size_t model = 0; model < topology.models.size(); ++model) {
    models.emplace_back(routes.routes_of(model).size());
  }
}

// --- Turns ---

Turn& Scheduler::State::turn_of(Ticket ticket) {
  if (ticket.value >= turns.size()) {
    turns.resize(std::max<std::size_t>(ticket.value + std::size_t{1}, 2 * turns.size()));
  }
  return turns[ticket.value];
}

QueueKey Scheduler::State::key_of(const Turn& turn) const {
  return {.remaining_turns = turn.request.remaining_turns,
          .since = turn.since,
          .ticket = turn.request.ticket};
}

void Scheduler::State::set_timer(Turn& turn, base::Instant at) {
  turn.timer = at;
  timers.emplace(at, turn.request.ticket);
}

void Scheduler::State::drop_timer(Turn& turn) {
  if (turn.timer) {
    timers.erase({*turn.timer, turn.request.ticket});
    turn.timer.reset();
  }
}

void Scheduler::State::enter(Turn& turn, base::Instant now) {
  const std::size_t model = turn.request.model;
  turn.phase = Phase::ready;
  turn.lane = 0;
  const bool avoids =
      turn.avoid && now < turn.avoid_until && routes.has_usable_besides(model, *turn.avoid);
  if (avoids) {
    const auto& of_model = routes.routes_of(model);
    const auto place = std::find(of_model.begin(), of_model.end(), *turn.avoid);
    turn.lane = 1 + static_cast<std::size_t>(place - of_model.begin());
    if (turn.avoid_until != base::Instant::max()) {
      set_timer(turn, turn.avoid_until);
    }
  }
  push(turn);
}

void Scheduler::State::push(const Turn& turn) {
  const std::size_t model = turn.request.model;
  ModelState& of_model = models[model];
  if (of_model.queue.empty()) {
    // What it did not use while it had nothing to send is no claim on the others.
    of_model.served = std::max(of_model.served, served);
    order.emplace(of_model.served, model);
  }
  of_model.queue.push(turn.lane, key_of(turn));
}

void Scheduler::State::leave_queue(Turn& turn) {
  if (turn.phase == Phase::ready) {
    ModelState& of_model = models[turn.request.model];
    of_model.queue.erase(turn.lane, key_of(turn));
    if (of_model.queue.empty()) {
      order.erase({of_model.served, turn.request.model});
    }
  }
  drop_timer(turn);
}

void Scheduler::State::rest(Turn& turn, base::Duration wait, base::Instant now) {
  models[turn.request.model].waiting += 1;
  waiting += 1;
  if (wait > base::Duration::zero()) {
    turn.phase = Phase::resting;
    set_timer(turn, now + wait);
  } else {
    enter(turn, now);
  }
}

void Scheduler::State::wake(base::Instant now) {
  while (!timers.empty() && timers.begin()->first <= now) {
    Turn& turn = turns[timers.begin()->second.value];
    leave_queue(turn);
    enter(turn, now);
    idle_until.reset();
  }
}

/// After a route was disabled: what avoids the last usable route of its model has no choice any
/// more.
void Scheduler::State::free_lanes() {
  for (std::size_t model = 0; model < models.size(); ++model) {
    ReadyQueue& queue = models[model].queue;
    for (std::size_t lane = 1; lane < queue.lanes(); ++lane) {
      if (routes.has_usable_besides(model, routes.routes_of(model)[lane - 1])) {
        continue;
      }
      while (!queue.lane(lane).empty()) {
        Turn& turn = turns[queue.lane(lane).begin()->ticket.value];
        leave_queue(turn);
        turn.lane = 0;
        push(turn);
      }
    }
  }
}

// --- Binding ---

Offer Scheduler::State::best_offer(const ReadyQueue::Head& head, base::Instant now) const {
  const ReadyTurn& request = turns[head.key.ticket.value].request;
  const quota::RequestSize size = size_of(request);
  const std::vector<std::size_t>& of_model = routes.routes_of(request.model);
  Offer best;
  bool has_best = false;
  std::optional<Offer> before;
  for (std::size_t i = 0; i < of_model.size(); ++i) {
    const std::size_t route = of_model[i];
    if (i + 1 == head.lane || !routes.is_usable(route)) {
      continue;
    }
    const Earliest earliest = routes.earliest(route, size, now, claims);
    if (earliest.at <= now && route == request.route_before) {
      before = Offer{.route = route, .earliest = earliest};
    }
    const bool is_better =
        !has_best || earliest.at < best.earliest.at ||
        (earliest.at == best.earliest.at && routes.in_flight(route) < routes.in_flight(best.route));
    if (is_better) {
      best = {.route = route, .earliest = earliest};
      has_best = true;
    }
  }
  // Staying keeps the provider's prefix cache warm, but not at the price of an idle neighbour.
  if (before && routes.in_flight(before->route) <=
                    kAffinityFactor * routes.in_flight(best.route) + kAffinitySlack) {
    return *before;
  }
  return best;
}

void Scheduler::State::claim(const Offer& offer) {
  if (offer.earliest.pool) {
    claims.add(*offer.earliest.pool);
  }
}

void Scheduler::State::bind(const ReadyQueue::Head& head,
                            std::size_t route,
                            base::Instant now,
                            std::vector<Assignment>& out) {
  Turn& turn = turns[head.key.ticket.value];
  ModelState& model = models[turn.request.model];
  leave_queue(turn);
  turn.phase = Phase::in_flight;
  if (turn.avoid_until != base::Instant::max()) {
    turn.avoid.reset();
  }
  model.waiting -= 1;
  waiting -= 1;
  model.in_flight += 1;
  model.in_flight_peak = std::max(model.in_flight_peak, model.in_flight);
  const std::uint64_t name =
      flights.add(routes.admit(head.key.ticket, route, size_of(turn.request), now));
  out.push_back({.ticket = head.key.ticket, .route = route, .reservation = name});
}

void Scheduler::State::charge(std::size_t model) {
  ModelState& of_model = models[model];
  served = std::max(served, of_model.served);
  const bool is_listed = order.erase({of_model.served, model}) > 0;
  of_model.served += 1 / of_model.weight;
  if (is_listed) {
    order.emplace(of_model.served, model);
  }
}

/// Binds the best head of the model that can go; heads that cannot claim the limit they wait for.
bool Scheduler::State::bind_one(std::size_t model,
                                base::Instant now,
                                std::vector<Assignment>& out) {
  models[model].queue.heads(heads);
  for (const ReadyQueue::Head& head : heads) {
    const Offer offer = best_offer(head, now);
    if (offer.earliest.at <= now) {
      bind(head, offer.route, now, out);
      return true;
    }
    claim(offer);
  }
  return false;
}

void Scheduler::State::bind_all(base::Instant now, std::vector<Assignment>& out) {
  claims.clear();
  // Forward only: a model that cannot go now cannot later in this pass, since binding only takes
  // away; one that was served comes again at its new place.
  for (auto place = order.begin(); place != order.end() && !is_full();) {
    const std::size_t model = place->second;
    const auto next = std::next(place);
    if (models[model].paused || !bind_one(model, now, out)) {
      place = next;
      continue;
    }
    const std::pair<double, std::size_t> before{models[model].served, model};
    charge(model);
    place = order.upper_bound(before);
  }
}

/// Instant::max() when only a change can help.
base::Instant Scheduler::State::earliest_binding(base::Instant now) {
  if (is_full() || paused) {
    return base::Instant::max();
  }
  base::Instant result = timers.empty() ? base::Instant::max() : timers.begin()->first;
  claims.clear();
  for (const auto& [_, model] : order) {
    if (models[model].paused) {
      continue;
    }
    models[model].queue.heads(heads);
    for (const ReadyQueue::Head& head : heads) {
      const Offer offer = best_offer(head, now);
      result = std::min(result, offer.earliest.at);
      claim(offer);
    }
  }
  return std::max(result, now);
}

// --- Endings ---

Flight Scheduler::State::land(const Assignment& assignment) {
  Flight flight = flights.take(assignment);
  Turn& turn = turns[flight.ticket.value];
  CHECK(turn.phase == Phase::in_flight);
  models[turn.request.model].in_flight -= 1;
  idle_until.reset();
  return flight;
}

void Scheduler::State::forget(Ticket ticket) {
  turns[ticket.value] = Turn();
}

FailureVerdict Scheduler::State::requeue(const Flight& flight,
                                         const RetryDecision& decision,
                                         bool disabled,
                                         base::Instant now) {
  Turn& turn = turns[flight.ticket.value];
  const std::size_t model = turn.request.model;
  if (disabled) {
    free_lanes();
  }
  const bool has_route = decision.next == NextRoute::only_other
                             ? routes.has_usable_besides(model, flight.route)
                             : routes.has_usable(model);
  if (decision.give_up || !has_route) {
    forget(flight.ticket);
    return {.verdict = Verdict::give_up, .route_disabled = disabled};
  }
  // A route that refused the request as such stays out, whatever happens elsewhere.
  const bool avoids_for_good = turn.avoid && turn.avoid_until == base::Instant::max();
  if (decision.next == NextRoute::prefer_other && !avoids_for_good) {
    turn.avoid = flight.route;
    turn.avoid_until = now + decision.wait + kPatienceForOther;
  } else if (decision.next == NextRoute::only_other) {
    turn.avoid = flight.route;
    turn.avoid_until = base::Instant::max();
  }
  rest(turn, decision.wait, now);
  return {.verdict = Verdict::again, .route_disabled = disabled};
}

// --- Interface ---

Scheduler::Scheduler(const spec::Topology& topology, const SchedulerOptions& options)
    : state_(std::make_unique<State>(topology, options)) {}

Scheduler::~Scheduler() = default;

void Scheduler::add(const ReadyTurn& turn, base::Instant now) {
  CHECK(turn.model < state_->models.size() && !std::isnan(turn.remaining_turns));
  Turn& place = state_->turn_of(turn.ticket);
  CHECK(place.phase == Phase::absent);
  place = Turn();
  place.request = turn;
  place.since = now;
  state_->rest(place, base::Duration::zero(), now);
  state_->idle_until.reset();
}

void Scheduler::remove(Ticket ticket) {
  if (ticket.value >= state_->turns.size()) {
    return;
  }
  Turn& turn = state_->turns[ticket.value];
  if (turn.phase != Phase::resting && turn.phase != Phase::ready) {
    return;
  }
  state_->leave_queue(turn);
  state_->models[turn.request.model].waiting -= 1;
  state_->waiting -= 1;
  state_->forget(ticket);
  state_->idle_until.reset();
}

void Scheduler::decide(base::Instant now, std::vector<Assignment>& out) {
  state_->wake(now);
  if (const auto idle_until = state_->idle_until; idle_until && now < *idle_until) {
    return;
  }
  state_->idle_until.reset();
  if (!state_->paused) {
    state_->bind_all(now, out);
  }
}

std::optional<base::Instant> Scheduler::next_decision(base::Instant now) const {
  const auto known = state_->idle_until;
  const base::Instant next = known && *known > now ? *known : state_->earliest_binding(now);
  state_->idle_until = next;
  return next == base::Instant::max() ? std::nullopt : std::optional(next);
}

base::Instant Scheduler::departure(const Assignment& assignment,
                                   std::optional<base::Instant> granted,
                                   base::Instant now) {
  return state_->routes.departure(assignment.route, granted, now);
}

void Scheduler::answered(const Assignment& assignment,
                         double input_tokens,
                         double output_tokens,
                         const quota::LimitHints& hints,
                         base::Instant now) {
  Flight flight = state_->land(assignment);
  const double max_output = state_->turns[flight.ticket.value].request.max_output_tokens;
  state_->routes.answered(
      flight,
      {.input = input_tokens, .output = output_tokens, .max_output = max_output},
      hints,
      now);
  state_->forget(flight.ticket);
}

FailureVerdict Scheduler::failed(const Assignment& assignment,
                                 const quota::Signal& signal,
                                 base::Instant now) {
  Flight flight = state_->land(assignment);
  const bool disabled = state_->routes.failed(flight, signal, now, state_->random);
  const RetryBudget budget{.counted_max = state_->options.transient_attempts_max,
                           .uncounted_max = state_->options.unprocessed_attempts_max};
  const RetryDecision decision = after_failure(signal.kind,
                                               flight.is_probe,
                                               budget,
                                               state_->turns[flight.ticket.value].history,
                                               state_->random.uniform());
  return state_->requeue(flight, decision, disabled, now);
}

FailureVerdict Scheduler::wrong_model(const Assignment& assignment,
                                      std::string_view served,
                                      base::Instant now) {
  Flight flight = state_->land(assignment);
  const bool disabled = state_->routes.substituted(flight, served, now);
  return state_->requeue(flight, {}, disabled, now);
}

void Scheduler::cancelled(const Assignment& assignment, base::Instant now) {
  Flight flight = state_->land(assignment);
  state_->routes.cancelled(flight, now);
  state_->forget(flight.ticket);
}

void Scheduler::set_share(std::size_t model, double weight) {
  CHECK(model < state_->models.size() && weight > 0 && std::isfinite(weight));
  state_->models[model].weight = weight;
}

void Scheduler::pause(base::Instant /*now*/) {
  state_->paused = true;
  state_->idle_until.reset();
}

void Scheduler::resume(base::Instant /*now*/) {
  state_->paused = false;
  state_->idle_until.reset();
}

void Scheduler::set_model_paused(std::size_t model, bool paused) {
  CHECK(model < state_->models.size());
  state_->models[model].paused = paused;
  state_->idle_until.reset();
}

bool Scheduler::disable_route(std::size_t route, std::string reason) {
  CHECK(route < state_->routes.size() && !reason.empty());
  const bool is_news = state_->routes.disable(route, std::move(reason));
  state_->free_lanes();
  state_->idle_until.reset();
  return is_news;
}

bool Scheduler::enable_route(std::size_t route, base::Instant /*now*/) {
  CHECK(route < state_->routes.size());
  state_->idle_until.reset();
  return state_->routes.enable(route);
}

void Scheduler::limit_domain(std::size_t domain, const quota::Limit& limit, base::Instant now) {
  state_->routes.set_limit(domain, limit, now);
  state_->idle_until.reset();
}

void Scheduler::lift_limit(std::size_t domain, quota::LimitKind kind, base::Instant now) {
  state_->routes.lift_limit(domain, kind, now);
  state_->idle_until.reset();
}

bool Scheduler::has_usable_route(std::size_t model) const {
  return state_->routes.has_usable(model);
}

std::size_t Scheduler::wants_open(std::size_t model) const {
  if (state_->paused || state_->models[model].paused || !state_->routes.has_usable(model)) {
    return 0;
  }
  const ModelState& of_model = state_->models[model];
  std::size_t most = std::max(kOpenMax, 2 * state_->options.in_flight_max);
  if (state_->routes.has_undeclared(model)) {
    most = state_->options.in_flight_max > 0 ? state_->options.in_flight_max : kOpenMaxUndeclared;
  }
  const std::size_t target =
      std::min(most, std::max(kOpenMin, 2 * (of_model.in_flight_peak + kOpenHeadroom)));
  const std::size_t here = of_model.waiting + of_model.in_flight;
  return target > here ? target - here : 0;
}

std::vector<RouteStatus> Scheduler::route_status(base::Instant now) const {
  std::vector<RouteStatus> result;
  for (std::size_t route = 0; route < state_->routes.size(); ++route) {
    result.push_back(state_->routes.status(route, now));
  }
  return result;
}

std::vector<quota::DomainStatus> Scheduler::domain_status(base::Instant now) const {
  return state_->routes.domain_status(now);
}

std::size_t Scheduler::waiting() const {
  return state_->waiting;
}

std::size_t Scheduler::in_flight() const {
  return state_->flights.size();
}

}  // namespace sortie::sched
