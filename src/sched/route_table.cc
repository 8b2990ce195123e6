#include "sortie/sched/route_table.h"

#include "sortie/base/check.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/route_admission.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/breaker.h"
#include "sortie/sched/flights.h"
#include "sortie/sched/pool.h"
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

namespace sortie::sched {

namespace {

using quota::Dimension;
using quota::LimitKind;
using quota::SignalClass;

// The server may still be working on a request that we cancelled.
constexpr base::Duration kCancelGrace = std::chrono::seconds(10);
constexpr base::Duration kRampWait = std::chrono::seconds(5);

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

RouteTable::RouteTable(const spec::Topology& topology, double jitter_seconds)
    : topology_(topology),
      endpoints_(topology.endpoints.size()),
      routes_(topology.routes.size()),
      by_model_(topology.models.size()) {
  const quota::DomainOptions options{.jitter_seconds = jitter_seconds};
  // Routes point into it: it must not grow afterwards.
  pools_.reserve(topology.domains.size() + topology.routes.size());
  for (const quota::LimitDomain& domain : topology.domains) {
    pools_.emplace_back(domain, options);
  }
  captive_of_.resize(by_model_.size());
  ready_.resize(by_model_.size(), false);
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const spec::Route& route = topology.routes[i];
    CHECK(route.model < by_model_.size() && route.endpoint < endpoints_.size());
    by_model_[route.model].push_back(i);
    routes_[i].pools = route.domains;
    if (route.domains.empty()) {
      routes_[i].pools.push_back(pools_.size());
      pools_.emplace_back(quota::LimitDomain{.name = route.name, .limits = {}}, options);
    }
    for (const std::size_t pool : routes_[i].pools) {
      CHECK(pool < pools_.size());
      routes_[i].limiters.push_back(&pools_[pool].limiter());
    }
  }
  wanted_.resize(pools_.size(), 0);
  by_pool_.resize(pools_.size());
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    for (const std::size_t pool : routes_[i].pools) {
      by_pool_[pool].push_back(i);
    }
  }
  for (const spec::Route& route : topology.routes) {
    doors_.emplace_back();
    doors_.back().endpoint = static_cast<std::uint32_t>(route.endpoint);
    doors_.back().model = static_cast<std::uint32_t>(route.model);
  }
  endpoint_doors_.resize(endpoints_.size(), base::Instant::min());
  versions_.resize(by_model_.size(), 0);
  find_captives();
}

/// After a change of what is usable. A model has no way around a pool that all its routes drain.
void RouteTable::find_captives() {
  std::fill(wanted_.begin(), wanted_.end(), 0);
  for (std::size_t model = 0; model < by_model_.size(); ++model) {
    std::vector<std::size_t>& captive_of = captive_of_[model];
    captive_of.clear();
    bool is_first = true;
    for (const std::size_t route : by_model_[model]) {
      if (!is_usable(route)) {
        continue;
      }
      const std::vector<std::size_t>& pools = routes_[route].pools;
      if (is_first) {
        captive_of = pools;
        is_first = false;
      }
      std::erase_if(captive_of, [&](std::size_t pool) {
        return std::find(pools.begin(), pools.end(), pool) == pools.end();
      });
    }
    for (const std::size_t pool : captive_of) {
      wanted_[pool] += ready_[model] ? 1 : 0;
    }
  }
}

void RouteTable::set_ready(std::size_t model, bool ready) {
  if (ready_[model] == ready) {
    return;
  }
  ready_[model] = ready;
  for (const std::size_t pool : captive_of_[model]) {
    wanted_[pool] += ready ? std::size_t{1} : ~std::size_t{0};
  }
}

bool RouteTable::is_wanted(std::size_t route) const {
  const std::vector<std::size_t>& pools = routes_[route].pools;
  return std::any_of(
      pools.begin(), pools.end(), [&](std::size_t pool) { return wanted_[pool] > 0; });
}

