#pragma once

#include "sortie/engine/loss_meter.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/learner.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <string>
#include <vector>

// The account of a run's time where limits were learned: what the scheduler believes at the end
// stands in for what nobody declared.

namespace sortie::engine {

/// The same topology with a limit domain for each route that has none, in the order of
/// sched::Scheduler::domain_status(): whatever may turn out to be limited has an account.
[[nodiscard]] spec::Topology with_pools(const spec::Topology& topology);

/// What is known of limits when a run ends.
struct KnownLimits {
  std::vector<quota::PoolMemory> learned;  // sched::Scheduler::learned()
  std::vector<sched::SharedPool> shared;   // sched::Scheduler::shared_pools()
};

/// `pools` (of with_pools()) with the learned limits, which are marked `learn`. A limit that is
/// only where learning starts is replaced by what was learned. An estimate is at least what answers
/// took in `seconds`, so that no run is faster than its bound. Pools that were found to be one
/// limit get a domain of their own.
[[nodiscard]] spec::Topology with_learned(const spec::Topology& pools,
                                          const KnownLimits& known,
                                          const LossMeter& meter,
                                          double seconds);

/// `pools` (of with_pools()) under the limits that are in force at this moment: declared, set by a
/// person, or learned as far as they are known. `domains`: sched::Scheduler::domain_status().
/// Routes that are not usable are left out.
[[nodiscard]] spec::Topology with_limits_in_force(const spec::Topology& pools,
                                                  const std::vector<quota::DomainStatus>& domains,
                                                  const std::vector<sched::SharedPool>& shared,
                                                  const std::vector<sched::RouteStatus>& routes);

/// The domains of `pools` that a limit of this domain of with_learned() bounds together.
[[nodiscard]] std::vector<std::size_t> accounts_of(const spec::Topology& learned,
                                                   std::size_t domain,
                                                   const LossMeter& meter);

/// From 0 to 1: how sure the scheduler is of the learned limit of that pool and kind.
[[nodiscard]] double confidence_in(const KnownLimits& known,
                                   const std::string& pool,
                                   quota::LimitKind kind);

}  // namespace sortie::engine
