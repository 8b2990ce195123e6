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
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sched {

namespace {

constexpr std::size_t kFoundMax = 64;  // pools that stand for others

}  // namespace

RouteTable::RouteTable(const spec::Topology& topology, const SchedulerOptions& options)
    : topology_(topology),
      endpoints_(topology.endpoints.size()),
      routes_(topology.routes.size()),
      endpoint_doors_(topology.endpoints.size(), base::Instant::min()),
      versions_(topology.models.size(), 0),
      by_model_(topology.models.size()),
      captive_of_(topology.models.size()),
      ready_(topology.models.size(), false) {
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const spec::Route& route = topology.routes[i];
    CHECK(route.model < by_model_.size() && route.endpoint < endpoints_.size());
    by_model_[route.model].push_back(i);
    doors_.emplace_back();
    doors_.back().endpoint = static_cast<std::uint32_t>(route.endpoint);
    doors_.back().model = static_cast<std::uint32_t>(route.model);
    doors_.back().place = static_cast<std::uint32_t>(by_model_[route.model].size() - 1);
  }
  for (const std::vector<std::size_t>& of_model : by_model_) {
    bounds_.emplace_back(of_model.size());
  }
  add_pools(options);
  add_keys(options);
  add_services(options);
  find_captives();
  remember(options.remembered);
}

void RouteTable::add_pools(const SchedulerOptions& options) {
  const quota::DomainOptions domain_options{.jitter_seconds = options.jitter_seconds,
                                            .learning = {.begins_with_ramp = options.ramp}};
  domain_options_ = domain_options;
  domain_options_.learning.begins_with_ramp = false;
  shared_limits_ = options.shared_limits;
  // Routes point into it: it must not be reallocated.
  pools_.reserve(topology_.domains.size() + topology_.routes.size() + kFoundMax);
  for (const quota::LimitDomain& domain : topology_.domains) {
    pools_.emplace_back(domain, domain_options);
  }
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const spec::Route& route = topology_.routes[i];
    routes_[i].pools = route.domains;
    if (route.domains.empty()) {
      routes_[i].pools.push_back(pools_.size());
      pools_.emplace_back(quota::LimitDomain{.name = route.name, .limits = {}}, domain_options);
    }
    for (const std::size_t pool : routes_[i].pools) {
      CHECK(pool < pools_.size());
      routes_[i].limiters.push_back(&pools_[pool].limiter());
    }
  }
  wanted_.resize(pools_.size() + kFoundMax, 0);
  by_pool_.resize(pools_.size() + kFoundMax);
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    for (const std::size_t pool : routes_[i].pools) {
      by_pool_[pool].push_back(i);
    }
  }
}

void RouteTable::add_keys(const SchedulerOptions& options) {
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> known;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const spec::Route& route = topology_.routes[i];
    const auto [place, is_new] = known.try_emplace({route.endpoint, route.key}, keys_.size());
    if (is_new) {
      keys_.push_back({.health = KeyHealth(options.dead_key_recheck), .routes = {}});
    }
    keys_[place->second].routes.push_back(i);
    routes_[i].key = place->second;
  }
}

void RouteTable::add_services(const SchedulerOptions& options) {
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> known;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const spec::Route& route = topology_.routes[i];
    const auto [place, is_new] = known.try_emplace({route.endpoint, route.model}, services_.size());
    if (is_new) {
      services_.emplace_back(has_undeclared(route.model) ? options.window_first : 0);
    }
    doors_[i].service = static_cast<std::uint32_t>(place->second);
  }
  service_doors_.resize(services_.size(), base::Instant::min());
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
        return is_over(pool) || std::find(pools.begin(), pools.end(), pool) == pools.end();
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
             return pools_[pool].is_unknown();
           });
  });
}

Earliest RouteTable::earliest(std::size_t route, base::Instant now, const Claims& claims) {
  Door& door = doors_[route];
  const base::Instant open =
      std::max({now, door.route_at, endpoint_doors_[door.endpoint], service_doors_[door.service]});
  if (open == quota::kUntilFreed) {
    return {.at = quota::kUntilFreed, .pool = std::nullopt};
  }
  if (claims.signature() != 0) {
    const std::vector<std::size_t>& pools = routes_[route].pools;
    if (std::any_of(pools.begin(), pools.end(), [&](auto pool) { return claims.has(pool); })) {
      return {.at = quota::kUntilFreed, .pool = std::nullopt};
    }
  }
  OpeningBounds& bounds = bounds_[door.model];
  if (!door.limits_known || !(door.any_size || door.size == bounds.size())) {
    find_limits(route, bounds.size(), now);
  }
  bounds.found(door.place, door.limits_at, door.any_size);
  if (door.limits_at > open) {
    return {.at = door.limits_at, .pool = door.pool};
  }
  return {.at = open, .pool = std::nullopt};
}

/// Stays true until something changes: see Pool::earliest.
void RouteTable::find_limits(std::size_t route, const quota::RequestSize& size, base::Instant now) {
  Door& door = doors_[route];
  // What is known already of another size is so only because the size matters.
  door.any_size = !door.limits_known;
  door.limits_at = base::Instant::min();
  door.size = size;
  door.limits_known = true;
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
  const KeyHealth& key = keys_[state.key].health;
  Door& door = doors_[route];
  if (!state.disabled.empty()) {
    const bool is_checked = state.died_by_key && key.is_dead();
    door.usable = is_checked && key.may_return();
    // The check is a request like others: the breaker's one request goes first.
    door.route_at =
        is_checked ? std::max(key.earliest(now), state.breaker.earliest(now)) : quota::kUntilFreed;
    return;
  }
  door.usable = true;
  const bool is_tried = !state.is_proven && state.in_flight > 0;
  door.route_at = is_tried ? quota::kUntilFreed : state.breaker.earliest(now);
}

