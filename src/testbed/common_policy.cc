#include "sortie/testbed/common_policy.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"
#include "sortie/testbed/policy.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sortie::testbed {

namespace {

constexpr int kAttemptsMax = 10;  // of failures that are no limits
constexpr double kRestMax = 60;
constexpr base::Duration kCoolDown = std::chrono::seconds(5);
// As the OpenAI cookbook's parallel processor does after a refusal.
constexpr base::Duration kPause = std::chrono::seconds(15);
constexpr double kWindowCut = 0.8;
constexpr double kWindowGrowth = 0.05;
constexpr base::Duration kWindowEpisode = std::chrono::seconds(10);
// A window grows without bound of its own only up to what a client keeps open.
constexpr double kWindowFirst = 1;

base::Digest digest_of(std::uint64_t seed) {
  return base::FieldHasher("sortie.testbed.common_policy.v1")
      .field("seed", static_cast<std::int64_t>(seed))
      .finish();
}

bool is_throttle(quota::SignalClass kind) {
  return kind == quota::SignalClass::throttle || kind == quota::SignalClass::concurrency ||
         kind == quota::SignalClass::daily_cap || kind == quota::SignalClass::ramp;
}

quota::RequestSize size_of(const sched::ReadyTurn& turn) {
  return {.input = turn.input_tokens,
          .output = turn.output_tokens,
          .max_output = turn.max_output_tokens};
}

}  // namespace

CommonPolicy::CommonPolicy(const CommonOptions& options,
                           const spec::Topology& topology,
                           std::uint64_t seed)
    : options_(options),
      topology_(topology),
      routes_of_(topology.models.size()),
      routes_(topology.routes.size()),
      shared_(topology.models.size()),
      open_(topology.models.size()),
      random_(digest_of(seed)) {
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const spec::Route& route = topology.routes[i];
    routes_of_[route.model].push_back(i);
    routes_[i].window = options.window_max > 0 ? kWindowFirst : 0;
    if (!(options.bucket_share > 0)) {
      continue;
    }
    for (const std::size_t domain : route.domains) {
      for (quota::Limit limit : topology.domains[domain].limits) {
        if (limit.kind != quota::LimitKind::concurrency) {
          limit.quota *= options.bucket_share;
          routes_[i].buckets.push_back({.limit = limit, .level = limit.quota, .filled_at = {}});
        }
      }
    }
  }
}

std::size_t CommonPolicy::static_route(std::size_t model, const DialogueFacts& facts) const {
  const std::vector<std::size_t>& routes = routes_of_[model];
  switch (options_.choice) {
    case KeyChoice::task:
      return routes[facts.number % routes.size()];
    case KeyChoice::cell:
      return routes[facts.cell % routes.size()];
    case KeyChoice::shuffle:
      break;
  }
  return routes.front();
}

void CommonPolicy::opened(sched::Ticket ticket, const DialogueFacts& facts) {
  if (ticket.value >= turns_.size()) {
    turns_.resize(ticket.value + std::size_t{1});
    own_.resize(turns_.size());
  }
  own_[ticket.value] = static_route(facts.model, facts);
}

void CommonPolicy::enqueue(Turn& turn) {
  turn.phase = Phase::waiting;
  if (options_.choice == KeyChoice::shuffle) {
    shared_[turn.request.model].push_back(turn.request.ticket);
  } else {
    routes_[turn.route].queue.push_back(turn.request.ticket);
  }
}

void CommonPolicy::add(const sched::ReadyTurn& request, base::Instant /*now*/) {
  Turn& turn = turns_[request.ticket.value];
  CHECK(turn.phase == Phase::absent);
  turn = {.request = request, .route = own_[request.ticket.value], .until = {}};
  open_[request.model] += 1;
  enqueue(turn);
}

