#include "sortie/base/check.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/route_admission.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/answer_times.h"
#include "sortie/sched/breaker.h"
#include "sortie/sched/flights.h"
#include "sortie/sched/key_health.h"
#include "sortie/sched/load_window.h"
#include "sortie/sched/pool.h"
#include "sortie/sched/retry.h"
#include "sortie/sched/route_table.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

// What the end of a request means for the route that served it and for those that share something
// with it; and what a person decides about them.

namespace sortie::sched {

namespace {

using quota::Dimension;
using quota::LimitKind;
using quota::SignalClass;

// The server may still be working on a request that we cancelled.
constexpr base::Duration kCancelGrace = std::chrono::seconds(10);
constexpr base::Duration kRampWait = std::chrono::seconds(5);
constexpr base::Duration kRampFreeze = std::chrono::seconds(60);
constexpr base::Duration kLiveness = std::chrono::seconds(60);

Health health_of(SignalClass kind) {
  switch (kind) {
    case SignalClass::transient:
    case SignalClass::broken:
    case SignalClass::stall:
      return Health::failing;
    case SignalClass::not_processed:
      return Health::unreachable;
    case SignalClass::cancelled:
      return Health::unknown;
    // Said once of each key and name: as samples they cannot hide that the rest fails.
    case SignalClass::auth:
    case SignalClass::out_of_money:
    case SignalClass::wrong_name:
    case SignalClass::wrong_model:
      return Health::good;
    default:
      return Health::alive;
  }
}

bool is_throttle(SignalClass kind) {
  return kind == SignalClass::throttle || kind == SignalClass::concurrency ||
         kind == SignalClass::daily_cap || kind == SignalClass::ramp;
}

bool is_about(Dimension dimension, LimitKind kind) {
  switch (dimension) {
    case Dimension::requests:
      return kind == LimitKind::requests;
    case Dimension::tokens:
      return kind == LimitKind::tokens;
    case Dimension::concurrency:
      return kind == LimitKind::concurrency;
    case Dimension::unknown:
      return true;
  }
  return true;
}

bool has_limit_of(const Pool& pool, Dimension dimension) {
  const auto& limits = pool.limiter().domain().limits;
  return std::any_of(limits.begin(), limits.end(), [&](const quota::Limit& limit) {
    return is_about(dimension, limit.kind);
  });
}

/// "key rejected (401 invalid_api_key): Incorrect API key provided"
std::string reason_of(std::string_view what, const quota::Signal& signal) {
  std::string reason(what);
  if (signal.status != 0 || !signal.code.empty()) {
    const std::string status =
        signal.status != 0 ? fmt::format("{}", signal.status) : std::string();
    const std::string_view space = !status.empty() && !signal.code.empty() ? " " : "";
    reason += fmt::format(" ({}{}{})", status, space, signal.code);
  }
  if (!signal.message.empty()) {
    reason += ": " + signal.message;
  }
  return reason;
}

}  // namespace

void RouteTable::end(const Flight& flight,
                     base::Instant now,
                     Health health,
                     base::RandomStream* random) {
  RouteState& state = routes_[flight.route];
  state.in_flight -= 1;
  const auto tell = [&](Breaker& breaker) {
    const double uniform = random != nullptr ? random->uniform() : 0.0;
    breaker.ended(flight.sent, now, health, uniform, flight.has_begun);
  };
  tell(state.breaker);
  tell(breaker_of_endpoint(flight.route));
  service_of(flight.route).released();
}

/// The key was taken, whatever was answered.
void RouteTable::end_check(const Flight& flight, bool accepted, base::Instant now) {
  KeyState& key = keys_[routes_[flight.route].key];
  if (!key.health.is_dead()) {
    return;
  }
  if (key.health.ended(accepted, flight.sent, now)) {
    revive_key(routes_[flight.route].key);
  }
  for (const std::size_t route : key.routes) {
    find_door(route, now);
    versions_[doors_[route].model] += 1;
  }
  find_captives();
}

void RouteTable::revive_key(std::size_t key) {
  keys_[key].health.revive();
  for (const std::size_t route : keys_[key].routes) {
    if (routes_[route].died_by_key) {
      routes_[route].disabled.clear();
      routes_[route].died_by_key = false;
      routes_[route].is_proven = false;
    }
  }
}

void RouteTable::began(Flight& flight, base::Instant now) {
  if (std::exchange(flight.has_begun, true)) {
    return;
  }
  RouteState& state = routes_[flight.route];
  state.is_proven = true;
  state.breaker.began(flight.sent, now);
  breaker_of_endpoint(flight.route).began(flight.sent, now);
  changed(flight.route, now);
}

void RouteTable::answered(Flight& flight,
                          const quota::RequestSize& used,
                          const quota::LimitHints& hints,
                          const AnswerTiming& timing,
                          base::Instant now) {
  RouteState& state = routes_[flight.route];
  quota::settle(now, limiters_of(flight), flight.reservation, used);
  for (const std::size_t pool : pools_of(flight)) {
    pools_[pool].succeeded(flight.sent, now);
  }
  quota::release(now, limiters_of(flight), flight.reservation);
  quota::observe(now, limiters_of(flight), hints, flight.reservation);
  end(flight, now, Health::good, nullptr);
  end_check(flight, true, now);
  state.is_proven = true;
  state.answered += 1;
  state.watch.answered(now);
  const base::Duration took = now - flight.sent;
  state.times.answered(used.input, used.output, took, timing.first_token);
  if (timing.stream) {
    state.times.streamed(*timing.stream);
  }
  service_of(flight.route)
      .answered(flight.sent, now, base::seconds(took), usual_seconds(used.input, used.output));
  changed(flight.route, now);
}

bool RouteTable::others_work(std::size_t route, base::Instant now) const {
  const auto& of_model = by_model_[doors_[route].model];
  return std::any_of(of_model.begin(), of_model.end(), [&](std::size_t other) {
    return other != route && works(other, now);
  });
}

FailureEffect RouteTable::failed(Flight& flight,
                                 const quota::Signal& signal,
                                 bool is_poison,
                                 base::Instant now,
                                 base::RandomStream& random) {
  RouteState& state = routes_[flight.route];
  // A request that was cancelled for its silence may still be worked on.
  const bool was_cancelled = signal.kind == SignalClass::stall;
  quota::release(now,
                 limiters_of(flight),
                 flight.reservation,
                 was_cancelled ? kCancelGrace : base::Duration::zero());
  FailureEffect effect;
  if (is_failure(signal.kind) && !is_poison) {
    effect.is_sick = state.watch.failed(flight.ticket, now) && others_work(flight.route, now);
  }
  end(flight, now, is_poison ? Health::alive : health_of(signal.kind), &random);
  // Failures of the server are the breaker's own business; refusals it does not see.
  if (effect.is_sick && signal.kind == SignalClass::bad_request) {
    state.breaker.trip(now, random.uniform());
  }
  if (is_throttle(signal.kind)) {
    state.throttled += 1;
  } else {
    state.failed += 1;
    state.failed_at = now;
  }
  react(flight, signal, now, random.uniform());
  effect.disabled = disable_for(flight, signal, now);
  end_check(flight, is_throttle(signal.kind), now);
  changed(flight.route, now);
  return effect;
}

void RouteTable::react(const Flight& flight,
                       const quota::Signal& signal,
                       base::Instant now,
                       double uniform) {
  switch (signal.kind) {
    case SignalClass::throttle:
    case SignalClass::concurrency:
    case SignalClass::daily_cap:
      refuse(flight, signal, now, uniform);
      break;
    case SignalClass::ramp:
      service_of(flight.route).freeze(now + kRampFreeze);
      for (const std::size_t pool : routes_[flight.route].pools) {
        pools_[pool].ramped(now, signal.wait.value_or(kRampWait), uniform);
      }
      break;
    case SignalClass::overload:
      service_of(flight.route).overloaded(flight.sent, now, signal.wait, uniform);
      break;
    default:
      break;
  }
}

void RouteTable::refuse(const Flight& flight,
                        const quota::Signal& signal,
                        base::Instant now,
                        double uniform) {
  const bool is_crowd =
      signal.kind == SignalClass::concurrency || signal.dimension == Dimension::concurrency;
  const Dimension dimension = is_crowd ? Dimension::concurrency : signal.dimension;
  const std::vector<std::size_t>& pools = routes_[flight.route].pools;
  // A limit that nobody declared may be in any of them.
  const bool is_declared = std::any_of(pools.begin(), pools.end(), [&](std::size_t pool) {
    return has_limit_of(pools_[pool], dimension);
  });
  // A copy: the refusal may prove that one of them is part of a limit, which adds a pool.
  const auto reserved = pools_of(flight);
  const std::vector<std::size_t> asked(reserved.begin(), reserved.end());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    Pool& pool = pools_[asked[i]];
    const quota::Reservation& part = flight.reservation.parts[i];
    // A found pool stands for a limit of rate; of others its members learn each for itself.
    if (pool.is_found() && (is_crowd || signal.kind == SignalClass::daily_cap)) {
      continue;
    }
    if (is_declared && dimension != Dimension::unknown && !has_limit_of(pool, dimension)) {
      continue;
    }
    if (signal.kind == SignalClass::daily_cap) {
      pool.exhausted(now, signal.wait, uniform);
    } else if (is_crowd) {
      pool.crowded(part, now, signal.wait, uniform);
    } else if (is_in_trial(asked[i])) {
      if (pool.refused_in_trial(part, dimension, now, signal.wait, uniform) && trial_) {
        step_trial(trial_->refused(asked[i], now), now);
      }
    } else if (pool.refused(part, dimension, now, signal.wait, uniform)) {
      note_episode(asked[i], flight.route, now);
    }
  }
}

