#include "sortie/testbed/tables.h"

#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/scenarios.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::testbed {
namespace {

TEST(Targets, speak_of_scenarios_and_policies_that_exist) {
  for (const Target& target : targets()) {
    EXPECT_NE(find_scenario(target.scenario), nullptr) << target.scenario;
    EXPECT_NE(find_policy(target.policy), nullptr) << target.policy;
  }
  std::set<std::string> names;
  for (const Scenario& scenario : scenarios()) {
    EXPECT_TRUE(names.insert(scenario.name).second) << scenario.name;
    EXPECT_FALSE(scenario.summary.empty()) << scenario.name;
  }
}

TEST(Targets, are_met_from_above_by_eta_and_from_below_by_the_rest) {
  const Target eta{.scenario = "A", .policy = "sortie", .metric = Metric::eta, .limit = 0.97};
  EXPECT_TRUE(eta.is_met_by(0.97));
  EXPECT_FALSE(eta.is_met_by(0.96));
  const Target lost{.scenario = "A", .policy = "sortie", .metric = Metric::lost, .limit = 0};
  EXPECT_TRUE(lost.is_met_by(0));
  EXPECT_FALSE(lost.is_met_by(1));
}

TEST(Values, are_medians_of_rates_and_the_worst_of_counts) {
  std::vector<Outcome> outcomes(3);
  for (int i = 0; i < 3; ++i) {
    Outcome& outcome = outcomes[static_cast<std::size_t>(i)];
    outcome.bound = 90;
    outcome.makespan = 100 + 100 * i;
    outcome.planned = 100;
    outcome.accepted = 100;
    outcome.rejected = static_cast<std::uint64_t>(i);
    outcome.gate_violations = 1;
    outcome.over_declared = static_cast<std::uint64_t>(i);
    outcome.model_finished = {outcome.makespan, outcome.makespan / 2};
  }
  EXPECT_DOUBLE_EQ(value_of(Metric::eta, outcomes), 0.45);
  EXPECT_DOUBLE_EQ(value_of(Metric::rejections, outcomes), 0.01);
  EXPECT_DOUBLE_EQ(value_of(Metric::audit, outcomes), 3);
  EXPECT_DOUBLE_EQ(value_of(Metric::model_gap, outcomes), 0.5);
  EXPECT_DOUBLE_EQ(median({4, 1, 2, 3}), 2.5);
}

TEST(Multiples, three_keys_are_three_times_as_fast_as_one) {
  const Multiple& row = multiples().front();
  const PolicySpec& policy = *find_policy(row.policy_many);
  const Outcome few = play(draw(row.few, 1).value(), policy);
  const Outcome many = play(draw(row.many, 1).value(), policy);
  EXPECT_GE(few.makespan / many.makespan, row.at_least);
  EXPECT_LE(few.makespan / many.makespan, 3);
}

TEST(Multiples, describe_the_same_work_on_both_sides) {
  for (const Multiple& row : multiples()) {
    double few = 0;
    double many = 0;
    for (const ModelSpec& model : row.few.models) {
      few += static_cast<double>(model.work.dialogues);
    }
    for (const ModelSpec& model : row.many.models) {
      many += static_cast<double>(model.work.dialogues);
    }
    EXPECT_DOUBLE_EQ(row.work * few, many) << row.name;
    EXPECT_NE(find_policy(row.policy_few), nullptr);
    EXPECT_NE(find_policy(row.policy_many), nullptr);
  }
}

}  // namespace
}  // namespace sortie::testbed
