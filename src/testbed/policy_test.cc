#include "sortie/testbed/policy.h"

#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/testbed/building_blocks.h"
#include "sortie/testbed/scenario.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::testbed {
namespace {

using std::chrono::seconds;

base::Instant at(double time) {
  return base::Instant() + base::from_seconds(time);
}

quota::Signal refusal(std::optional<base::Duration> wait) {
  quota::Signal signal;
  signal.kind = quota::SignalClass::throttle;
  signal.wait = wait;
  return signal;
}

/// A policy with its world around it.
class PolicyTest : public testing::Test {
 protected:
  void build(const CommonOptions& options, Scenario scenario) {
    scenario_ = std::move(scenario);
    topology_ = topology_of(scenario_, Knowledge::declared);
    spec_ = {.name = "test", .summary = {}, .kind = PolicyKind::common, .common = options};
    policy_ = make_policy(spec_, topology_, 1);
  }

  void open(std::uint32_t number, std::size_t cell = 0) {
    policy_->opened({number}, {.model = 0, .number = number, .cell = cell});
    add(number);
  }

  void add(std::uint32_t ticket, double time = 0) {
    policy_->add({.ticket = {ticket}, .input_tokens = 100, .output_tokens = 10}, at(time));
  }

  std::vector<sched::Assignment> decide(double time) {
    std::vector<sched::Assignment> out;
    policy_->decide(at(time), out);
    return out;
  }

  Scenario scenario_;
  spec::Topology topology_;
  PolicySpec spec_;
  std::unique_ptr<Policy> policy_;
};

TEST_F(PolicyTest, workers_keep_a_dialogue_until_it_ends) {
  build({.workers = 2}, one_model("s", "", {rpm(600)}));
  EXPECT_EQ(policy_->wants_open(0), 2U);
  open(0);
  open(1);
  EXPECT_EQ(policy_->wants_open(0), 0U);
  const auto sent = decide(0);
  ASSERT_EQ(sent.size(), 2U);
  policy_->answered(sent[0], 100, 10, {}, {}, at(1));
  EXPECT_EQ(policy_->wants_open(0), 1U);
}

TEST_F(PolicyTest, keys_are_chosen_by_task_or_by_cell) {
  const Scenario scenario = one_model("s", "", {rpm(600), rpm(600), rpm(600)});
  const std::vector<std::pair<KeyChoice, std::vector<std::size_t>>> cases = {
      {KeyChoice::task, {0, 1, 2, 0}}, {KeyChoice::cell, {0, 0, 1, 1}}};
  for (const auto& [choice, expected] : cases) {
    build({.choice = choice, .workers = 10}, scenario);
    for (std::uint32_t number = 0; number < 4; ++number) {
      open(number, number / 2);
    }
    std::vector<std::size_t> route(4);
    for (const sched::Assignment& assignment : decide(0)) {
      route[assignment.ticket.value] = assignment.route;
    }
    EXPECT_EQ(route, expected);
  }
}

TEST_F(PolicyTest, a_refused_worker_rests_for_the_hint_or_for_its_own_time) {
  build({.workers = 1}, one_model("s", "", {rpm(600)}));
  open(0);
  policy_->failed(decide(0).at(0), refusal(seconds(7)), at(0));
  EXPECT_EQ(policy_->next_decision(at(0)), at(7));
  EXPECT_TRUE(decide(6).empty());
  policy_->failed(decide(7).at(0), refusal(std::nullopt), at(7));
  EXPECT_EQ(policy_->next_decision(at(7)), at(9));
}

TEST_F(PolicyTest, a_shuffle_leaves_a_key_alone_that_refused) {
  build({.choice = KeyChoice::shuffle, .workers = 20}, one_model("s", "", {rpm(600), rpm(60)}));
  open(0);
  const sched::Assignment first = decide(0).at(0);
  policy_->failed(first, refusal(seconds(30)), at(0));
  const sched::Assignment second = decide(0).at(0);
  EXPECT_NE(first.route, second.route);
  policy_->failed(second, refusal(std::nullopt), at(1));
  EXPECT_TRUE(decide(1).empty());
  EXPECT_EQ(policy_->next_decision(at(1)), at(5));
}

TEST_F(PolicyTest, a_shuffle_follows_the_declared_limits) {
  build({.choice = KeyChoice::shuffle, .workers = 1000}, one_model("s", "", {rpm(600), rpm(60)}));
  for (std::uint32_t number = 0; number < 1000; ++number) {
    open(number);
  }
  std::size_t large = 0;
  for (const sched::Assignment& assignment : decide(0)) {
    large += assignment.route == 0 ? 1U : 0U;
  }
  EXPECT_NEAR(static_cast<double>(large), 1000 * 10.0 / 11, 40);
}

TEST_F(PolicyTest, a_window_grows_with_answers_and_shrinks_once_an_episode) {
  build({.workers = 100, .window_max = 8}, one_model("s", "", {rpm(600)}));
  for (std::uint32_t number = 0; number < 30; ++number) {
    open(number);
  }
  std::vector<sched::Assignment> sent = decide(20);
  ASSERT_EQ(sent.size(), 1U);
  std::vector<std::size_t> sizes;
  for (int round = 0; round < 4; ++round) {
    for (const sched::Assignment& assignment : sent) {
      policy_->answered(assignment, 100, 10, {}, {}, at(20));
    }
    sent = decide(20);
    sizes.push_back(sent.size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 4, 8, 8}));
  for (const sched::Assignment& assignment : sent) {
    policy_->failed(assignment, refusal(std::nullopt), at(20));
  }
  EXPECT_EQ(decide(20).size(), 6U);
}

TEST_F(PolicyTest, a_bucket_lets_a_minutes_quota_through_at_once) {
  build({.workers = 1000, .bucket_share = 0.5}, one_model("s", "", {rpm(60)}));
  for (std::uint32_t number = 0; number < 100; ++number) {
    open(number);
  }
  EXPECT_EQ(decide(0).size(), 30U);
  EXPECT_EQ(policy_->next_decision(at(0)), at(2));
  EXPECT_EQ(decide(2).size(), 1U);
}

TEST_F(PolicyTest, a_dead_key_costs_a_worker_its_dialogue) {
  build({.workers = 1}, one_model("s", "", {rpm(600)}));
  open(0);
  quota::Signal signal;
  signal.kind = quota::SignalClass::auth;
  EXPECT_EQ(policy_->failed(decide(0).at(0), signal, at(1)).verdict, sched::Verdict::give_up);
  EXPECT_EQ(policy_->wants_open(0), 1U);
}

TEST(Policies, have_names_of_their_own) {
  std::set<std::string> names;
  for (const PolicySpec& policy : policies()) {
    EXPECT_TRUE(names.insert(policy.name).second) << policy.name;
    EXPECT_EQ(find_policy(policy.name), &policy);
    EXPECT_FALSE(policy.summary.empty());
  }
  EXPECT_EQ(find_policy("no-such"), nullptr);
}

}  // namespace
}  // namespace sortie::testbed