bool RouteTable::disable_for(const Flight& flight, const quota::Signal& signal, base::Instant now) {
  switch (signal.kind) {
    case SignalClass::auth:
    case SignalClass::out_of_money:
      return disable_key(flight, signal, now);
    case SignalClass::wrong_name:
      return disable(flight.route,
                     reason_of(signal.status != 0 ? "model or deployment unknown here"
                                                  : "not to be reached as configured",
                               signal));
    case SignalClass::wrong_model:
      return disable(flight.route, reason_of("another model answered", signal));
    default:
      return false;
  }
}

void RouteTable::cancelled(Flight& flight, base::Instant now) {
  quota::release(now, limiters_of(flight), flight.reservation, kCancelGrace);
  end(flight, now, Health::unknown, nullptr);
  end_check(flight, false, now);
  changed(flight.route, now);
}

bool RouteTable::substituted(Flight& flight, std::string_view served, base::Instant now) {
  RouteState& state = routes_[flight.route];
  quota::release(now, limiters_of(flight), flight.reservation);
  end(flight, now, health_of(SignalClass::wrong_model), nullptr);
  end_check(flight, true, now);
  state.failed += 1;
  const bool disabled = disable(flight.route,
                                fmt::format("'{}' answered where '{}' was asked for",
                                            served,
                                            topology_.routes[flight.route].api_name));
  changed(flight.route, now);
  return disabled;
}

