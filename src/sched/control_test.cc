#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_support.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

// A person's decisions while a campaign runs.

namespace sortie::sched {
namespace {

using quota::LimitKind;
using quota::SignalClass;
using test::at;
using test::rpm;
using test::slots;
using test::World;

class ControlTest : public testing::Test {
 protected:
  World world;
  std::unique_ptr<Scheduler> scheduler;
  std::uint32_t next_ticket = 0;

  void start() { scheduler = std::make_unique<Scheduler>(world.topology(), test::without_ramp()); }

  void add(std::size_t model, int turns, double now = 0) {
    for (int i = 0; i < turns; ++i) {
      scheduler->add({.ticket = {next_ticket++}, .model = model}, at(now));
    }
  }

  std::vector<Assignment> decide(double now) {
    std::vector<Assignment> result;
    scheduler->decide(at(now), result);
    return result;
  }

  void answer_all(const std::vector<Assignment>& sent, double now) {
    for (const Assignment& one : sent) {
      scheduler->answered(one, 1, 1, {}, at(now));
    }
  }

  /// Serves one request after the other and counts which route took them.
  std::vector<int> serve(int requests) {
    std::vector<int> result(world.topology().routes.size(), 0);
    double now = 0;
    while (requests > 0) {
      const std::vector<Assignment> sent = decide(now);
      for (const Assignment& one : sent) {
        ++result[one.route];
        --requests;
      }
      answer_all(sent, now);
      const std::optional<base::Instant> next = scheduler->next_decision(at(now));
      if (!next) {
        break;
      }
      now = base::seconds(*next - test::kStart);
    }
    return result;
  }
};

TEST_F(ControlTest, a_model_is_served_in_proportion_to_its_share) {
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(600)});
  world.route(world.model("a"), endpoint, {shared});
  world.route(world.model("b"), endpoint, {shared});
  start();
  add(0, 5000);
  add(1, 5000);
  scheduler->set_share(1, 3);
  const std::vector<int> served = serve(400);
  EXPECT_NEAR(served[0], 100, 4);
  EXPECT_NEAR(served[1], 300, 4);
}

TEST_F(ControlTest, pause_binds_nothing_and_resume_goes_on) {
  world.route(world.model("a"), world.endpoint("alpha"), {world.domain("d", {rpm(600)})});
  start();
  add(0, 2);
  scheduler->pause(at(0));
  EXPECT_TRUE(decide(0).empty());
  EXPECT_FALSE(scheduler->next_decision(at(0)).has_value());
  EXPECT_EQ(scheduler->wants_open(0), 0U);
  scheduler->resume(at(5));
  EXPECT_EQ(scheduler->next_decision(at(5)), at(5));
  EXPECT_EQ(decide(5).size(), 1U);
  EXPECT_GT(scheduler->wants_open(0), 0U);
}

TEST_F(ControlTest, a_paused_model_leaves_its_place_to_the_others) {
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(600)});
  world.route(world.model("a"), endpoint, {shared});
  world.route(world.model("b"), endpoint, {shared});
  start();
  add(0, 5);
  add(1, 5);
  scheduler->set_model_paused(0, true);
  EXPECT_EQ(scheduler->wants_open(0), 0U);
  EXPECT_EQ(serve(10), (std::vector{0, 5}));
  EXPECT_FALSE(scheduler->next_decision(at(10)).has_value());
  scheduler->set_model_paused(0, false);
  EXPECT_EQ(decide(10).size(), 1U);
}