bool RouteTable::has_usable(std::size_t model) const {
  const auto& routes = by_model_[model];
  return std::any_of(
      routes.begin(), routes.end(), [&](std::size_t route) { return is_usable(route); });
}

bool RouteTable::has_usable_besides(std::size_t model, std::size_t route) const {
  const auto& routes = by_model_[model];
  return std::any_of(routes.begin(), routes.end(), [&](std::size_t other) {
    return other != route && is_usable(other);
  });
}

bool RouteTable::has_undeclared(std::size_t model) const {
  const auto& routes = by_model_[model];
  return std::any_of(routes.begin(), routes.end(), [&](std::size_t route) {
    const auto& pools = routes_[route].pools;
    return is_usable(route) && std::all_of(pools.begin(), pools.end(), [&](std::size_t pool) {
             return pools_[pool].limiter().domain().limits.empty();
           });
  });
}

Earliest RouteTable::earliest(std::size_t route,
                              const quota::RequestSize& size,
                              base::Instant now,
                              const Claims& claims) {
  Door& door = doors_[route];
  const base::Instant open = std::max({now, door.route_at, endpoint_doors_[door.endpoint]});
  if (!door.usable || open == quota::kUntilFreed) {
    return {.at = quota::kUntilFreed, .pool = std::nullopt};
  }
  if (claims.signature() != 0) {
    const std::vector<std::size_t>& pools = routes_[route].pools;
    if (std::any_of(pools.begin(), pools.end(), [&](auto pool) { return claims.has(pool); })) {
      return {.at = quota::kUntilFreed, .pool = std::nullopt};
    }
  }
  if (!door.limits_known || !(door.any_size || door.size == size)) {
    find_limits(route, size, now);
  }
  if (door.limits_at > open) {
    return {.at = door.limits_at, .pool = door.pool};
  }
  return {.at = open, .pool = std::nullopt};
}

/// Stays true until something changes: see Pool::earliest.
void RouteTable::find_limits(std::size_t route, const quota::RequestSize& size, base::Instant now) {
  Door& door = doors_[route];
  door.limits_at = base::Instant::min();
  door.size = size;
  door.limits_known = true;
  door.any_size = true;
  for (const std::size_t pool : routes_[route].pools) {
    door.any_size = door.any_size && !pools_[pool].depends_on_size();
    const base::Instant at = pools_[pool].earliest(now, size);
    if (at > door.limits_at) {
      door.limits_at = at;
      door.pool = static_cast<std::uint32_t>(pool);
    }
  }
}

void RouteTable::find_door(std::size_t route, base::Instant now) {
  const RouteState& state = routes_[route];
  Door& door = doors_[route];
  door.usable = state.disabled.empty();
  const bool is_tried = !state.is_proven && state.in_flight > 0;
  door.route_at = is_tried ? quota::kUntilFreed : state.breaker.earliest(now);
}

void RouteTable::find_endpoint_door(std::size_t endpoint, base::Instant now) {
  const EndpointState& state = endpoints_[endpoint];
  const base::Instant at = std::max(state.closed_until, state.breaker.earliest(now));
  if (at == endpoint_doors_[endpoint] || (at <= now && endpoint_doors_[endpoint] <= now)) {
    return;
  }
  endpoint_doors_[endpoint] = at;
  for (const Door& door : doors_) {
    if (door.endpoint == endpoint) {
      versions_[door.model] += 1;
    }
  }
}

void RouteTable::changed_pool(std::size_t pool) {
  for (const std::size_t route : by_pool_[pool]) {
    doors_[route].limits_known = false;
    versions_[doors_[route].model] += 1;
  }
}

/// After anything that happened to a request of this route.
void RouteTable::changed(std::size_t route, base::Instant now) {
  find_door(route, now);
  find_endpoint_door(topology_.routes[route].endpoint, now);
  for (const std::size_t pool : routes_[route].pools) {
    changed_pool(pool);
  }
}