bool RouteTable::disable(std::size_t route, std::string reason) {
  if (!routes_[route].disabled.empty()) {
    return false;
  }
  routes_[route].disabled = std::move(reason);
  doors_[route].usable = false;
  doors_[route].route_at = quota::kUntilFreed;
  versions_[topology_.routes[route].model] += 1;
  find_captives();
  return true;
}

bool RouteTable::take_out(std::size_t route, std::string reason) {
  RouteState& state = routes_[route];
  if (std::exchange(state.taken_out, true)) {
    return false;
  }
  state.disabled.clear();
  state.died_by_key = false;
  return disable(route, std::move(reason));
}

bool RouteTable::enable(std::size_t route, base::Instant now) {
  RouteState& state = routes_[route];
  if (state.disabled.empty()) {
    return false;
  }
  if (keys_[state.key].health.is_dead()) {
    revive_key(state.key);
  }
  state.taken_out = false;
  state.disabled.clear();
  state.is_proven = false;
  for (const std::size_t other : keys_[state.key].routes) {
    changed(other, now);
  }
  find_captives();
  return true;
}

void RouteTable::set_limit(std::size_t domain, const quota::Limit& limit, base::Instant now) {
  CHECK(domain < topology_.domains.size());
  pools_[domain].set_limit(limit, now);
  changed_pool(domain);
}

void RouteTable::lift_limit(std::size_t domain, LimitKind kind, base::Instant now) {
  CHECK(domain < topology_.domains.size());
  pools_[domain].lift_limit(kind, now);
  changed_pool(domain);
}

/// All routes of the key, until it is taken again.
bool RouteTable::disable_key(const Flight& flight, const quota::Signal& signal, base::Instant now) {
  const bool is_rejected = signal.kind == SignalClass::auth;
  KeyState& key = keys_[routes_[flight.route].key];
  key.health.refused(is_rejected ? KeyHealth::Refusal::rejected : KeyHealth::Refusal::out_of_money,
                     flight.sent,
                     now);
  bool is_news = false;
  for (const std::size_t route : key.routes) {
    if (disable(route, reason_of(is_rejected ? "key rejected" : "out of money", signal))) {
      routes_[route].died_by_key = true;
      is_news = true;
    }
    find_door(route, now);
  }
  find_captives();
  return is_news;
}

SilenceLimits RouteTable::silence_limits(std::size_t route,
                                         double input_tokens,
                                         double output_tokens_max,
                                         bool shows_life) const {
  const AnswerTimes& times = routes_[route].times;
  const base::Duration progress = AnswerTimes::progress_limit(output_tokens_max);
  if (shows_life) {
    return {.first_byte = times.first_token_limit(input_tokens),
            .liveness = kLiveness,
            .progress = progress};
  }
  const base::Duration whole = times.whole_limit(output_tokens_max);
  return {.first_byte = whole, .liveness = whole, .progress = progress};
}

}  // namespace sortie::sched
