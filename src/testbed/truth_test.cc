#include "sortie/testbed/truth.h"

#include "sortie/sim/profile.h"
#include "sortie/testbed/building_blocks.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/workload.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::testbed {
namespace {

/// So many dialogues of so many turns, each turn one second, 100 tokens in and 10 out.
Workload even(std::size_t dialogues, std::uint32_t turns, std::uint32_t model = 0) {
  Workload workload;
  for (std::size_t i = 0; i < dialogues; ++i) {
    workload.dialogues.push_back({.model = model,
                                  .cell = 0,
                                  .first_turn = workload.turns.size(),
                                  .turns = turns,
                                  .length_error = 1});
    workload.turns.insert(workload.turns.end(), turns, {.input = 100, .output = 10, .seconds = 1});
  }
  workload.cells = 1;
  workload.output_max.assign(model + 1, 1000);
  return workload;
}

double bound_of(const Scenario& scenario,
                const Workload& workload,
                const std::vector<TimedIncident>& incidents = {}) {
  return truth_bound(scenario, workload, incidents).value();
}

TEST(TruthBound, is_the_work_over_all_limits_less_their_bursts) {
  // 600 + 300 + 300 a minute are 20 a second, with bursts of 10, 5 and 5.
  const Scenario scenario = one_model("s", "", {rpm(600), rpm(300), rpm(300)});
  EXPECT_NEAR(bound_of(scenario, even(2000, 1)), (2000 - 20) / 20.0 + 1, 0.01);
}

TEST(TruthBound, counts_tokens_by_the_limits_own_rule) {
  const auto bound = [](sim::TokenCost cost) {
    return bound_of(one_model("s", "", {tpm(600'000, cost)}), even(10'000, 1));
  };
  const double burst = 32'000;
  EXPECT_NEAR(bound(sim::TokenCost::input), (10'000 * 100 - burst) / 10'000 + 1, 0.05);
  EXPECT_NEAR(bound(sim::TokenCost::input_output), (10'000 * 110 - burst) / 10'000 + 1, 0.05);
  EXPECT_NEAR(
      bound(sim::TokenCost::input_and_max_tokens), (10'000 * 1100 - burst) / 10'000 + 1, 0.1);
}

TEST(TruthBound, gives_a_window_one_quota_for_each_that_is_touched) {
  sim::LimitProfile limit;
  limit.name = "rpm";
  limit.quota = 100;
  limit.shape = sim::Shape::fixed_aligned;
  // 250 requests need the third window, which begins after two minutes.
  EXPECT_NEAR(bound_of(one_model("s", "", {limit}), even(250, 1)), 121, 0.01);
}

TEST(TruthBound, is_the_service_time_over_the_slots) {
  EXPECT_NEAR(bound_of(one_model("s", "", {slots(4), slots(6)}), even(500, 2)), 100, 0.01);
}

TEST(TruthBound, is_never_less_than_the_longest_dialogue) {
  EXPECT_NEAR(bound_of(one_model("s", "", {slots(1000)}), even(10, 50)), 50, 0.01);
}

TEST(TruthBound, adds_what_must_follow_the_last_request) {
  // All dialogues begin at once; second turns cannot be admitted before the first second, and a
  // second passes after the last of them: the limit works in between.
  const Scenario scenario = one_model("s", "", {rpm(60)});
  EXPECT_GE(bound_of(scenario, even(100, 2)), 199 + 1 - 0.01);
}

TEST(TruthBound, leaves_out_what_a_revoked_key_would_have_done) {
  const Scenario scenario = one_model("s", "", {rpm(600), rpm(600)});
  const Workload workload = even(4000, 1);
  const double whole = bound_of(scenario, workload);
  const Incident revoked{.kind = IncidentKind::key_revoked, .key = "key-1"};
  const double rest =
      bound_of(scenario,
               workload,
               {{.what = revoked, .from = 50, .until = std::numeric_limits<double>::infinity()}});
  EXPECT_NEAR(whole, (4000 - 20) / 20.0 + 1, 0.1);
  // 20 a second for 50 s, then 10 a second.
  EXPECT_NEAR(rest, 50 + (4000 - 20 - 1000) / 10.0 + 1, 0.1);
}

TEST(TruthBound, a_shared_limit_outlives_one_of_its_keys) {
  Scenario scenario = one_model("s", "", {});
  scenario.keys = keys(2);
  for (KeySpec& key : scenario.keys) {
    key.account = "account";
  }
  scenario.limits = {of_account(rpm(600))};
  const Incident revoked{.kind = IncidentKind::key_revoked, .key = "key-1"};
  const Workload workload = even(1000, 1);
  EXPECT_NEAR(
      bound_of(scenario, workload),
      bound_of(scenario,
               workload,
               {{.what = revoked, .from = 10, .until = std::numeric_limits<double>::infinity()}}),
      0.01);
}

TEST(TruthBound, halves_with_a_limit_that_is_halved_for_a_time) {
  const Scenario scenario = one_model("s", "", {rpm(600)});
  const Incident halved{.kind = IncidentKind::limits_scaled, .key = {}, .factor = 0.5};
  EXPECT_NEAR(bound_of(scenario, even(2000, 1), {{.what = halved, .from = 20, .until = 60}}),
              (2000 - 10) / 10.0 + 20 + 1,
              0.1);
}

TEST(TruthBound, sends_each_model_where_it_may_go) {
  // The first model may use key 1 alone, the second both: it leaves key 1 to the first.
  Scenario scenario = one_model("s", "", {rpm(600), rpm(600)});
  scenario.models = {{.name = "first", .work = {}, .keys = {"key-1"}},
                     {.name = "second", .work = {}, .keys = {}}};
  Workload workload = even(1000, 1);
  const Workload other = even(1000, 1, 1);
  for (Dialogue dialogue : other.dialogues) {
    dialogue.first_turn += workload.turns.size();
    workload.dialogues.push_back(dialogue);
  }
  workload.turns.insert(workload.turns.end(), other.turns.begin(), other.turns.end());
  workload.output_max = {1000, 1000};
  EXPECT_NEAR(bound_of(scenario, workload), (2000 - 20) / 20.0, 1.1);
}

TEST(TruthBound, says_so_when_the_work_can_never_be_done) {
  const Scenario scenario = one_model("s", "", {rpm(600)});
  const Incident revoked{.kind = IncidentKind::key_revoked, .key = {}};
  const auto bound = truth_bound(
      scenario,
      even(2000, 1),
      {{.what = revoked, .from = 20, .until = std::numeric_limits<double>::infinity()}});
  EXPECT_FALSE(bound.has_value());
}

TEST(TrueWorld, pools_and_routes_follow_what_a_limit_names) {
  Scenario scenario = one_model("s", "", {});
  scenario.keys = keys(2);
  scenario.models.push_back({.name = "other", .work = {}, .keys = {"key-2"}});
  scenario.limits = {of_key_and_model(rpm(60)), rpm_sliding(60)};
  scenario.limits[1].name = "per-key";
  EXPECT_EQ(routes_of(scenario).size(), 3U);
  const std::vector<TruePool> pools = true_pools(scenario);
  ASSERT_EQ(pools.size(), 5U);
  EXPECT_EQ(pools.back().name, "per-key/key-2");
  EXPECT_EQ(pools.back().routes.size(), 2U);
}

}  // namespace
}  // namespace sortie::testbed
