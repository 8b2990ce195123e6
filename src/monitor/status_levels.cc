#include "sortie/monitor/status_levels.h"

#include "sortie/monitor/status_json.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::monitor {

namespace {

/// Routes are named "provider/key/model".
std::string provider_of(const engine::RouteProgress& route) {
  return route.route.substr(0, route.route.find('/'));
}

json::Value use_of(double used, double allowed) {
  return allowed > 0 ? json::Value(used / allowed) : json::Value(nullptr);
}

bool drains(const engine::RouteProgress& route, const engine::LimitUse& limit) {
  return std::ranges::find(route.domains, limit.domain) != route.domains.end();
}

json::Array limits_of(const engine::RunStatus& status, const engine::RouteProgress& route) {
  json::Array limits;
  for (const engine::LimitUse& limit : status.limits) {
    if (!drains(route, limit)) {
      continue;
    }
    json::Array shared_by;
    for (const engine::RouteProgress& other : status.routes) {
      if (other.route != route.route && drains(other, limit)) {
        shared_by.emplace_back(other.route);
      }
    }
    json::Value one = to_json(limit);
    one.as_object()["use"] = use_of(limit.used, limit.allowed);
    one.as_object()["shared_by"] = std::move(shared_by);
    limits.push_back(std::move(one));
  }
  return limits;
}

/// Slots that the route's tightest limit of requests at once allows.
std::optional<double> slots_of(const engine::RunStatus& status,
                               const engine::RouteProgress& route) {
  std::optional<double> least;
  for (const engine::LimitUse& limit : status.limits) {
    if (limit.limit.kind == quota::LimitKind::concurrency && drains(route, limit)) {
      least = std::min(least.value_or(limit.allowed), limit.allowed);
    }
  }
  return least;
}

json::Value instance_of(const engine::RunStatus& status, const engine::RouteProgress& route) {
  json::Value instance = to_json(route);
  const std::optional<double> slots = slots_of(status, route);
  json::Object& object = instance.as_object();
  object["instance"] = route.route;
  object.erase("route");
  object.erase("domains");
  object["in_flight_limit"] = slots.has_value() ? json::Value(*slots) : json::Value(nullptr);
  object["in_flight_use"] = use_of(static_cast<double>(route.in_flight), slots.value_or(0));
  object["limits"] = limits_of(status, route);
  return instance;
}

struct Provider {
  std::uint64_t in_flight = 0;
  std::uint64_t answered = 0;
  std::uint64_t throttled = 0;
  std::uint64_t failed = 0;
  json::Array instances;
};

json::Array providers_of(const engine::RunStatus& status) {
  std::map<std::string, Provider> providers;
  for (const engine::RouteProgress& route : status.routes) {
    Provider& provider = providers[provider_of(route)];
    provider.in_flight += route.in_flight;
    provider.answered += route.answered;
    provider.throttled += route.throttled;
    provider.failed += route.failed;
    provider.instances.push_back(instance_of(status, route));
  }
  json::Array all;
  for (auto& [name, provider] : providers) {
    all.push_back(json::Object{{"provider", name},
                               {"in_flight", provider.in_flight},
                               {"answered", provider.answered},
                               {"throttled", provider.throttled},
                               {"failed", provider.failed},
                               {"instances", std::move(provider.instances)}});
  }
  return all;
}

json::Value in_flight_of(const engine::RunStatus& status) {
  const auto limit_or_null = [](std::uint64_t limit) {
    return limit > 0 ? json::Value(limit) : json::Value(nullptr);
  };
  return json::Object{
      {"requests", status.in_flight},
      {"requests_limit", limit_or_null(status.in_flight_max)},
      {"requests_use",
       use_of(static_cast<double>(status.in_flight), static_cast<double>(status.in_flight_max))},
      {"dialogues", status.open},
      {"dialogues_limit", limit_or_null(status.open_max)},
      {"dialogues_use",
       use_of(static_cast<double>(status.open), static_cast<double>(status.open_max))},
      {"turns_waiting", status.waiting},
      {"turns_unfunded", status.unfunded}};
}

}  // namespace

json::Value levels_json(const engine::RunStatus& status) {
  json::Array ranges;
  for (const engine::ScenarioProgress& scenario : status.scenarios) {
    ranges.push_back(to_json(scenario));
  }
  return json::Object{{"providers", providers_of(status)},
                      {"cell_ranges", std::move(ranges)},
                      {"in_flight", in_flight_of(status)}};
}

}  // namespace sortie::monitor