void RouteTable::find_endpoint_door(std::size_t endpoint, base::Instant now) {
  const base::Instant at = endpoints_[endpoint].earliest(now);
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

void RouteTable::find_service_door(std::size_t route, base::Instant now) {
  service_doors_[doors_[route].service] = service_of(route).earliest(now);
  versions_[doors_[route].model] += 1;
}

void RouteTable::changed_pool(std::size_t pool) {
  for (const std::size_t route : by_pool_[pool]) {
    doors_[route].limits_known = false;
    bounds_[doors_[route].model].forget(doors_[route].place);
    versions_[doors_[route].model] += 1;
  }
}

std::span<const std::size_t> RouteTable::pools_of(const Flight& flight) const {
  const std::vector<std::size_t>& pools = routes_[flight.route].pools;
  CHECK(flight.reservation.parts.size() <= pools.size());
  return std::span(pools).first(flight.reservation.parts.size());
}

quota::RouteDomains RouteTable::limiters_of(const Flight& flight) const {
  const std::vector<quota::DomainLimiter*>& limiters = routes_[flight.route].limiters;
  CHECK(flight.reservation.parts.size() <= limiters.size());
  return std::span(limiters).first(flight.reservation.parts.size());
}

/// After anything that happened to a request of this route.
void RouteTable::changed(std::size_t route, base::Instant now) {
  find_door(route, now);
  find_endpoint_door(doors_[route].endpoint, now);
  find_service_door(route, now);
  for (const std::size_t pool : routes_[route].pools) {
    changed_pool(pool);
  }
}

Flight RouteTable::admit(Ticket ticket,
                         std::size_t route,
                         const quota::RequestSize& size,
                         base::Instant now) {
  RouteState& state = routes_[route];
  Breaker& endpoint = breaker_of_endpoint(route);
  KeyState& key = keys_[state.key];
  auto reservation = quota::admit(now, state.limiters, size);
  CHECK(reservation.has_value());
  const bool is_probe = !state.breaker.is_closed() || !endpoint.is_closed() || key.health.is_dead();
  state.breaker.admit();
  endpoint.admit();
  service_of(route).admit();
  state.in_flight += 1;
  if (key.health.is_dead()) {
    key.health.admit();
    for (const std::size_t other : key.routes) {
      find_door(other, now);
    }
  }
  check_trial(route, now);
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
  base::Instant open = std::max(now, service_of(route).closed_until());
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

RouteStatus RouteTable::status(std::size_t route, base::Instant now) const {
  const RouteState& state = routes_[route];
  const Breaker& endpoint = endpoints_[doors_[route].endpoint];
  RouteStatus status{.usable = state.disabled.empty(),
                     .disabled = !state.disabled.empty(),
                     .reason = state.disabled,
                     .in_flight = state.in_flight,
                     .answered = state.answered,
                     .failed = state.failed,
                     .throttled = state.throttled,
                     .closed_until = std::nullopt};
  base::Instant closed = std::max(
      {service_of(route).closed_until(), endpoint.open_until(), state.breaker.open_until()});
  for (const std::size_t pool : state.pools) {
    closed = std::max(closed, pools_[pool].closed_until());
    if (status.usable && pools_[pool].is_exhausted(now)) {
      status.usable = false;
      status.reason = fmt::format("daily cap of {} reached", pools_[pool].limiter().name());
    }
  }
  if (status.usable && std::max(endpoint.open_until(), state.breaker.open_until()) > now) {
    status.reason = "breaker open";
  }
  if (closed > now) {
    status.closed_until = closed;
  }
  return status;
}

std::vector<quota::DomainStatus> RouteTable::domain_status(base::Instant now) const {
  std::vector<quota::DomainStatus> result;
  result.reserve(pools_.size());
  for (const Pool& pool : pools_) {
    result.push_back(pool.limiter().status(now));
  }
  return result;
}

std::vector<quota::PoolMemory> RouteTable::learned() const {
  std::vector<quota::PoolMemory> result;
  for (const Pool& pool : pools_) {
    std::vector<quota::LearnedLimit> limits = pool.limiter().learner().limits();
    if (!limits.empty()) {
      result.push_back({.pool = pool.limiter().name(), .limits = std::move(limits)});
    }
  }
  return result;
}

void RouteTable::set_probing(bool probing) {
  is_probing_ = probing;
  for (Pool& pool : pools_) {
    pool.limiter().learner().set_probing(probing);
  }
}

/// At the beginning: what earlier runs learned.
void RouteTable::remember(const std::vector<quota::PoolMemory>& remembered) {
  for (const quota::PoolMemory& memory : remembered) {
    remember_shared(memory);
  }
  for (Pool& pool : pools_) {
    for (const quota::PoolMemory& memory : remembered) {
      if (memory.pool != pool.limiter().name() || pool.limiter().learner().is_resting()) {
        continue;
      }
      for (const quota::LearnedLimit& limit : memory.limits) {
        pool.limiter().learner().remember({}, limit);
      }
    }
  }
}

}  // namespace sortie::sched
