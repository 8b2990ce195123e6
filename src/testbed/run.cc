#include "sortie/testbed/run.h"

#include "sortie/base/error.h"
#include "sortie/spec/model.h"
#include "sortie/testbed/campaign.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

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
  const spec::Topology topology =
      topology_of(instance.scenario, policy.knowledge, policy.knowledge_factor);
  const std::unique_ptr<Policy> player = make_policy(policy, topology, instance.seed);
  return Campaign(instance, policy, *player).run();
}

}  // namespace sortie::testbed
