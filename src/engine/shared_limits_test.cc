#include "sortie/engine/shared_limits.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

/// Two keys of one endpoint, each with a route to both models.
spec::Topology two_keys() {
  spec::Topology topology;
  topology.models.resize(2);
  topology.models[0].name = "large";
  topology.models[1].name = "small";
  spec::Endpoint& endpoint = topology.endpoints.emplace_back();
  endpoint.name = "alpha";
  endpoint.keys.resize(2);
  endpoint.keys[0].name = "key-1";
  endpoint.keys[1].name = "key-2";
  for (const std::size_t key : {0U, 1U}) {
    for (const std::size_t model : {0U, 1U}) {
      spec::Route& route = topology.routes.emplace_back();
      route.name = "alpha/" + endpoint.keys[key].name + "/" + topology.models[model].name;
      route.key = key;
      route.model = model;
    }
  }
  return topology;
}

sched::SharedPool shared(std::vector<std::string> members) {
  return {.name = members[0] + " + " + members[1], .members = std::move(members), .since = {}};
}

TEST(SharedLimits, of_keys_are_declared_under_one_account_with_what_was_learned) {
  const auto pool = shared({"alpha/key-1/large", "alpha/key-2/large"});
  LimitUse use;
  use.domain = pool.name;
  use.limit = {.kind = quota::LimitKind::requests, .quota = 10, .window = std::chrono::seconds(1)};
  const SharedLimit limit = describe(pool, two_keys(), std::vector{use});
  EXPECT_EQ(limit.subject, "key-1 and key-2 of alpha");
  EXPECT_EQ(limit.members, pool.members);
  EXPECT_EQ(limit.declaration,
            (std::vector<std::string>{
                "keys:",
                "  key-1: {secret: …, account: alpha-shared}",
                "  key-2: {secret: …, account: alpha-shared}",
                "limits:",
                "  - {per: [account], requests_per_minute: 600, learn: true, models: [large], "
                "keys: [key-1, key-2]}"}));
}

TEST(SharedLimits, of_keys_of_one_account_only_lack_the_limit) {
  spec::Topology topology = two_keys();
  topology.endpoints[0].keys[0].account = "team";
  topology.endpoints[0].keys[1].account = "team";
  const SharedLimit limit =
      describe(shared({"alpha/key-1/large", "alpha/key-2/large"}), topology, {});
  ASSERT_EQ(limit.declaration.size(), 2U);
  EXPECT_EQ(limit.declaration[0], "limits:");
}

TEST(SharedLimits, of_models_of_one_key_need_no_account) {
  const SharedLimit limit =
      describe(shared({"alpha/key-2/large", "alpha/key-2/small"}), two_keys(), {});
  EXPECT_EQ(limit.subject, "large and small of alpha/key-2");
  EXPECT_EQ(limit.declaration,
            (std::vector<std::string>{"limits:",
                                      "  - {per: [key], requests_per_minute: …, models: [large, "
                                      "small], keys: [key-2]}"}));
}

}  // namespace
}  // namespace sortie::engine