Flight RouteTable::admit(Ticket ticket,
                         std::size_t route,
                         const quota::RequestSize& size,
                         base::Instant now) {
  RouteState& state = routes_[route];
  EndpointState& endpoint = endpoint_of(route);
  auto reservation = quota::admit(now, state.limiters, size);
  CHECK(reservation.has_value());
  const bool is_probe = !state.breaker.is_closed() || !endpoint.breaker.is_closed();
  state.breaker.admit();
  endpoint.breaker.admit();
  state.in_flight += 1;
  changed(route, now);
  return {.ticket = ticket,
          .route = route,
          .sent = now,
          .is_probe = is_probe,
          .reservation = *std::move(reservation)};
}

base::Instant RouteTable::departure(std::size_t route,
                                    std::optional<base::Instant> granted,
                                    base::Instant now) {
  const RouteState& state = routes_[route];
  base::Instant open = std::max(now, endpoint_of(route).closed_until);
  for (const std::size_t pool : state.pools) {
    open = std::max(open, pools_[pool].closed_until());
  }
  if (granted && *granted <= now && open == now) {
    return now;
  }
  base::Instant at = open;
  for (const std::size_t pool : state.pools) {
    at = std::max(at, pools_[pool].departure().next(open));
  }
  for (const std::size_t pool : state.pools) {
    pools_[pool].departure().take(at);
  }
  return at;
}

void RouteTable::end(const Flight& flight,
                     base::Instant now,
                     Health health,
                     base::RandomStream* random) {
  RouteState& state = routes_[flight.route];
  state.in_flight -= 1;
  const auto draw = [&] { return random != nullptr ? random->uniform() : 0.0; };
  state.breaker.ended(flight.sent, now, health, draw());
  endpoint_of(flight.route).breaker.ended(flight.sent, now, health, draw());
}

void RouteTable::answered(Flight& flight,
                          const quota::RequestSize& used,
                          const quota::LimitHints& hints,
                          base::Instant now) {
  RouteState& state = routes_[flight.route];
  quota::settle(now, state.limiters, flight.reservation, used);
  quota::release(now, state.limiters, flight.reservation);
  quota::observe(now, state.limiters, hints, flight.reservation);
  end(flight, now, Health::good, nullptr);
  state.is_proven = true;
  state.answered += 1;
  for (const std::size_t pool : state.pools) {
    pools_[pool].succeeded(flight.sent);
  }
  endpoint_of(flight.route).overload.succeeded(flight.sent);
  changed(flight.route, now);
}

bool RouteTable::failed(Flight& flight,
                        const quota::Signal& signal,
                        base::Instant now,
                        base::RandomStream& random) {
  RouteState& state = routes_[flight.route];
  quota::release(now, state.limiters, flight.reservation);
  end(flight, now, health_of(signal.kind), &random);
  (is_throttle(signal.kind) ? state.throttled : state.failed) += 1;
  react(flight, signal, now, random.uniform());
  const bool disabled = disable_for(flight, signal);
  changed(flight.route, now);
  return disabled;
}

