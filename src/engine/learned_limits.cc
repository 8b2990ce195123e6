#include "sortie/engine/learned_limits.h"

#include "sortie/engine/loss_meter.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/learner.h"
#include "sortie/quota/limit.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace sortie::engine {

namespace {

using quota::LimitKind;

/// As limits are declared: of a minute.
quota::Limit limit_of(const quota::LearnedLimit& learned) {
  quota::Limit limit{.kind = learned.kind, .cost = learned.cost, .learn = true};
  limit.window = std::chrono::minutes(1);
  const double window = learned.kind == LimitKind::concurrency ? 1 : base::seconds(limit.window);
  limit.quota = learned.value * window;
  return limit;
}

/// A domain for routes that drain one of the members.
void add_shared(const sched::SharedPool& shared, spec::Topology& topology) {
  const std::size_t found = topology.domains.size();
  topology.domains.push_back({.name = shared.name, .limits = {}});
  for (spec::Route& route : topology.routes) {
    const bool is_member = std::ranges::any_of(route.domains, [&](std::size_t domain) {
      return std::ranges::find(shared.members, topology.domains[domain].name) !=
             shared.members.end();
    });
    if (is_member) {
      route.domains.push_back(found);
    }
  }
}

}  // namespace

spec::Topology with_pools(const spec::Topology& topology) {
  spec::Topology pools = topology;
  for (spec::Route& route : pools.routes) {
    if (route.domains.empty()) {
      route.domains.push_back(pools.domains.size());
      pools.domains.push_back({.name = route.name, .limits = {}});
    }
  }
  return pools;
}

spec::Topology with_learned(const spec::Topology& pools,
                            const KnownLimits& known,
                            const LossMeter& meter,
                            double seconds) {
  spec::Topology result = pools;
  for (quota::LimitDomain& domain : result.domains) {
    std::erase_if(domain.limits, [](const quota::Limit& limit) { return limit.learn; });
  }
  for (const sched::SharedPool& shared : known.shared) {
    if (!shared.is_over) {
      add_shared(shared, result);
    }
  }
  for (const quota::PoolMemory& pool : known.learned) {
    const auto domain = std::ranges::find(result.domains, pool.pool, &quota::LimitDomain::name);
    if (domain == result.domains.end()) {
      continue;
    }
    const auto index = static_cast<std::size_t>(domain - result.domains.begin());
    const std::vector<std::size_t> accounts = accounts_of(result, index, meter);
    for (const quota::LearnedLimit& learned : pool.limits) {
      quota::Limit limit = limit_of(learned);
      const double delivered = meter.useful(accounts, limit) / seconds;
      limit.quota *= std::max(1.0, delivered / capacity_of(limit));
      domain->limits.push_back(limit);
    }
  }
  return result;
}

spec::Topology with_limits_in_force(const spec::Topology& pools,
                                    const std::vector<quota::DomainStatus>& domains,
                                    const std::vector<sched::SharedPool>& shared,
                                    const std::vector<sched::RouteStatus>& routes) {
  spec::Topology result = pools;
  for (const sched::SharedPool& one : shared) {
    if (!one.is_over) {
      add_shared(one, result);
    }
  }
  for (quota::LimitDomain& domain : result.domains) {
    domain.limits.clear();
    const auto status = std::ranges::find(domains, domain.name, &quota::DomainStatus::name);
    if (status != domains.end()) {
      std::ranges::transform(
          status->limits, std::back_inserter(domain.limits), &quota::LimitStatus::limit);
    }
  }
  std::vector<spec::Route> usable;
  for (std::size_t i = 0; i < result.routes.size(); ++i) {
    if (routes[i].usable) {
      usable.push_back(std::move(result.routes[i]));
    }
  }
  result.routes = std::move(usable);
  return result;
}

std::vector<std::size_t> accounts_of(const spec::Topology& learned,
                                     std::size_t domain,
                                     const LossMeter& meter) {
  if (domain < meter.domains()) {
    return {domain};
  }
  std::vector<std::size_t> accounts;
  for (const spec::Route& route : learned.routes) {
    if (std::ranges::find(route.domains, domain) == route.domains.end()) {
      continue;
    }
    for (const std::size_t other : route.domains) {
      if (other < meter.domains() && std::ranges::find(accounts, other) == accounts.end()) {
        accounts.push_back(other);
      }
    }
  }
  return accounts;
}

double confidence_in(const KnownLimits& known, const std::string& pool, LimitKind kind) {
  for (const quota::PoolMemory& one : known.learned) {
    if (one.pool != pool) {
      continue;
    }
    const auto limit = std::ranges::find(one.limits, kind, &quota::LearnedLimit::kind);
    if (limit != one.limits.end()) {
      return limit->confidence;
    }
  }
  return 1;
}

}  // namespace sortie::engine
