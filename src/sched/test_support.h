#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

// What the tests of this module share. Not used by the product.

namespace sortie::sched::test {

inline constexpr base::Instant kStart{};

inline base::Instant at(double seconds) {
  return kStart + base::from_seconds(seconds);
}

/// `per_minute` requests, enforced over every second.
inline quota::Limit rpm(double per_minute) {
  return {.kind = quota::LimitKind::requests,
          .quota = per_minute,
          .window = std::chrono::minutes(1),
          .enforced_over = std::chrono::seconds(1)};
}

inline quota::Limit tpm(double per_minute) {
  return {.kind = quota::LimitKind::tokens, .quota = per_minute, .window = std::chrono::minutes(1)};
}

inline quota::Limit slots(double count) {
  return {.kind = quota::LimitKind::concurrency, .quota = count};
}

inline quota::Signal signal(quota::SignalClass kind) {
  quota::Signal result;
  result.kind = kind;
  return result;
}

inline quota::Signal signal(quota::SignalClass kind, base::Duration wait) {
  quota::Signal result = signal(kind);
  result.wait = wait;
  return result;
}

/// Builds a topology piece by piece.
class World {
 public:
  std::size_t model(const std::string& name) {
    topology_.models.emplace_back();
    topology_.models.back().name = name;
    return topology_.models.size() - 1;
  }

  std::size_t endpoint(const std::string& name) {
    topology_.endpoints.emplace_back();
    topology_.endpoints.back().name = name;
    return topology_.endpoints.size() - 1;
  }

  std::size_t domain(const std::string& name, std::vector<quota::Limit> limits) {
    topology_.domains.push_back({.name = name, .limits = std::move(limits)});
    return topology_.domains.size() - 1;
  }

  /// Each call is a key of its own, unless `key` names one.
  std::size_t route(std::size_t model, std::size_t endpoint, std::vector<std::size_t> domains) {
    return route(model, endpoint, std::move(domains), 100 + topology_.routes.size());
  }

  std::size_t route(std::size_t model,
                    std::size_t endpoint,
                    std::vector<std::size_t> domains,
                    std::size_t key) {
    spec::Route& added = topology_.routes.emplace_back();
    added.name = topology_.endpoints[endpoint].name + "/" + std::to_string(topology_.routes.size());
    added.endpoint = endpoint;
    added.key = key;
    added.model = model;
    added.api_name = topology_.models[model].name;
    added.domains = std::move(domains);
    return topology_.routes.size() - 1;
  }

  [[nodiscard]] const spec::Topology& topology() const { return topology_; }

 private:
  spec::Topology topology_;
};

/// Routes without limits stand for routes that are open.
inline SchedulerOptions without_ramp(SchedulerOptions options = {}) {
  options.ramp = false;
  return options;
}

}  // namespace sortie::sched::test
