#include "sortie/engine/learned_limits.h"

#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/sched/bound.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

/// One model over so many keys, each with 60 requests a minute declared.
spec::Topology declared(std::size_t keys) {
  spec::Topology topology;
  topology.models.resize(1);
  topology.models[0].name = "m";
  for (std::size_t i = 0; i < keys; ++i) {
    const std::string name = "k" + std::to_string(i);
    topology.domains.push_back({.name = name, .limits = {{.quota = 60}}});
    spec::Route route;
    route.name = "e/" + name + "/m";
    route.key = i;
    route.domains = {i};
    topology.routes.push_back(route);
  }
  return topology;
}

quota::DomainStatus status_of(const std::string& name, const std::vector<quota::Limit>& limits) {
  quota::DomainStatus status;
  status.name = name;
  for (const quota::Limit& limit : limits) {
    status.limits.emplace_back().limit = limit;
  }
  return status;
}

std::vector<quota::DomainStatus> as_declared(const spec::Topology& topology) {
  std::vector<quota::DomainStatus> status;
  for (const quota::LimitDomain& domain : topology.domains) {
    status.push_back(status_of(domain.name, domain.limits));
  }
  return status;
}

double seconds_for(const spec::Topology& topology, double requests) {
  return sched::lower_bound_seconds(topology, {{.model = 0, .requests = requests}}).value();
}

TEST(LimitsInForce, a_limit_that_a_person_set_takes_the_place_of_the_declared_one) {
  const spec::Topology topology = declared(2);
  std::vector<quota::DomainStatus> status = as_declared(topology);
  const std::vector<sched::RouteStatus> routes(2);
  EXPECT_NEAR(seconds_for(with_limits_in_force(topology, status, {}, routes), 120), 60, 1e-6);
  status[0].limits[0].limit.quota = 180;
  EXPECT_NEAR(seconds_for(with_limits_in_force(topology, status, {}, routes), 120), 30, 1e-6);
}

TEST(LimitsInForce, a_route_that_is_out_lets_nothing_through) {
  const spec::Topology topology = declared(3);
  std::vector<sched::RouteStatus> routes(3);
  routes[1].usable = false;
  EXPECT_NEAR(seconds_for(with_limits_in_force(topology, as_declared(topology), {}, routes), 120),
              60,
              1e-6);
}

TEST(LimitsInForce, keys_found_to_share_a_limit_have_it_together) {
  const spec::Topology topology = with_pools(declared(2));
  std::vector<quota::DomainStatus> status = as_declared(topology);
  status.push_back(status_of("k0 + k1", {{.quota = 60, .learn = true}}));
  sched::SharedPool shared{.name = "k0 + k1", .members = {"k0", "k1"}, .since = {}};
  const std::vector<sched::RouteStatus> routes(2);
  EXPECT_NEAR(
      seconds_for(with_limits_in_force(topology, status, {shared}, routes), 120), 120, 1e-6);
  shared.is_over = true;
  EXPECT_NEAR(seconds_for(with_limits_in_force(topology, status, {shared}, routes), 120), 60, 1e-6);
}

TEST(LimitsInForce, without_a_limit_the_longest_dialogue_is_the_bound) {
  spec::Topology topology = declared(1);
  topology.domains.clear();
  topology.routes[0].domains.clear();
  topology = with_pools(topology);
  const std::vector<quota::DomainStatus> status = {status_of(topology.domains[0].name, {})};
  const auto seconds = sched::lower_bound_seconds(
      with_limits_in_force(topology, status, {}, std::vector<sched::RouteStatus>(1)),
      {{.model = 0, .requests = 100, .dialogue_seconds = 12}});
  EXPECT_NEAR(seconds.value(), 12, 1e-9);
}

}  // namespace
}  // namespace sortie::engine
