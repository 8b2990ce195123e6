#pragma once

#include "sortie/base/error.h"
#include "sortie/sim/profile.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/workload.h"

#include <cstddef>
#include <string>
#include <vector>

// The shortest time in which a scenario's true limits allow the work that was drawn. Nothing here
// comes from a client: no estimate, no declared limit.

namespace sortie::testbed {

/// A key that serves a model; in the order of topology_of().
struct RouteRef {
  std::size_t key = 0;    // in Scenario::keys
  std::size_t model = 0;  // in Scenario::models
};

[[nodiscard]] std::vector<RouteRef> routes_of(const Scenario& scenario);

/// A pool that is really limited, and the routes that drain it.
struct TruePool {
  std::string name;       // as sim::LimitPools names it
  std::size_t limit = 0;  // in Scenario::limits
  std::vector<std::size_t> routes;
};

[[nodiscard]] std::vector<TruePool> true_pools(const Scenario& scenario);

/// An incident with its times in seconds.
struct TimedIncident {
  Incident what;
  double from = 0;
  double until = 0;
};

/// Seconds: the largest of
/// - the fluid programme: every limit's capacity until T, bursts, windows and incidents included,
///   must hold the work that is sent over it (bisection on T);
/// - the critical path: the longest dialogue;
/// - head–body–tail: requests that can neither begin before `a` nor end less than `b` before the
///   end must pass the limits in between.
[[nodiscard]] base::Result<double> truth_bound(const Scenario& scenario,
                                               const Workload& workload,
                                               const std::vector<TimedIncident>& incidents);

/// The scenario's incidents in seconds; shares are of the bound without incidents.
[[nodiscard]] base::Result<std::vector<TimedIncident>> timed_incidents(const Scenario& scenario,
                                                                       const Workload& workload);

}  // namespace sortie::testbed