void RouteTable::react(const Flight& flight,
                       const quota::Signal& signal,
                       base::Instant now,
                       double uniform) {
  EndpointState& endpoint = endpoint_of(flight.route);
  switch (signal.kind) {
    case SignalClass::throttle:
    case SignalClass::concurrency:
    case SignalClass::daily_cap:
      refuse(flight, signal, now, uniform);
      break;
    case SignalClass::ramp:
      for (const std::size_t pool : routes_[flight.route].pools) {
        pools_[pool].close(now + quota::gate_wait(signal.wait.value_or(kRampWait), uniform));
      }
      break;
    case SignalClass::overload:
      if (const auto wait = endpoint.overload.next(flight.sent, now, uniform)) {
        endpoint.closed_until = std::max(endpoint.closed_until, now + *wait);
      }
      if (signal.wait) {
        endpoint.closed_until =
            std::max(endpoint.closed_until, now + quota::gate_wait(*signal.wait, uniform));
      }
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
  for (const std::size_t index : pools) {
    Pool& pool = pools_[index];
    if (is_declared && dimension != Dimension::unknown && !has_limit_of(pool, dimension)) {
      continue;
    }
    if (signal.kind == SignalClass::daily_cap) {
      pool.exhausted(now, signal.wait, uniform);
    } else if (is_crowd) {
      pool.crowded(flight.sent, now, signal.wait, uniform);
    } else {
      pool.refused(flight.sent, now, signal.wait, uniform);
    }
  }
}

bool RouteTable::disable_for(const Flight& flight, const quota::Signal& signal) {
  switch (signal.kind) {
    case SignalClass::auth:
      return disable_key(flight.route, reason_of("key rejected", signal));
    case SignalClass::out_of_money:
      return disable_key(flight.route, reason_of("out of money", signal));
    case SignalClass::wrong_name:
      return disable(flight.route, reason_of("model or deployment unknown here", signal));
    case SignalClass::wrong_model:
      return disable(flight.route, reason_of("another model answered", signal));
    default:
      return false;
  }
}

void RouteTable::cancelled(Flight& flight, base::Instant now) {
  quota::release(now, routes_[flight.route].limiters, flight.reservation, kCancelGrace);
  end(flight, now, Health::unknown, nullptr);
  changed(flight.route, now);
}

bool RouteTable::substituted(Flight& flight, std::string_view served, base::Instant now) {
  RouteState& state = routes_[flight.route];
  quota::release(now, state.limiters, flight.reservation);
  end(flight, now, Health::alive, nullptr);
  state.failed += 1;
  const bool disabled = disable(flight.route,
                                fmt::format("'{}' answered where '{}' was asked for",
                                            served,
                                            topology_.routes[flight.route].api_name));
  changed(flight.route, now);
  return disabled;
}

bool RouteTable::disable(std::size_t route, std::string reason) {
  if (!is_usable(route)) {
    return false;
  }
  routes_[route].disabled = std::move(reason);
  doors_[route].usable = false;
  versions_[topology_.routes[route].model] += 1;
  find_captives();
  return true;
}

bool RouteTable::enable(std::size_t route, base::Instant now) {
  if (is_usable(route)) {
    return false;
  }
  routes_[route].disabled.clear();
  routes_[route].is_proven = false;
  changed(route, now);
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

bool RouteTable::disable_key(std::size_t route, const std::string& reason) {
  const spec::Route& dead = topology_.routes[route];
  bool is_news = false;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const spec::Route& other = topology_.routes[i];
    if (other.endpoint == dead.endpoint && other.key == dead.key) {
      is_news = disable(i, reason) || is_news;
    }
  }
  return is_news;
}

RouteStatus RouteTable::status(std::size_t route, base::Instant now) const {
  const RouteState& state = routes_[route];
  const EndpointState& endpoint = endpoint_of(route);
  RouteStatus status{.usable = state.disabled.empty(),
                     .reason = state.disabled,
                     .in_flight = state.in_flight,
                     .answered = state.answered,
                     .failed = state.failed,
                     .throttled = state.throttled,
                     .closed_until = std::nullopt};
  base::Instant closed =
      std::max({endpoint.closed_until, endpoint.breaker.open_until(), state.breaker.open_until()});
  for (const std::size_t pool : state.pools) {
    closed = std::max(closed, pools_[pool].closed_until());
    if (status.usable && pools_[pool].is_exhausted(now)) {
      status.usable = false;
      status.reason = fmt::format("daily cap of {} reached", pools_[pool].limiter().name());
    }
  }
  if (closed > now) {
    status.closed_until = closed;
  }
  return status;
}

std::vector<quota::DomainStatus> RouteTable::domain_status(base::Instant now) const {
  std::vector<quota::DomainStatus> result;
  result.reserve(topology_.domains.size());
  for (std::size_t i = 0; i < topology_.domains.size(); ++i) {
    result.push_back(pools_[i].limiter().status(now));
  }
  return result;
}

}  // namespace sortie::sched
