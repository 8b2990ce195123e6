#include "sortie/testbed/run.h"

#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"
#include "sortie/testbed/campaign.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

/// Pools of a client that knows no limits have the names of their routes.
std::optional<std::size_t> route_named(const spec::Topology& topology, const std::string& name) {
  const auto route = std::find_if(topology.routes.begin(),
                                  topology.routes.end(),
                                  [&](const spec::Route& one) { return one.name == name; });
  return route != topology.routes.end()
             ? std::optional(static_cast<std::size_t>(route - topology.routes.begin()))
             : std::nullopt;
}

using RoutePairs = std::set<std::pair<std::size_t, std::size_t>>;

void add_pairs(const std::vector<std::size_t>& routes, RoutePairs& pairs) {
  for (const std::size_t a : routes) {
    for (const std::size_t b : routes) {
      if (a < b) {
        pairs.insert({a, b});
      }
    }
  }
}

Sharing sharing_of(const Scenario& scenario,
                   const spec::Topology& topology,
                   const std::vector<sched::SharedPool>& found) {
  RoutePairs pairs;
  for (const TruePool& pool : true_pools(scenario)) {
    add_pairs(pool.routes, pairs);
  }
  Sharing result;
  result.pairs = pairs.size();
  for (const sched::SharedPool& shared : found) {
    std::vector<std::size_t> routes;
    for (const std::string& member : shared.members) {
      if (const auto route = route_named(topology, member); route && !shared.is_over) {
        routes.push_back(*route);
      }
    }
    RoutePairs told;
    add_pairs(routes, told);
    for (const auto& pair : told) {
      const bool is_right = pairs.contains(pair);
      (is_right ? result.found : result.wrong) += 1;
      const double seconds = base::seconds(shared.since - base::Instant());
      if (is_right) {
        result.first_seconds = std::min(result.first_seconds.value_or(seconds), seconds);
      }
    }
  }
  return result;
}

double per_accepted(std::uint64_t count, std::uint64_t accepted) {
  return static_cast<double>(count) / static_cast<double>(std::max<std::uint64_t>(1, accepted));
}

}  // namespace

base::Result<Instance> draw(const Scenario& scenario, std::uint64_t seed, double length_sigma) {
  std::vector<WorkloadShape> shapes;
  for (const ModelSpec& model : scenario.models) {
    shapes.push_back(model.work);
  }
  Instance instance{.scenario = scenario,
                    .seed = seed,
                    .workload = draw_workload(shapes, seed, length_sigma),
                    .incidents = {},
                    .bound = 0};
  TRY_ASSIGN(instance.incidents, timed_incidents(instance.scenario, instance.workload));
  TRY_ASSIGN(instance.bound, truth_bound(instance.scenario, instance.workload, instance.incidents));
  return instance;
}

double Outcome::eta() const {
  return makespan > 0 ? bound / makespan * per_accepted(accepted, planned) : 0;
}

double Outcome::rejection_rate() const {
  return per_accepted(rejected, accepted);
}

double Outcome::first_rejection_rate() const {
  return per_accepted(rejected_first, accepted);
}

double Outcome::spread() const {
  if (cell_finished.empty() || !(makespan > 0)) {
    return 0;
  }
  const auto [first, last] = std::minmax_element(cell_finished.begin(), cell_finished.end());
  return (*last - *first) / makespan;
}

Outcome play(const Instance& instance, const PolicySpec& policy) {
  spec::Topology topology =
      topology_of(instance.scenario, policy.knowledge, policy.knowledge_factor);
  for (quota::LimitDomain& domain : topology.domains) {
    for (quota::Limit& limit : domain.limits) {
      limit.learn = policy.learns;
    }
  }
  const std::unique_ptr<Policy> player = make_policy(policy, topology, instance.seed);
  Outcome outcome = Campaign(instance, policy, *player).run();
  outcome.reported = player->speed(outcome.makespan);
  outcome.sharing = sharing_of(instance.scenario, topology, player->shared_pools());
  return outcome;
}

}  // namespace sortie::testbed
