#include "sortie/testbed/run.h"

#include "sortie/testbed/policy.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/scenarios.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace sortie::testbed {
namespace {

constexpr double kTenth = 0.1;

Instance instance_of(const std::string& scenario, std::uint64_t seed) {
  const Scenario* found = find_scenario(scenario);
  EXPECT_NE(found, nullptr) << scenario;
  return draw(scaled(*found, kTenth), seed).value();
}

Outcome outcome_of(const std::string& scenario, const std::string& policy, std::uint64_t seed) {
  return play(instance_of(scenario, seed), *find_policy(policy));
}

TEST(Run, no_policy_is_faster_than_the_bound_in_any_scenario) {
  for (const Scenario& scenario : scenarios()) {
    const Instance instance = draw(scaled(scenario, kTenth), 1).value();
    for (const PolicySpec& policy : policies()) {
      const Outcome outcome = play(instance, policy);
      EXPECT_FALSE(outcome.is_impossible()) << scenario.name << " " << policy.name;
      EXPECT_GT(outcome.eta(), 0) << scenario.name << " " << policy.name;
    }
  }
}

TEST(Run, declared_limits_are_never_exceeded_and_no_gate_is_passed) {
  for (const std::string scenario : {"A", "B", "C", "D", "E", "F", "G", "faults"}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const Outcome outcome = outcome_of(scenario, "sortie", seed);
      EXPECT_EQ(outcome.over_declared, 0U) << scenario;
      EXPECT_EQ(outcome.gate_violations, 0U) << scenario;
      EXPECT_EQ(outcome.rejected + outcome.rejected_first, 0U) << scenario;
      EXPECT_LE(outcome.overrun, 1e-9) << scenario;
    }
  }
}

TEST(Run, answers_every_turn_once) {
  const Instance instance = instance_of("E", 7);
  const Outcome outcome = play(instance, *find_policy("sortie"));
  EXPECT_EQ(outcome.accepted, instance.workload.turns.size());
  EXPECT_EQ(outcome.lost, 0U);
}

TEST(Run, the_audit_catches_clients_that_ask_too_much_or_too_early) {
  const Outcome pool = outcome_of("A", "pool-100", 1);
  EXPECT_GT(pool.over_declared, 0U);
  EXPECT_GT(pool.gate_violations, 0U);
  EXPECT_GT(pool.overrun, 0.05);
  EXPECT_GT(pool.rejected, 0U);
}

TEST(Run, rejections_before_a_limits_first_recovery_are_counted_apart) {
  const Outcome outcome = outcome_of("D", "sortie-hidden", 1);
  EXPECT_GT(outcome.rejected_first, 0U);
  EXPECT_EQ(outcome.over_declared, 0U);  // nothing was declared
}

TEST(Run, hung_requests_cost_a_dialogue_time_and_nothing_else) {
  Scenario scenario = scaled(*find_scenario("A"), kTenth);
  scenario.hung = 0.02;
  const Outcome outcome = play(draw(scenario, 1).value(), *find_policy("sortie"));
  EXPECT_EQ(outcome.lost, 0U);
  EXPECT_GT(outcome.failed, 10U);
  EXPECT_GT(outcome.waste, 0.01);
}

TEST(Run, an_outage_and_a_bad_hour_lose_no_dialogue) {
  for (const std::string scenario : {"outage", "faults"}) {
    for (const std::string policy : {"sortie", "sortie-hidden"}) {
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const Outcome outcome =
            play(draw(*find_scenario(scenario), seed).value(), *find_policy(policy));
        EXPECT_EQ(outcome.lost, 0U) << scenario << " " << policy << " " << seed;
      }
    }
  }
}

TEST(Run, work_that_is_given_up_is_no_speed) {
  // One worker per key and a key that dies: its dialogues are lost.
  const Outcome outcome = outcome_of("dead", "pool-30", 1);
  EXPECT_GT(outcome.lost, 0U);
  EXPECT_LT(outcome.accepted, outcome.planned);
  EXPECT_FALSE(outcome.is_impossible());
  EXPECT_LT(outcome.eta(), outcome.bound / outcome.makespan);
}

