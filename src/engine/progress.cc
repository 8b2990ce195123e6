#include "sortie/engine/core.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a status says of scenarios and routes.

namespace sortie::engine {

std::vector<ScenarioProgress> Engine::Core::scenarios() const {
  std::vector<ScenarioProgress> all;
  std::map<std::pair<std::size_t, std::string_view>, std::size_t> places;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const spec::Cell& cell = context_.campaign->cells[i];
    for (const std::string& scenario : cell.scenarios) {
      const auto [entry, fresh] = places.emplace(std::pair(cell.model, scenario), all.size());
      if (fresh) {
        all.push_back({.model = context_.topology->models[cell.model].name,
                       .scenario = scenario,
                       .cells = 0,
                       .trials = {}});
      }
      ++all[entry->second].cells;
      all[entry->second].trials += counts_[i];
    }
  }
  return all;
}

std::vector<RouteProgress> Engine::Core::routes() const {
  std::vector<RouteProgress> all;
  const std::vector<sched::RouteStatus> routes = scheduler().route_status(now());
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const spec::Route& route = context_.topology->routes[i];
    if (models_[route.model].progress.planned == 0) {
      continue;
    }
    RouteProgress progress{.route = route.name,
                           .model = context_.topology->models[route.model].name,
                           .domains = {route.name},
                           .usable = routes[i].usable,
                           .reason = routes[i].reason,
                           .in_flight = routes[i].in_flight,
                           .answered = routes[i].answered,
                           .failed = routes[i].failed,
                           .throttled = routes[i].throttled,
                           .closed_for = std::nullopt,
                           .breaker_open = routes[i].usable && !routes[i].reason.empty(),
                           .latency_p50 = floor_.latency(i).quantile(0.5),
                           .latency_p95 = floor_.latency(i).quantile(0.95)};
    for (const std::size_t domain : route.domains) {
      progress.domains.push_back(context_.topology->domains[domain].name);
    }
    if (const auto until = routes[i].closed_until; until.has_value() && *until > now()) {
      progress.closed_for = *until - now();
    }
    all.push_back(std::move(progress));
  }
  return all;
}

/// A shared limit that nobody declared belongs to the routes of its members. Names under which no
/// limit is in force go.
void Engine::Core::add_domains(RunStatus& status) {
  for (RouteProgress& route : status.routes) {
    for (const SharedLimit& shared : status.shared_limits) {
      if (!shared.is_over && std::ranges::any_of(shared.members, [&](const std::string& member) {
            return std::ranges::find(route.domains, member) != route.domains.end();
          })) {
        route.domains.push_back(shared.name);
      }
    }
    std::erase_if(route.domains, [&](const std::string& domain) {
      return std::ranges::find(status.limits, domain, &LimitUse::domain) == status.limits.end();
    });
  }
}

}  // namespace sortie::engine
