#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/sched/flights.h"
#include "sortie/sched/ready_queue.h"
#include "sortie/sched/retry.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/scheduler_state.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

// A turn's way: absent → resting or ready → in flight → absent, or back.

namespace sortie::sched {

namespace {

// How long a turn waits for another route than the one that failed it, before it takes that one
// again.
constexpr base::Duration kPatienceForOther = std::chrono::seconds(5);

QueueKey key_of(const Turn& turn) {
  return {.remaining_turns = turn.request.remaining_turns,
          .since = turn.since,
          .ticket = turn.request.ticket};
}

}  // namespace

Turn& Scheduler::State::turn_of(Ticket ticket) {
  if (ticket.value >= turns.size()) {
    turns.resize(std::max<std::size_t>(ticket.value + std::size_t{1}, 2 * turns.size()));
  }
  return turns[ticket.value];
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
  if (turn.group < models[model].held.size() && models[model].held[turn.group]) {
    turn.phase = Phase::held;
    models[model].waiting -= 1;
    return;
  }
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
    shares.joins(model);
    routes.set_ready(model, true);
  }
  if (of_model.queue.push(turn.lane, turn.group, key_of(turn))) {
    shares.joins(model, turn.group);
  }
  changed(model);
}

void Scheduler::State::leave_queue(Turn& turn) {
  if (turn.phase == Phase::ready) {
    const std::size_t model = turn.request.model;
    models[model].queue.erase(turn.lane, turn.group, key_of(turn));
    if (models[model].queue.empty()) {
      routes.set_ready(model, false);
    }
    changed(model);
  }
  drop_timer(turn);
}

/// Takes the group's turns out of the queue, or back into it.
void Scheduler::State::set_held(std::size_t model,
                                std::size_t place,
                                bool held,
                                base::Instant now) {
  ModelState& of_model = models[model];
  of_model.held.resize(std::max(of_model.held.size(), place + 1));
  of_model.held[place] = held;
  for (Turn& turn : turns) {
    if (turn.request.model != model || turn.group != place) {
      continue;
    }
    if (held && turn.phase == Phase::ready) {
      leave_queue(turn);
      enter(turn, now);
    } else if (!held && turn.phase == Phase::held) {
      of_model.waiting += 1;
      enter(turn, now);
    }
  }
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
      while (!queue.is_empty(lane)) {
        Turn& turn = turns[queue.any_of(lane).value];
        leave_queue(turn);
        turn.lane = 0;
        push(turn);
      }
    }
  }
}

// --- Endings ---

Flight Scheduler::State::land(const Assignment& assignment, base::Instant now, bool answered) {
  Flight flight = flights.take(assignment);
  Turn& turn = turns[flight.ticket.value];
  CHECK(turn.phase == Phase::in_flight);
  const std::size_t model = turn.request.model;
  models[model].in_flight -= 1;
  shares.landed(model,
                answered ? std::optional(now - flight.sent) : std::nullopt,
                slow.slowness(flight.route));
  if (!slow.slow_of(model).empty()) {
    changed(model);  // less is left to do: other dialogues are short enough for its slow routes
  }
  idle_until.reset();
  return flight;
}

/// After an answer: its model's routes may be slower or faster than they were.
void Scheduler::State::judge_routes(std::size_t model) {
  const auto changes =
      slow.judge(model, [this](std::size_t route) { return routes.is_usable(route); });
  for (const auto& [route, before, now] : changes) {
    shares.slowed(model, static_cast<double>(routes.in_flight(route)), before, now);
  }
  if (!changes.empty()) {
    changed(model);
  }
}

/// Models whose routes turned out to share a limit compete for it.
void Scheduler::State::unite_models() {
  if (sharing_version == routes.sharing_version()) {
    return;
  }
  sharing_version = routes.sharing_version();
  for (const std::vector<std::size_t>& together : routes.models_of_shared()) {
    for (const std::size_t model : together) {
      shares.unite(together.front(), model);
    }
  }
  for (std::size_t model = 0; model < models.size(); ++model) {
    changed(model);
  }
}

void Scheduler::State::forget(Ticket ticket) {
  const Turn& turn = turns[ticket.value];
  shares.remove_open(turn.request.model, turn.group, turn.turns());
  turns[ticket.value] = Turn();
}

/// It failed in the same way on another route, and both answer others: the item is to blame.
bool Scheduler::State::is_poison(const TurnHistory& history,
                                 std::size_t route,
                                 quota::SignalClass kind,
                                 base::Instant now) const {
  return history.failed_as == kind && history.failed_on != route && routes.works(route, now) &&
         routes.works(history.failed_on, now);
}

/// What follows for the turn. A counted attempt has to fit the budget of all retries, and so does
/// one that is not counted because its endpoint ails.
RetryDecision Scheduler::State::after(quota::SignalClass kind,
                                      bool is_servers,
                                      bool is_ailing,
                                      TurnHistory& history,
                                      base::Instant now) {
  const RetryBudget budget{.counted_max = options.transient_attempts_max,
                           .uncounted_max = options.unprocessed_attempts_max};
  const int counted = history.counted;
  const int uncounted = history.uncounted;
  RetryDecision decision = after_failure(kind, is_servers, budget, history, random.uniform());
  const bool is_retried = history.counted > counted || (is_ailing && history.uncounted > uncounted);
  if (is_retried && !decision.give_up) {
    decision.wait = std::max(decision.wait, retries.retry(now));
  }
  return decision;
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

}  // namespace sortie::sched
