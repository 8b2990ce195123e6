#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/sched/opening_bounds.h"
#include "sortie/sched/ready_queue.h"
#include "sortie/sched/route_table.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/scheduler_state.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

// What goes now, and where: one pass over the models that have something ready.

namespace sortie::sched {

namespace {

// A dialogue stays on its route unless that has more than this many times the requests in flight of
// the best other one, plus the slack.
constexpr std::size_t kAffinityFactor = 2;
constexpr std::size_t kAffinitySlack = 4;

constexpr double kPlaceOfCritical = -1;  // before all others, whose places are not negative

bool is_left_out(const ReadyQueue::Head& head, std::size_t place, std::size_t route) {
  return place + 1 == head.lane || (head.only && *head.only != route);
}

/// What waits for a release is no better than any other.
bool cannot_win(base::Instant bound, base::Instant best_at, bool has_best) {
  return bound > best_at || (has_best && bound == quota::kUntilFreed);
}

quota::RequestSize size_of(const ReadyTurn& turn) {
  return {.input = turn.input_tokens,
          .output = turn.output_tokens,
          .max_output = turn.max_output_tokens};
}

}  // namespace

const std::vector<ReadyQueue::Head>& Scheduler::State::heads_of(std::size_t model) {
  ModelState& of_model = models[model];
  if (!of_model.heads_known) {
    of_model.queue.heads(shares.tags(model), shares.critical_turns(model), of_model.heads);
    add_heads_of_slow(model);
    of_model.heads_known = true;
  }
  return of_model.heads;
}

/// What is ready of the model, or what it is due, has changed: it finds its new place in the order.
void Scheduler::State::changed(std::size_t model) {
  ModelState& of_model = models[model];
  order.erase({of_model.place, model});
  of_model.heads_known = false;
  of_model.offer.reset();
  if (!of_model.queue.empty()) {
    const bool is_critical = heads_of(model).front().is_critical;
    of_model.place = is_critical ? kPlaceOfCritical : shares.tag(model);
    order.emplace(of_model.place, model);
  }
}

Offer Scheduler::State::offer_to(const ReadyQueue::Head& head,
                                 std::size_t model,
                                 base::Instant now) {
  ModelState& of_model = models[model];
  const std::optional<KnownOffer>& known = of_model.offer;
  const std::uint64_t version = routes.version(model);
  if (known && known->version == version && known->claims == claims.signature() &&
      known->offer.earliest.at > now) {
    return known->offer;
  }
  const Offer offer = best_offer(head, now);
  if (of_model.heads.size() == 1) {
    of_model.offer = {.offer = offer, .version = version, .claims = claims.signature()};
  }
  return offer;
}

/// A dialogue with more turns to come does not take the slow route: with one turn there, even a
/// long one, it would end after all the rest.
double Scheduler::State::most_turns_on(std::size_t route, std::size_t model) const {
  const double slowness = slow.slowness(route);
  const auto in_flight = static_cast<double>(routes.in_flight(route));
  return shares.turns_left_without(model, in_flight, slowness) + 1 - slow.tail(model) * slowness;
}

/// A slow route that the head of the queue is too long for has a head of its own.
void Scheduler::State::add_heads_of_slow(std::size_t model) {
  ModelState& of_model = models[model];
  for (const std::size_t route : slow.slow_of(model)) {
    const double most_turns = most_turns_on(route, model);
    auto head = of_model.queue.shortest(shares.tags(model), most_turns);
    if (head) {
      head->only = route;
      of_model.heads.push_back(*head);
    }
  }
}

bool Scheduler::State::is_better(const Offer& offer, const Offer& than, base::Instant now) const {
  if (offer.earliest.at != than.earliest.at) {
    return offer.earliest.at < than.earliest.at;
  }
  const auto place = [&](std::size_t route) {
    return std::tuple(routes.is_wanted(route),
                      routes.has_just_failed(route, now),
                      slow.slowness(route),
                      routes.in_flight(route));
  };
  return offer.earliest.at < quota::kUntilFreed && place(offer.route) < place(than.route);
}

/// True when the turn ends sooner by waiting for the offer than on the slow route. Compares
/// instants only, so that it stays true or false until something happens.
bool Scheduler::State::is_soon_elsewhere(const Offer& offer,
                                         std::size_t slow_route,
                                         base::Instant slow_at,
                                         std::size_t model) const {
  if (offer.earliest.at == quota::kUntilFreed) {
    return false;
  }
  const double longer = slow.slowness(slow_route) - slow.slowness(offer.route);
  return slow_at == quota::kUntilFreed ||
         offer.earliest.at < slow_at + base::from_seconds(longer * shares.seconds_per_turn(model));
}

/// Heads of the queue wait for fast routes; that of a slow route must be short enough for it.
bool Scheduler::State::is_too_slow(const ReadyQueue::Head& head,
                                   std::size_t route,
                                   std::size_t model) const {
  return head.only ? head.key.remaining_turns > most_turns_on(route, model)
                   : slow.slowness(route) > 1;
}

/// Where routes are slow, one that opens later may be the better one.
bool Scheduler::State::must_ask_all(const ReadyQueue::Head& head, std::size_t model) const {
  return head.only || !slow.slow_of(model).empty() || !routes.bounds(model).is_in_use();
}

/// The earliest instant of the route that seems to open first, of those of which something is
/// known: the others need not be asked when they are known to open later.
base::Instant Scheduler::State::likely_opening(const ReadyQueue::Head& head,
                                               std::size_t model,
                                               base::Instant now) {
  const std::vector<std::size_t>& of_model = routes.routes_of(model);
  const OpeningBounds& bounds = routes.bounds(model);
  std::optional<std::size_t> soonest;
  base::Instant at = quota::kUntilFreed;
  for (std::size_t i = 0; i < of_model.size(); ++i) {
    if (bounds.at(i) < at && bounds.at(i) != base::Instant::min() && i + 1 != head.lane) {
      soonest = i;
      at = bounds.at(i);
    }
  }
  return soonest ? routes.earliest(of_model[*soonest], now, claims).at : at;
}

Offer Scheduler::State::best_offer(const ReadyQueue::Head& head, base::Instant now) {
  const ReadyTurn& request = turns[head.key.ticket.value].request;
  routes.ask(request.model, size_of(request));
  const std::vector<std::size_t>& of_model = routes.routes_of(request.model);
  std::optional<Offer> best;
  std::optional<Offer> before;
  std::optional<Offer> too_slow;
  bool frees_soon = false;  // a route that is not too slow
  const OpeningBounds& bounds = routes.bounds(request.model);
  const bool asks_all = must_ask_all(head, request.model);
  base::Instant best_at = asks_all ? quota::kUntilFreed : likely_opening(head, request.model, now);
  for (std::size_t i = 0; i < of_model.size(); ++i) {
    const std::size_t route = of_model[i];
    if (is_left_out(head, i, route) ||
        (!asks_all && cannot_win(bounds.at(i), best_at, best.has_value()))) {
      continue;
    }
    const Offer offer{.route = route, .earliest = routes.earliest(route, now, claims)};
    best_at = std::min(best_at, offer.earliest.at);
    if (is_too_slow(head, route, request.model)) {
      if (!too_slow || is_better(offer, *too_slow, now)) {
        too_slow = offer;
      }
      continue;
    }
    if (offer.earliest.at <= now && route == request.route_before) {
      before = offer;
    }
    frees_soon = frees_soon || (offer.earliest.at == quota::kUntilFreed && is_in_use(route));
    if (!best || is_better(offer, *best, now)) {
      best = offer;
    }
  }
  if (too_slow && !head.only && !frees_soon &&
      !(best && is_soon_elsewhere(*best, too_slow->route, too_slow->earliest.at, request.model))) {
    return *too_slow;
  }
  if (!best) {
    return {};
  }
  // Staying keeps the provider's prefix cache warm, but not at the price of an idle neighbour, nor
  // of a model that has no other way, nor of a faster one.
  if (before && routes.is_wanted(before->route) <= routes.is_wanted(best->route) &&
      slow.slowness(before->route) <= slow.slowness(best->route) &&
      routes.in_flight(before->route) <=
          kAffinityFactor * routes.in_flight(best->route) + kAffinitySlack) {
    return *before;
  }
  return *best;
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
  shares.serve(turn.request.model, turn.group, head.is_critical, slow.slowness(route));
  changed(turn.request.model);
  const std::uint64_t name =
      flights.add(routes.admit(head.key.ticket, route, size_of(turn.request), now));
  out.push_back({.ticket = head.key.ticket, .route = route, .reservation = name});
}

/// Binds the best head of the model that can go; heads that cannot claim the limit they wait for.
base::Instant Scheduler::State::bind_one(std::size_t model,
                                         base::Instant now,
                                         std::vector<Assignment>& out) {
  base::Instant first = base::Instant::max();
  for (const ReadyQueue::Head& head : heads_of(model)) {
    const Offer offer = offer_to(head, model, now);
    if (offer.earliest.at <= now) {
      bind(ReadyQueue::Head(head), offer.route, now, out);
      return now;
    }
    first = std::min(first, offer.earliest.at);
    claim(offer);
  }
  return first;
}

/// One pass over the models in their order. Instant::min() when something was bound, else the first
/// instant at which something can be.
base::Instant Scheduler::State::bind_pass(base::Instant now, std::vector<Assignment>& out) {
  claims.clear();
  const std::size_t before = out.size();
  base::Instant first = base::Instant::max();
  // Forward: a model that cannot go now is not asked again in this pass; one that was served comes
  // again at its new place.
  for (auto place = order.begin(); place != order.end() && !is_full();) {
    const std::pair<double, std::size_t> here = *place;
    const std::size_t model = here.second;
    const base::Instant at =
        models[model].paused ? base::Instant::max() : bind_one(model, now, out);
    if (at > now) {
      first = std::min(first, at);
      ++place;
    } else {
      place = order.lower_bound(std::min(here, std::pair(models[model].place, model)));
    }
  }
  return out.size() > before ? base::Instant::min() : first;
}

/// Until a pass binds nothing. What was bound has changed what others claim and which way is the
/// sooner one, so that a head passed over before may go now.
void Scheduler::State::bind_all(base::Instant now, std::vector<Assignment>& out) {
  base::Instant first = base::Instant::min();
  while (first <= now && !is_full()) {
    first = bind_pass(now, out);
  }
  if (!is_full()) {
    idle_until = std::min(first, first_timer());
  }
}

base::Instant Scheduler::State::first_timer() const {
  return timers.empty() ? base::Instant::max() : timers.begin()->first;
}

/// Instant::max() when only a change can help.
base::Instant Scheduler::State::earliest_binding(base::Instant now) {
  if (is_full() || paused) {
    return base::Instant::max();
  }
  base::Instant result = first_timer();
  claims.clear();
  for (const auto& [_, model] : order) {
    if (models[model].paused) {
      continue;
    }
    for (const ReadyQueue::Head& head : heads_of(model)) {
      const Offer offer = offer_to(head, model, now);
      result = std::min(result, offer.earliest.at);
      claim(offer);
    }
  }
  return std::max(result, now);
}

}  // namespace sortie::sched