TEST_F(ControlTest, a_paused_group_waits_aside_and_the_others_of_its_model_go_on) {
  world.route(world.model("a"), world.endpoint("alpha"), {world.domain("d", {rpm(600)})});
  start();
  for (std::uint32_t i = 0; i < 8; ++i) {
    scheduler->add({.ticket = {i}, .model = 0, .group = i % 2}, at(0));
  }
  const std::size_t wanted = scheduler->wants_open(0);
  scheduler->set_group_paused(0, 1, true, at(0));
  scheduler->add({.ticket = {8}, .model = 0, .group = 1}, at(0));
  EXPECT_EQ(scheduler->wants_open(0), wanted + 4) << "held turns take no place of others";
  EXPECT_EQ(scheduler->waiting(), 9U);
  std::vector<Assignment> sent;
  for (int i = 0; i < 60; ++i) {
    scheduler->decide(at(i), sent);
  }
  EXPECT_EQ(sent.size(), 1U) << "a new route gets one request at a time";
  EXPECT_EQ(sent[0].ticket.value % 2, 0U);
  scheduler->remove({1});
  scheduler->set_group_paused(0, 1, false, at(60));
  scheduler->answered(sent[0], 10, 10, {}, at(60));
  sent.clear();
  for (int i = 60; i < 120; ++i) {
    scheduler->decide(at(i), sent);
    for (const Assignment& one : std::exchange(sent, {})) {
      scheduler->answered(one, 10, 10, {}, at(i));
    }
  }
  EXPECT_EQ(scheduler->waiting(), 0U);
}

TEST_F(ControlTest, a_disabled_route_is_left_and_an_enabled_one_proves_itself) {
  const std::size_t model = world.model("a");
  const std::size_t endpoint = world.endpoint("alpha");
  world.route(model, endpoint, {});
  world.route(model, endpoint, {});
  start();
  add(0, 2);
  answer_all(decide(0), 0);
  EXPECT_TRUE(scheduler->disable_route(0, "by hand"));
  EXPECT_FALSE(scheduler->disable_route(0, "by hand"));
  EXPECT_EQ(scheduler->route_status(at(0))[0].reason, "by hand");
  add(0, 10);
  for (const Assignment& one : decide(0)) {
    EXPECT_EQ(one.route, 1U);
  }
  EXPECT_TRUE(scheduler->disable_route(1, "by hand"));
  EXPECT_FALSE(scheduler->has_usable_route(0));
  add(0, 10);
  EXPECT_TRUE(decide(1).empty());
  EXPECT_TRUE(scheduler->enable_route(0, at(1)));
  EXPECT_FALSE(scheduler->enable_route(0, at(1)));
  const std::vector<Assignment> probe = decide(1);
  ASSERT_EQ(probe.size(), 1U);  // one at a time until it has answered
  answer_all(probe, 1);
  EXPECT_EQ(decide(1).size(), 9U);
}

TEST_F(ControlTest, a_dead_key_comes_back_when_a_person_says_so) {
  world.route(world.model("a"), world.endpoint("alpha"), {});
  start();
  add(0, 1);
  const Assignment one = decide(0).at(0);
  EXPECT_TRUE(scheduler->failed(one, test::signal(SignalClass::auth), at(0)).route_disabled);
  EXPECT_FALSE(scheduler->has_usable_route(0));
  EXPECT_TRUE(scheduler->enable_route(0, at(1)));
  EXPECT_TRUE(scheduler->has_usable_route(0));
}

TEST_F(ControlTest, a_limit_is_set_and_lifted_at_run_time) {
  const std::size_t model = world.model("a");
  const std::size_t domain = world.domain("d", {rpm(60)});
  world.route(model, world.endpoint("alpha"), {domain});
  start();
  add(0, 100);
  answer_all(decide(0), 0);
  EXPECT_GT(*scheduler->next_decision(at(0)), at(0.9));
  scheduler->limit_domain(domain, rpm(6000), at(0));
  EXPECT_LT(*scheduler->next_decision(at(0)), at(0.02));
  scheduler->limit_domain(domain, rpm(6), at(0));
  EXPECT_GT(*scheduler->next_decision(at(0)), at(9));
  scheduler->lift_limit(domain, LimitKind::requests, at(1));
  EXPECT_LT(*scheduler->next_decision(at(1)), at(2.1));
  scheduler->limit_domain(domain, slots(0), at(1));
  EXPECT_FALSE(scheduler->next_decision(at(1)).has_value());
}

}  // namespace
}  // namespace sortie::sched
