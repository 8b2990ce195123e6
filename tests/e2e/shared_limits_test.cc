#include "sortie/engine/engine.h"
#include "sortie/quota/limit.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/load.h"

#include "e2e/campaign_world.h"
#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Two keys of one account behind one limit that nobody declared: what the ledgers and the status of
// campaigns say of it.

namespace sortie {
namespace {

constexpr const char* kEndpoints = R"(version: 1
models:
  sim-large: {family: sim, size_b: 72, price: {input: 5, output: 15}, sampling: {max_tokens: 600}}
endpoints:
  a:
    dialect: openai
    base_url: http://127.0.0.1:1001/v1
    simulated: true
    keys: {key-1: "env:UNUSED", key-2: "env:UNUSED"}
    routes: [sim-large]
)";

constexpr const char* kProviders = R"(version: 1
seed: 3
providers:
  p:
    listen: 127.0.0.1:1001
    models:
      sim-large: {skill: 0.8, ttft_ms: {median: 200, sigma: 0.3}, ms_per_output_token: {median: 2, sigma: 0.2}, price_input: 5, price_output: 15}
    keys: {key-1: {key: key-1, account: team}, key-2: {key: key-2, account: team}}
    limits: [{per: [account], requests_per_minute: 600, shape: sliding, enforced_over: 1s, headers: false}]
)";

constexpr const char* kPool = "a/key-1/sim-large + a/key-2/sim-large";

std::string campaign(const std::string& name, int seed) {
  return fmt::format(
      "version: 1\nname: {}\nsuite: pilot/1\nseed: {}\nmodels: [sim-large]\nscenarios: [baseline]\n"
      "instances: 10\n",
      name,
      seed);
}

TEST(SharedLimits, that_an_earlier_run_found_stand_in_every_ledger_and_in_the_status) {
  World world(kEndpoints, {campaign("a", 7), campaign("b", 8)}, kProviders);
  engine::EngineOptions options;
  options.scheduling.shared_limits = sched::SharedLimits::paced;
  options.scheduling.remembered = {
      {.pool = kPool,
       .limits = {{.kind = quota::LimitKind::requests, .value = 10, .confidence = 1}}}};
  const auto outcomes = world.run_together(options);
  world.expect_sound();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ASSERT_EQ(outcomes[i].end, engine::RunEnd::complete) << outcomes[i].message;
    EXPECT_EQ(world.count(fmt::format("SELECT count(*) FROM event WHERE kind = 'pools_shared' AND "
                                      "subject = '{}' AND detail ->> '$.members[1]' = "
                                      "'a/key-2/sim-large' AND detail ->> '$.over' = 0 AND "
                                      "detail ->> '$.subject' = 'key-1 and key-2 of a'",
                                      kPool),
                          i),
              1);
    const auto& shared = outcomes[i].status.shared_limits;
    ASSERT_EQ(shared.size(), 1U);
    EXPECT_FALSE(shared[0].is_over);
    EXPECT_TRUE(shared[0].is_remembered);
    ASSERT_EQ(shared[0].declaration.size(), 5U);
    EXPECT_EQ(shared[0].declaration[1], "  key-1: {secret: …, account: a-shared}");
    // What is proposed can be written as it is.
    std::string endpoints = kEndpoints;
    for (const std::string& line : {shared[0].declaration[3], shared[0].declaration[4]}) {
      endpoints += "    " + line + "\n";
    }
    const auto topology = spec::parse_endpoints(endpoints, "endpoints.yaml");
    ASSERT_TRUE(topology.has_value()) << topology.error().message;
    ASSERT_EQ(topology->domains.size(), 2U) << "the keys' accounts are their own still";
    EXPECT_TRUE(topology->domains[0].limits.at(0).learn);
  }
}

TEST(SharedLimits, are_nothing_to_report_where_there_are_none) {
  World world(kEndpoints, campaign("a", 7), kProviders);
  const auto outcome = world.run();
  EXPECT_TRUE(outcome.status.shared_limits.empty());
  EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'pools_shared'"), 0);
}

}  // namespace
}  // namespace sortie
