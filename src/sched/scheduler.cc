#include "sortie/sched/scheduler.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/answer_times.h"
#include "sortie/sched/flights.h"
#include "sortie/sched/retry.h"
#include "sortie/sched/scheduler_state.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::sched {

namespace {

constexpr std::size_t kOpenMin = 32;
constexpr std::size_t kOpenMax = 4096;
constexpr std::size_t kOpenHeadroom = 16;

base::Digest seed_digest(std::uint64_t seed) {
  return base::FieldHasher("sortie.sched.v1")
      .field("seed", static_cast<std::int64_t>(seed))
      .finish();
}

}  // namespace

Scheduler::State::State(const spec::Topology& topology, const SchedulerOptions& scheduler_options)
    : options(scheduler_options),
      routes(topology, scheduler_options),
      shares(topology),
      slow(routes.by_model(), routes.size()),
      random(seed_digest(scheduler_options.seed)),
      claims(routes.pools_max()) {
  for (std::size_t model = 0; model < topology.models.size(); ++model) {
    models.emplace_back(routes.routes_of(model).size());
  }
  unite_models();
}

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
  place.group = state_->shares.place_of(turn.model, turn.group);
  state_->shares.add_open(turn.model, place.group, place.turns());
  state_->rest(place, base::Duration::zero(), now);
  state_->idle_until.reset();
}

void Scheduler::remove(Ticket ticket) {
  if (ticket.value >= state_->turns.size()) {
    return;
  }
  Turn& turn = state_->turns[ticket.value];
  if (turn.phase != Phase::resting && turn.phase != Phase::ready && turn.phase != Phase::held) {
    return;
  }
  state_->leave_queue(turn);
  state_->models[turn.request.model].waiting -= turn.phase == Phase::held ? 0 : 1;
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

bool Scheduler::awaits_tokens(std::size_t route) const {
  return state_->routes.awaits_tokens(route);
}

void Scheduler::began(const Assignment& assignment, base::Instant now) {
  state_->routes.began(state_->flights.at(assignment), now);
  state_->idle_until.reset();
}

void Scheduler::answered(const Assignment& assignment,
                         double input_tokens,
                         double output_tokens,
                         const quota::LimitHints& hints,
                         base::Instant now,
                         const AnswerTiming& timing) {
  Flight flight = state_->land(assignment, now, true);
  const double max_output = state_->turns[flight.ticket.value].request.max_output_tokens;
  state_->routes.answered(
      flight,
      {.input = input_tokens, .output = output_tokens, .max_output = max_output},
      hints,
      timing,
      now);
  state_->slow.answered(
      flight.route, base::seconds(now - flight.sent), usual_seconds(input_tokens, output_tokens));
  state_->judge_routes(state_->turns[flight.ticket.value].request.model);
  state_->retries.answered(now);
  state_->forget(flight.ticket);
}

bool Scheduler::shows_life(const Assignment& assignment) const {
  return state_->routes.shows_life(assignment.route);
}

SilenceLimits Scheduler::silence_limits(const Assignment& assignment, bool shows_life) const {
  const ReadyTurn& turn = state_->turns[assignment.ticket.value].request;
  return state_->routes.silence_limits(
      assignment.route, turn.input_tokens, turn.max_output_tokens, shows_life);
}

FailureVerdict Scheduler::failed(const Assignment& assignment,
                                 const quota::Signal& signal,
                                 base::Instant now) {
  Flight flight = state_->land(assignment, now, false);
  TurnHistory& history = state_->turns[flight.ticket.value].history;
  const bool is_poison = state_->is_poison(history, flight.route, signal.kind, now);
  const FailureEffect effect =
      state_->routes.failed(flight, signal, is_poison, now, state_->random);
  state_->unite_models();
  if (is_failure(signal.kind)) {
    history.failed_as = signal.kind;
    history.failed_on = flight.route;
  }
  // What a sick route or an ailing endpoint answers says nothing about the item.
  const auto failures = static_cast<std::uint32_t>(history.counted + history.uncounted + 1);
  const bool is_ailing = state_->routes.is_ailing(flight.route, failures, now);
  const bool is_servers = flight.is_probe || effect.is_sick || is_ailing;
  const quota::SignalClass kind = effect.is_sick ? quota::SignalClass::transient : signal.kind;
  return state_->requeue(
      flight, state_->after(kind, is_servers, is_ailing, history, now), effect.disabled, now);
}

FailureVerdict Scheduler::wrong_model(const Assignment& assignment,
                                      std::string_view served,
                                      base::Instant now) {
  Flight flight = state_->land(assignment, now, false);
  const bool disabled = state_->routes.substituted(flight, served, now);
  return state_->requeue(flight, {}, disabled, now);
}

void Scheduler::cancelled(const Assignment& assignment, base::Instant now) {
  Flight flight = state_->land(assignment, now, false);
  state_->routes.cancelled(flight, now);
  state_->forget(flight.ticket);
}

void Scheduler::set_share(std::size_t model, double weight) {
  CHECK(model < state_->models.size() && weight > 0 && std::isfinite(weight));
  state_->shares.set_weight(model, weight);
}

void Scheduler::set_group_share(std::size_t model, std::size_t group, const GroupShare& share) {
  CHECK(model < state_->models.size() && share.weight > 0 && share.guaranteed >= 0 &&
        share.guaranteed < 1);
  state_->shares.set_share(model, state_->shares.place_of(model, group), share);
}

void Scheduler::set_backlog(std::size_t model, std::size_t group, const Backlog& backlog) {
  CHECK(model < state_->models.size());
  state_->shares.set_backlog(model, state_->shares.place_of(model, group), backlog);
}

std::optional<std::size_t> Scheduler::opens_next(
    std::size_t model, const std::function<bool(std::size_t group)>& may_open) const {
  return state_->shares.opens_next(model, may_open);
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

void Scheduler::set_group_paused(std::size_t model,
                                 std::size_t group,
                                 bool paused,
                                 base::Instant now) {
  CHECK(model < state_->models.size());
  state_->set_held(model, state_->shares.place_of(model, group), paused, now);
  state_->idle_until.reset();
}

bool Scheduler::disable_route(std::size_t route, std::string reason) {
  CHECK(route < state_->routes.size() && !reason.empty());
  const bool is_news = state_->routes.take_out(route, std::move(reason));
  state_->free_lanes();
  state_->idle_until.reset();
  return is_news;
}

bool Scheduler::enable_route(std::size_t route, base::Instant now) {
  CHECK(route < state_->routes.size());
  state_->idle_until.reset();
  return state_->routes.enable(route, now);
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

std::vector<SharedPool> Scheduler::shared_pools() const {
  return state_->routes.shared_pools();
}

std::vector<quota::PoolMemory> Scheduler::learned() const {
  return state_->routes.learned();
}

void Scheduler::set_probing(bool probing) {
  state_->routes.set_probing(probing);
}

std::size_t Scheduler::waiting() const {
  return state_->waiting;
}

std::size_t Scheduler::in_flight() const {
  return state_->flights.size();
}

}  // namespace sortie::sched