TEST(Run, finds_two_keys_that_share_a_limit_and_nothing_else) {
  std::size_t found = 0;
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    const Outcome pair =
        play(draw(*find_scenario("pair"), seed).value(), *find_policy("sortie-joined"));
    EXPECT_EQ(pair.sharing.pairs, 1U);
    EXPECT_EQ(pair.sharing.wrong, 0U);
    found += pair.sharing.found;
    const Outcome equal =
        play(draw(*find_scenario("F"), seed).value(), *find_policy("sortie-joined"));
    EXPECT_EQ(equal.sharing.pairs, 0U);
    EXPECT_EQ(equal.sharing.wrong, 0U);
  }
  EXPECT_GE(found, 2U);
}

TEST(Run, headers_never_slow_a_declared_limit_down) {
  for (const std::string name : {"headers", "told-sliding", "told-fixed", "told-tokens"}) {
    Instance with = draw(scaled(*find_scenario(name), 0.3), 1).value();
    ASSERT_TRUE(with.scenario.headers);
    Instance without = with;
    without.scenario.headers = false;
    const Outcome told = play(with, *find_policy("sortie"));
    const Outcome untold = play(without, *find_policy("sortie"));
    EXPECT_EQ(told.makespan, untold.makespan) << name;
    EXPECT_EQ(told.gate_violations + told.over_declared + told.rejected, 0U) << name;
  }
}

TEST(Run, headers_do_not_slow_down_what_is_learned_either) {
  for (const std::string name : {"told-sliding", "told-fixed", "told-tokens"}) {
    Instance with = draw(scaled(*find_scenario(name), 0.5), 1).value();
    Instance without = with;
    without.scenario.headers = false;
    const Outcome told = play(with, *find_policy("sortie-hidden"));
    const Outcome untold = play(without, *find_policy("sortie-hidden"));
    EXPECT_GE(told.eta(), untold.eta() - 0.03) << name;
    EXPECT_LE(told.rejection_rate(), 0.01) << name;
    EXPECT_EQ(told.gate_violations, 0U) << name;
  }
}

TEST(Run, reports_a_fraction_near_the_true_one_where_limits_were_learned) {
  for (const std::string scenario : {"A", "B", "C", "D", "E", "F"}) {
    for (const std::uint64_t seed : {1U, 2U}) {
      const Outcome outcome =
          play(draw(*find_scenario(scenario), seed).value(), *find_policy("sortie-hidden"));
      ASSERT_TRUE(outcome.reported.has_value()) << scenario;
      EXPECT_TRUE(outcome.reported->is_estimate) << scenario;
      EXPECT_GT(outcome.reported->confidence, 0) << scenario;
      EXPECT_LE(outcome.reported->fraction(), 1) << scenario;
      EXPECT_NEAR(outcome.reported->fraction(), outcome.eta(), 0.03) << scenario << " " << seed;
      RecordProperty(scenario + std::to_string(seed),
                     std::to_string(outcome.reported->fraction() - outcome.eta()));
    }
  }
}

TEST(Run, reports_no_more_than_the_whole_whatever_becomes_of_the_limits) {
  for (const Scenario& scenario : scenarios()) {
    for (const std::string policy : {"sortie-hidden", "sortie-learn-low", "sortie-joined"}) {
      const Outcome outcome = play(draw(scaled(scenario, kTenth), 3).value(), *find_policy(policy));
      if (outcome.reported) {
        EXPECT_LE(outcome.reported->fraction(), 1 + 1e-9) << scenario.name << " " << policy;
        EXPECT_GE(outcome.reported->fraction(), 0) << scenario.name << " " << policy;
      }
    }
  }
}

TEST(Run, is_the_same_each_time) {
  const Outcome first = outcome_of("faults", "sortie", 3);
  const Outcome second = outcome_of("faults", "sortie", 3);
  EXPECT_EQ(first.makespan, second.makespan);
  EXPECT_EQ(first.answered_by_route, second.answered_by_route);
  EXPECT_EQ(first.cell_finished, second.cell_finished);
}

}  // namespace
}  // namespace sortie::testbed