/// When the route could take the turn; Instant::max() while its window is full.
base::Instant CommonPolicy::earliest(const RouteState& route,
                                     const sched::ReadyTurn& turn,
                                     base::Instant now) const {
  if (options_.window_max > 0 && static_cast<double>(route.in_flight) + 1 > route.window) {
    return base::Instant::max();
  }
  base::Instant at = std::max(now, route.paused_until);
  for (const Bucket& bucket : route.buckets) {
    const double rate = bucket.limit.quota / base::seconds(bucket.limit.window);
    const double cost = std::min(quota::cost_of(bucket.limit, size_of(turn)), bucket.limit.quota);
    const double missing = cost - bucket.level;
    if (missing > 0) {
      at = std::max(at, bucket.filled_at + base::from_seconds(missing / rate));
    }
  }
  return at;
}

void CommonPolicy::charge(RouteState& route, const sched::ReadyTurn& turn, base::Instant now) {
  for (Bucket& bucket : route.buckets) {
    const double rate = bucket.limit.quota / base::seconds(bucket.limit.window);
    bucket.level =
        std::min(bucket.limit.quota, bucket.level + rate * base::seconds(now - bucket.filled_at));
    bucket.filled_at = now;
    bucket.level -= quota::cost_of(bucket.limit, size_of(turn));
  }
}

/// A random route that is not cooling down, weighted by its declared requests or tokens.
std::optional<std::size_t> CommonPolicy::shuffled(const sched::ReadyTurn& turn, base::Instant now) {
  double sum = 0;
  std::vector<std::pair<double, std::size_t>> up_to;
  for (const std::size_t route : routes_of_[turn.model]) {
    if (earliest(routes_[route], turn, now) > now) {
      continue;
    }
    double weight = 1;
    for (const std::size_t domain : topology_.routes[route].domains) {
      for (const quota::Limit& limit : topology_.domains[domain].limits) {
        weight = limit.quota;
      }
    }
    sum += weight;
    up_to.emplace_back(sum, route);
  }
  if (up_to.empty()) {
    return std::nullopt;
  }
  const double at = sum * random_.uniform();
  for (const auto& [end, route] : up_to) {
    if (at < end) {
      return route;
    }
  }
  return up_to.back().second;
}

void CommonPolicy::bind(Turn& turn,
                        std::size_t route,
                        base::Instant now,
                        std::vector<sched::Assignment>& out) {
  turn.phase = Phase::in_flight;
  turn.route = route;
  turn.attempts += 1;
  routes_[route].in_flight += 1;
  charge(routes_[route], turn.request, now);
  out.push_back({.ticket = turn.request.ticket, .route = route, .reservation = 0});
}

void CommonPolicy::wake(base::Instant now) {
  while (!resting_.empty() && resting_.begin()->first <= now) {
    Turn& turn = turns_[resting_.begin()->second];
    resting_.erase(resting_.begin());
    enqueue(turn);
  }
}

void CommonPolicy::decide(base::Instant now, std::vector<sched::Assignment>& out) {
  wake(now);
  for (std::deque<sched::Ticket>& queue : shared_) {
    while (!queue.empty()) {
      Turn& turn = turns_[queue.front().value];
      const std::optional<std::size_t> route = shuffled(turn.request, now);
      if (!route) {
        break;
      }
      queue.pop_front();
      bind(turn, *route, now, out);
    }
  }
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    RouteState& route = routes_[i];
    while (!route.queue.empty()) {
      Turn& turn = turns_[route.queue.front().value];
      if (earliest(route, turn.request, now) > now) {
        break;
      }
      route.queue.pop_front();
      bind(turn, i, now, out);
    }
  }
}

std::optional<base::Instant> CommonPolicy::next_decision(base::Instant now) const {
  base::Instant next = resting_.empty() ? base::Instant::max() : resting_.begin()->first;
  for (std::size_t model = 0; model < shared_.size(); ++model) {
    if (shared_[model].empty()) {
      continue;
    }
    const Turn& head = turns_[shared_[model].front().value];
    for (const std::size_t route : routes_of_[model]) {
      next = std::min(next, earliest(routes_[route], head.request, now));
    }
  }
  for (const RouteState& route : routes_) {
    if (!route.queue.empty()) {
      next = std::min(next, earliest(route, turns_[route.queue.front().value].request, now));
    }
  }
  return next == base::Instant::max() ? std::nullopt : std::optional(std::max(next, now));
}

base::Instant CommonPolicy::departure(const sched::Assignment& /*assignment*/,
                                      std::optional<base::Instant> /*granted*/,
                                      base::Instant now) {
  return now;
}

CommonPolicy::Turn& CommonPolicy::land(const sched::Assignment& assignment) {
  Turn& turn = turns_[assignment.ticket.value];
  CHECK(turn.phase == Phase::in_flight);
  routes_[assignment.route].in_flight -= 1;
  return turn;
}

/// Slow start doubles once a round; later a round adds 5 %.
void CommonPolicy::grow(RouteState& route) {
  if (options_.window_max == 0) {
    return;
  }
  const double step = route.is_starting ? 1 : kWindowGrowth;
  route.window = std::min(static_cast<double>(options_.window_max), route.window + step);
}

void CommonPolicy::answered(const sched::Assignment& assignment,
                            double /*input_tokens*/,
                            double /*output_tokens*/,
                            const quota::LimitHints& /*hints*/,
                            const sched::AnswerTiming& /*timing*/,
                            base::Instant /*now*/) {
  Turn& turn = land(assignment);
  grow(routes_[assignment.route]);
  open_[turn.request.model] -= 1;
  turn.phase = Phase::absent;
}

void CommonPolicy::rest(Turn& turn, base::Duration wait, base::Instant now) {
  turn.phase = Phase::resting;
  turn.until = now + wait;
  resting_.emplace(turn.until, turn.request.ticket.value);
}

void CommonPolicy::throttled(Turn& turn, const quota::Signal& signal, base::Instant now) {
  RouteState& route = routes_[turn.route];
  if (options_.choice == KeyChoice::shuffle) {
    route.paused_until = now + kCoolDown;
    enqueue(turn);
    return;
  }
  if (options_.bucket_share > 0) {
    route.paused_until = now + kPause;
    enqueue(turn);
    return;
  }
  if (options_.window_max > 0 && now - route.cut_at >= kWindowEpisode) {
    route.is_starting = false;
    route.window = std::max(1.0, kWindowCut * route.window);
    route.cut_at = now;
  }
  const base::Duration own =
      base::from_seconds(std::min(kRestMax, std::pow(2.0, turn.attempts - 1)));
  rest(turn, std::max(own, signal.wait.value_or(own)), now);
}

sched::FailureVerdict CommonPolicy::failed(const sched::Assignment& assignment,
                                           const quota::Signal& signal,
                                           base::Instant now) {
  Turn& turn = land(assignment);
  if (is_throttle(signal.kind)) {
    throttled(turn, signal, now);
    return {.verdict = sched::Verdict::again};
  }
  const bool is_key_lost =
      signal.kind == quota::SignalClass::auth && options_.choice != KeyChoice::shuffle;
  if (is_key_lost || turn.attempts >= kAttemptsMax) {
    open_[turn.request.model] -= 1;
    turn.phase = Phase::absent;
    return {.verdict = sched::Verdict::give_up};
  }
  if (options_.choice == KeyChoice::shuffle) {
    routes_[assignment.route].paused_until = now + kCoolDown;
  }
  rest(turn, base::from_seconds(std::min(kRestMax, std::pow(2.0, turn.attempts - 1))), now);
  return {.verdict = sched::Verdict::again};
}

std::size_t CommonPolicy::wants_open(std::size_t model) const {
  return options_.workers > open_[model] ? options_.workers - open_[model] : 0;
}

}  // namespace sortie::testbed
