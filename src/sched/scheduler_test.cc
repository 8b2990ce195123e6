#include "sortie/sched/scheduler.h"

#include "sortie/sched/test_support.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using quota::Dimension;
using quota::SignalClass;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::at;
using test::rpm;
using test::signal;
using test::slots;
using test::tpm;
using test::World;

constexpr base::Duration kTick{1};

/// A scheduler over a world, and the turns that are on their way.
class SchedulerTest : public testing::Test {
 protected:
  World world;
  std::unique_ptr<Scheduler> scheduler;

  void start(const SchedulerOptions& options = {}) {
    scheduler = std::make_unique<Scheduler>(world.topology(), test::without_ramp(options));
  }

  void add(std::uint32_t ticket, double remaining = 1, double now = 0, std::size_t model = 0) {
    scheduler->add({.ticket = {ticket}, .model = model, .remaining_turns = remaining}, at(now));
  }

  std::vector<Assignment> decide(base::Instant now) {
    std::vector<Assignment> result;
    scheduler->decide(now, result);
    return result;
  }

  std::vector<Assignment> decide(double now) { return decide(at(now)); }

  Assignment decide_one(double now) {
    const std::vector<Assignment> result = decide(now);
    EXPECT_EQ(result.size(), 1U);
    return result.empty() ? Assignment{} : result.front();
  }

  void answer(const Assignment& assignment, double now) {
    scheduler->answered(assignment, 1, 1, {}, at(now));
  }

  FailureVerdict fail(const Assignment& assignment, SignalClass kind, double now) {
    return scheduler->failed(assignment, signal(kind), at(now));
  }

  /// Lets every route answer once, so that more than one request may be on its way.
  void prove_routes(std::size_t model = 0) {
    const std::size_t routes = world.topology().routes.size();
    std::vector<bool> proven(routes, false);
    for (std::uint32_t i = 0; i < routes; ++i) {
      add(1000 + i, 1, 0, model);
    }
    for (std::size_t left = routes; left > 0;) {
      const std::vector<Assignment> sent = decide(0);
      ASSERT_FALSE(sent.empty());
      for (const Assignment& one : sent) {
        proven[one.route] = true;
        answer(one, 0);
        --left;
      }
    }
    for (const bool is_proven : proven) {
      ASSERT_TRUE(is_proven);
    }
  }

  /// One model on one endpoint behind `routes` keys, each with these limits.
  void keys(std::size_t routes, const std::vector<quota::Limit>& limits = {}) {
    const std::size_t model = world.model("m");
    const std::size_t endpoint = world.endpoint("alpha");
    for (std::size_t i = 0; i < routes; ++i) {
      world.route(model, endpoint, {world.domain("key", limits)});
    }
  }
};

// --- Binding ---

TEST_F(SchedulerTest, binds_nothing_before_a_limit_allows_it_and_then_the_longest) {
  keys(1, {rpm(60)});
  start();
  add(1, 5);
  const Assignment first = decide_one(0);
  EXPECT_EQ(first.ticket.value, 1U);
  answer(first, 0.1);
  add(2, 1, 0.1);
  EXPECT_TRUE(decide(0.1).empty());
  const auto next = scheduler->next_decision(at(0.1));
  ASSERT_TRUE(next.has_value());
  EXPECT_GT(*next, at(1.0));
  EXPECT_LT(*next, at(1.1));
  add(3, 9, 0.5);
  EXPECT_TRUE(decide(*next - kTick).empty());
  const std::vector<Assignment> bound = decide(*next);
  ASSERT_EQ(bound.size(), 1U);
  EXPECT_EQ(bound[0].ticket.value, 3U);
}

TEST_F(SchedulerTest, a_route_that_has_not_answered_gets_one_request_at_a_time) {
  keys(2);
  start();
  for (std::uint32_t i = 0; i < 10; ++i) {
    add(i);
  }
  const std::vector<Assignment> first = decide(0);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_NE(first[0].route, first[1].route);
  EXPECT_FALSE(scheduler->next_decision(at(0)).has_value());
  answer(first[0], 1);
  const std::vector<Assignment> second = decide(1);
  EXPECT_EQ(second.size(), 8U);
  for (const Assignment& one : second) {
    EXPECT_EQ(one.route, first[0].route);
  }
}

TEST_F(SchedulerTest, a_route_whose_first_answer_has_begun_gets_more_requests) {
  keys(2);
  start();
  for (std::uint32_t i = 0; i < 10; ++i) {
    add(i);
  }
  const std::vector<Assignment> first = decide(0);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_TRUE(scheduler->awaits_tokens(first[0].route));
  scheduler->began(first[0], at(0.5));
  EXPECT_FALSE(scheduler->awaits_tokens(first[0].route));
  EXPECT_TRUE(scheduler->awaits_tokens(first[1].route));
  EXPECT_EQ(scheduler->next_decision(at(0.5)), at(0.5));
  const std::vector<Assignment> second = decide(0.5);
  EXPECT_EQ(second.size(), 8U);
  for (const Assignment& one : second) {
    EXPECT_EQ(one.route, first[0].route);
  }
}

TEST_F(SchedulerTest, prefers_the_route_before_when_it_is_open_too) {
  keys(3);
  start();
  prove_routes();
  for (std::uint32_t i = 0; i < 5; ++i) {
    scheduler->add({.ticket = {i}, .route_before = 1}, at(0));
  }
  for (const Assignment& one : decide(0)) {
    EXPECT_EQ(one.route, 1U);
  }
}

TEST_F(SchedulerTest, leaves_the_route_before_when_a_neighbour_is_nearly_idle) {
  keys(2);
  start();
  prove_routes();
  for (std::uint32_t i = 0; i < 60; ++i) {
    scheduler->add({.ticket = {i}, .route_before = 1}, at(0));
  }
  EXPECT_EQ(decide(0).size(), 60U);
  const std::vector<RouteStatus> status = scheduler->route_status(at(0));
  EXPECT_GT(status[1].in_flight, status[0].in_flight);
  EXPECT_LE(status[1].in_flight, 2 * status[0].in_flight + 5);
}

TEST_F(SchedulerTest, does_not_wait_for_the_route_before) {
  keys(2, {slots(1)});
  start();
  prove_routes();
  scheduler->add({.ticket = {1}, .route_before = 1}, at(0));
  scheduler->add({.ticket = {2}, .route_before = 1}, at(0));
  EXPECT_EQ(decide(0).size(), 2U);
}

TEST_F(SchedulerTest, spreads_over_open_routes_by_load) {
  keys(3);
  start();
  prove_routes();
  for (std::uint32_t i = 0; i < 30; ++i) {
    add(i);
  }
  EXPECT_EQ(decide(0).size(), 30U);
  for (const RouteStatus& status : scheduler->route_status(at(0))) {
    EXPECT_EQ(status.in_flight, 10U);
  }
}

TEST_F(SchedulerTest, of_equally_long_ones_the_turn_that_is_ready_longest_goes_first) {
  keys(1);
  start();
  add(5, 3, 0);
  add(1, 3, 1);
  EXPECT_EQ(decide_one(2).ticket.value, 5U);
}

TEST_F(SchedulerTest, a_turn_that_comes_while_nothing_was_to_do_is_bound_at_once) {
  keys(1);
  start();
  EXPECT_TRUE(decide(0).empty());
  EXPECT_FALSE(scheduler->next_decision(at(0)).has_value());
  add(1);
  EXPECT_EQ(scheduler->next_decision(at(0)), at(0));
  EXPECT_EQ(decide(0).size(), 1U);
}

TEST_F(SchedulerTest, a_route_is_bound_by_all_its_domains) {
  const std::size_t model = world.model("m");
  const std::size_t endpoint = world.endpoint("alpha");
  world.route(
      model, endpoint, {world.domain("wide", {slots(100)}), world.domain("narrow", {slots(3)})});
  start();
  prove_routes();
  for (std::uint32_t i = 0; i < 10; ++i) {
    add(i);
  }
  EXPECT_EQ(decide(0).size(), 3U);
}

TEST_F(SchedulerTest, in_flight_max_holds_over_all_routes) {
  keys(3);
  start({.in_flight_max = 4});
  prove_routes();
  for (std::uint32_t i = 0; i < 10; ++i) {
    add(i);
  }
  const std::vector<Assignment> sent = decide(0);
  EXPECT_EQ(sent.size(), 4U);
  EXPECT_FALSE(scheduler->next_decision(at(0)).has_value());
  answer(sent[0], 1);
  EXPECT_EQ(decide(1).size(), 1U);
  EXPECT_EQ(scheduler->in_flight(), 4U);
  EXPECT_EQ(scheduler->waiting(), 5U);
}

TEST_F(SchedulerTest, models_with_as_much_to_do_take_turns_on_a_shared_limit) {
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(60)});
  world.route(world.model("a"), endpoint, {shared});
  world.route(world.model("b"), endpoint, {shared});
  start();
  for (std::uint32_t i = 0; i < 10; ++i) {
    add(i, 100, 0, 0);
    add(100 + i, 100, 0, 1);
  }
  std::vector<std::size_t> order;
  base::Instant now = at(0);
  while (order.size() < 8) {
    for (const Assignment& one : decide(now)) {
      order.push_back(one.route);
      scheduler->answered(one, 1, 1, {}, now);
    }
    now = scheduler->next_decision(now).value();
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 0, 1, 0, 1, 0, 1}));
}

TEST_F(SchedulerTest, a_model_with_more_to_do_gets_more_of_a_shared_limit) {
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(60)});
  world.route(world.model("a"), endpoint, {shared});
  world.route(world.model("b"), endpoint, {shared});
  start();
  for (std::uint32_t i = 0; i < 100; ++i) {
    add(i, 3, 0, 0);
    add(100 + i, 1, 0, 1);
  }
  std::vector<int> served(2, 0);
  base::Instant now = at(0);
  for (int i = 0; i < 40; ++i) {
    for (const Assignment& one : decide(now)) {
      served[one.route] += 1;
      scheduler->answered(one, 1, 1, {}, now);
    }
    now = scheduler->next_decision(now).value();
  }
  EXPECT_NEAR(served[0], 30, 3);
}

TEST_F(SchedulerTest, a_model_with_a_choice_leaves_the_shared_route_to_one_without) {
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {rpm(60)});
  const std::size_t own = world.domain("own", {rpm(60)});
  const std::size_t rich = world.model("rich");
  const std::size_t poor = world.model("poor");
  world.route(rich, endpoint, {shared});
  world.route(rich, endpoint, {own});
  world.route(poor, endpoint, {shared});
  start();
  for (std::uint32_t i = 0; i < 100; ++i) {
    add(i, 1, 0, rich);
    add(100 + i, 1, 0, poor);
  }
  // Both have as much to do: each should have a whole limit.
  std::vector<int> served(3, 0);
  base::Instant now = at(0);
  for (int left = 120; left > 0;) {
    for (const Assignment& one : decide(now)) {
      served[one.route] += 1;
      scheduler->answered(one, 1, 1, {}, now);
      --left;
    }
    now = scheduler->next_decision(now).value();
  }
  EXPECT_LE(served[0], 2);
  EXPECT_NEAR(served[1], 60, 2);
  EXPECT_NEAR(served[2], 60, 2);
}

TEST_F(SchedulerTest, small_requests_of_another_model_do_not_starve_a_large_one) {
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t shared = world.domain("shared", {tpm(60'000)});
  world.route(world.model("large"), endpoint, {shared});
  world.route(world.model("small"), endpoint, {shared});
  start();
  std::uint32_t ticket = 0;
  const auto add_small = [&](base::Instant now) {
    scheduler->add({.ticket = {ticket++}, .model = 1, .input_tokens = 500}, now);
  };
  const auto add_large = [&](base::Instant now) {
    scheduler->add({.ticket = {ticket++}, .model = 0, .input_tokens = 20'000}, now);
  };
  add_large(at(0));
  add_small(at(0));
  std::size_t large = 0;
  for (base::Instant now = at(0); now < at(300); now = scheduler->next_decision(now).value()) {
    for (const Assignment& one : decide(now)) {
      large += one.route == 0 ? 1 : 0;
      scheduler->answered(one, one.route == 0 ? 20'000 : 500, 0, {}, now);
      one.route == 0 ? add_large(now) : add_small(now);
    }
  }
  // 300 s of 1,000 tokens a second, taken in turns of 20,500.
  EXPECT_GE(large, 8U);
}

TEST_F(SchedulerTest, next_decision_is_exact) {
  keys(3, {rpm(600), tpm(50'000)});
  start();
  std::uint32_t ticket = 0;
  base::Instant now = at(0);
  for (int step = 0; step < 200; ++step) {
    scheduler->add({.ticket = {ticket++}, .input_tokens = 100.0 * (1 + step % 17)}, now);
    for (const Assignment& one : decide(now)) {
      scheduler->answered(one, 700, 50, {}, now);
    }
    if (const auto next = scheduler->next_decision(now)) {
      ASSERT_GT(*next, now);
      ASSERT_TRUE(decide(*next - kTick).empty());
      const std::vector<Assignment> bound = decide(*next);
      ASSERT_FALSE(bound.empty());
      for (const Assignment& one : bound) {
        scheduler->answered(one, 700, 50, {}, *next);
      }
      now = *next;
    }
  }
}

TEST_F(SchedulerTest, a_bound_request_does_not_leave_through_a_gate_that_closed_since) {
  keys(1);
  start();
  prove_routes();
  add(1);
  add(2);
  const std::vector<Assignment> sent = decide(0);
  ASSERT_EQ(sent.size(), 2U);
  scheduler->failed(sent[0], signal(SignalClass::throttle, seconds(30)), at(1));
  const base::Instant leaves = scheduler->departure(sent[1], std::nullopt, at(1));
  EXPECT_GE(leaves, at(31));
  EXPECT_EQ(scheduler->departure(sent[1], leaves, leaves), leaves);
}

TEST_F(SchedulerTest, requests_that_became_durable_together_do_not_leave_together) {
  keys(1, {rpm(600)});
  start();
  prove_routes();
  std::vector<Assignment> sent;
  for (std::uint32_t i = 0; i < 3; ++i) {
    add(i);
    sent.push_back(decide_one(1.0 + 0.2 * i));
  }
  EXPECT_EQ(scheduler->departure(sent[0], std::nullopt, at(2)), at(2));
  const base::Instant second = scheduler->departure(sent[1], std::nullopt, at(2));
  EXPECT_GE(second, at(2.1));
  EXPECT_GE(scheduler->departure(sent[2], std::nullopt, at(2)), second + milliseconds(100));
  EXPECT_EQ(scheduler->departure(sent[1], second, second), second);
}

// --- What failures do ---

TEST_F(SchedulerTest, a_dead_key_costs_one_request) {
  keys(2);
  start();
  for (std::uint32_t i = 0; i < 50; ++i) {
    add(i);
  }
  const std::vector<Assignment> first = decide(0);
  ASSERT_EQ(first.size(), 2U);
  const FailureVerdict verdict = fail(first[0], SignalClass::auth, 1);
  EXPECT_EQ(verdict.verdict, Verdict::again);
  EXPECT_TRUE(verdict.route_disabled);
  answer(first[1], 1);
  const std::vector<Assignment> rest = decide(1);
  EXPECT_EQ(rest.size(), 49U);
  for (const Assignment& one : rest) {
    EXPECT_EQ(one.route, first[1].route);
  }
  EXPECT_TRUE(scheduler->has_usable_route(0));
  const RouteStatus dead = scheduler->route_status(at(1))[first[0].route];
  EXPECT_FALSE(dead.usable);
  EXPECT_NE(dead.reason.find("key rejected"), std::string::npos);
}

TEST_F(SchedulerTest, a_dead_key_takes_all_its_routes_and_no_other) {
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t a = world.model("a");
  const std::size_t b = world.model("b");
  world.route(a, endpoint, {}, /*key=*/0);
  world.route(b, endpoint, {}, /*key=*/0);
  world.route(b, endpoint, {}, /*key=*/1);
  world.route(b, world.endpoint("beta"), {}, /*key=*/0);
  start();
  add(1, 1, 0, a);
  const FailureVerdict verdict = fail(decide_one(0), SignalClass::out_of_money, 1);
  EXPECT_EQ(verdict.verdict, Verdict::give_up);
  EXPECT_TRUE(verdict.route_disabled);
  const std::vector<RouteStatus> status = scheduler->route_status(at(1));
  EXPECT_FALSE(status[0].usable);
  EXPECT_FALSE(status[1].usable);
  EXPECT_TRUE(status[2].usable);
  EXPECT_TRUE(status[3].usable);
  EXPECT_FALSE(scheduler->has_usable_route(a));
  EXPECT_TRUE(scheduler->has_usable_route(b));
}

TEST_F(SchedulerTest, a_wrong_name_takes_that_route_only) {
  const std::size_t endpoint = world.endpoint("alpha");
  world.route(world.model("a"), endpoint, {}, 0);
  world.route(world.model("b"), endpoint, {}, 0);
  start();
  add(1);
  EXPECT_EQ(fail(decide_one(0), SignalClass::wrong_name, 1).verdict, Verdict::give_up);
  EXPECT_FALSE(scheduler->has_usable_route(0));
  EXPECT_TRUE(scheduler->has_usable_route(1));
}

TEST_F(SchedulerTest, after_a_wrong_model_another_route_answers) {
  keys(2);
  start();
  add(1);
  const Assignment first = decide_one(0);
  const FailureVerdict verdict = scheduler->wrong_model(first, "imposter-3", at(1));
  EXPECT_EQ(verdict.verdict, Verdict::again);
  EXPECT_TRUE(verdict.route_disabled);
  const Assignment second = decide_one(1);
  EXPECT_NE(second.route, first.route);
  EXPECT_EQ(scheduler->wrong_model(second, "imposter-3", at(2)).verdict, Verdict::give_up);
  EXPECT_NE(scheduler->route_status(at(2))[0].reason.find("imposter-3"), std::string::npos);
  EXPECT_FALSE(scheduler->has_usable_route(0));
}

TEST_F(SchedulerTest, a_second_failure_of_a_disabled_route_is_no_news) {
  keys(2);
  start();
  prove_routes();
  for (std::uint32_t i = 0; i < 4; ++i) {
    add(i);
  }
  const std::vector<Assignment> sent = decide(0);
  std::vector<Assignment> same;
  for (const Assignment& one : sent) {
    if (one.route == 0) {
      same.push_back(one);
    }
  }
  ASSERT_EQ(same.size(), 2U);
  EXPECT_TRUE(fail(same[0], SignalClass::auth, 1).route_disabled);
  EXPECT_FALSE(fail(same[1], SignalClass::auth, 1).route_disabled);
}

TEST_F(SchedulerTest, a_gate_holds_for_everybody_on_the_domain_and_nobody_else) {
  keys(2);
  start();
  prove_routes();
  add(1);
  const Assignment first = decide_one(0);
  scheduler->failed(first, signal(SignalClass::throttle, seconds(30)), at(1));
  for (std::uint32_t i = 2; i < 20; ++i) {
    add(i, 1, 1);
  }
  const std::vector<Assignment> others = decide(1);
  EXPECT_EQ(others.size(), 19U);
  for (const Assignment& one : others) {
    EXPECT_NE(one.route, first.route);
  }
  const auto closed = scheduler->route_status(at(1))[first.route].closed_until;
  ASSERT_TRUE(closed.has_value());
  EXPECT_GE(*closed, at(31));
  EXPECT_LE(*closed, at(32.5));
}

TEST_F(SchedulerTest, a_throttled_turn_keeps_its_place_and_its_attempts) {
  keys(1);
  start();
  for (int i = 0; i < 50; ++i) {
    if (i == 0) {
      add(1);
    }
    const base::Instant now = scheduler->next_decision(at(100.0 * i)).value();
    const std::vector<Assignment> sent = decide(std::max(now, at(100.0 * i)));
    ASSERT_EQ(sent.size(), 1U);
    ASSERT_EQ(fail(sent[0], SignalClass::throttle, 100.0 * i + 1).verdict, Verdict::again);
  }
  EXPECT_EQ(scheduler->waiting(), 1U);
  EXPECT_EQ(scheduler->route_status(at(5000))[0].throttled, 50U);
}

TEST_F(SchedulerTest, a_named_dimension_gates_only_the_domain_that_limits_it) {
  const std::size_t model = world.model("m");
  const std::size_t other = world.model("other");
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t tokens = world.domain("tokens", {tpm(1e9)});
  const std::size_t requests = world.domain("requests", {rpm(600'000)});
  world.route(model, endpoint, {tokens, requests});
  world.route(other, endpoint, {requests});
  start();
  add(1, 1, 0, model);
  quota::Signal throttle = signal(SignalClass::throttle, seconds(30));
  throttle.dimension = Dimension::tokens;
  scheduler->failed(decide_one(0), throttle, at(1));
  add(2, 1, 1, other);
  EXPECT_EQ(decide_one(1).ticket.value, 2U);
  EXPECT_GE(scheduler->next_decision(at(1)).value(), at(31));
}

TEST_F(SchedulerTest, a_limit_that_nobody_declared_gates_all_domains_of_the_route) {
  const std::size_t model = world.model("m");
  const std::size_t other = world.model("other");
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t requests = world.domain("requests", {rpm(600'000)});
  world.route(model, endpoint, {requests});
  world.route(other, endpoint, {requests});
  start();
  add(1, 1, 0, model);
  quota::Signal throttle = signal(SignalClass::throttle, seconds(30));
  throttle.dimension = Dimension::tokens;
  scheduler->failed(decide_one(0), throttle, at(1));
  add(2, 1, 1, other);
  EXPECT_TRUE(decide(1).empty());
}

TEST_F(SchedulerTest, after_too_many_at_once_a_slot_has_to_become_free) {
  keys(1);
  start();
  prove_routes();
  for (std::uint32_t i = 0; i < 5; ++i) {
    add(i);
  }
  const std::vector<Assignment> sent = decide(0);
  ASSERT_EQ(sent.size(), 5U);
  EXPECT_EQ(fail(sent[4], SignalClass::concurrency, 0.1).verdict, Verdict::again);
  EXPECT_TRUE(decide(10).empty());
  answer(sent[0], 11);
  EXPECT_EQ(decide(11).size(), 1U);
}

TEST_F(SchedulerTest, a_daily_cap_takes_the_route_out_until_the_providers_reset) {
  keys(2);
  start();
  add(1);
  const Assignment first = decide_one(0);
  scheduler->failed(first, signal(SignalClass::daily_cap, std::chrono::hours(5)), at(1));
  EXPECT_NE(decide_one(1).route, first.route);
  const RouteStatus status = scheduler->route_status(at(2))[first.route];
  EXPECT_FALSE(status.usable);
  EXPECT_NE(status.reason.find("daily cap"), std::string::npos);
  EXPECT_GE(status.closed_until.value(), at(5 * 3600));
  EXPECT_TRUE(scheduler->has_usable_route(0));
  EXPECT_TRUE(scheduler->route_status(at(6 * 3600))[first.route].usable);
}

TEST_F(SchedulerTest, growing_too_fast_costs_five_seconds) {
  keys(1);
  start();
  add(1);
  fail(decide_one(0), SignalClass::ramp, 0);
  const base::Instant next = scheduler->next_decision(at(0)).value();
  EXPECT_GE(next, at(5));
  EXPECT_LE(next, at(5.25));
}

TEST_F(SchedulerTest, waits_without_a_hint_start_again_after_a_good_answer) {
  keys(1);
  start();
  add(1);
  for (const double now : {0.0, 100.0, 200.0}) {
    fail(decide_one(now), SignalClass::throttle, now);
  }
  EXPECT_GE(scheduler->route_status(at(200))[0].closed_until, at(204));
  answer(decide_one(300), 300);
  add(1, 1, 310);
  fail(decide_one(310), SignalClass::throttle, 310);
  EXPECT_LE(scheduler->route_status(at(310))[0].closed_until, at(311.05));
}

TEST_F(SchedulerTest, waits_for_an_overloaded_endpoint_start_again_after_a_good_answer) {
  keys(1);
  start();
  add(1);
  double wait = 0;
  for (int i = 0; i < 5; ++i) {
    const double now = 100.0 * i;
    fail(decide_one(now), SignalClass::overload, now);
    wait = std::max(wait, base::seconds(scheduler->next_decision(at(now)).value() - at(now)));
  }
  EXPECT_GT(wait, 1.1);
  answer(decide_one(500), 500);
  add(1, 1, 500);
  fail(decide_one(500), SignalClass::overload, 500);
  EXPECT_EQ(scheduler->next_decision(at(500)), at(501));
}

TEST_F(SchedulerTest, a_hint_of_an_overloaded_endpoint_is_honoured) {
  keys(1);
  start();
  add(1);
  scheduler->failed(decide_one(0), signal(SignalClass::overload, seconds(50)), at(0));
  EXPECT_GE(scheduler->next_decision(at(0)).value(), at(50));
}

TEST_F(SchedulerTest, overload_gates_the_endpoint_and_not_the_others) {
  const std::size_t model = world.model("m");
  const std::size_t alpha = world.endpoint("alpha");
  world.route(model, alpha, {});
  world.route(model, alpha, {});
  world.route(model, world.endpoint("beta"), {});
  start();
  prove_routes();
  scheduler->add({.ticket = {1}, .route_before = 0}, at(0));
  fail(decide_one(0), SignalClass::overload, 0);
  for (std::uint32_t i = 2; i < 10; ++i) {
    add(i);
  }
  for (const Assignment& one : decide(0)) {
    EXPECT_EQ(one.route, 2U);
  }
  EXPECT_GE(scheduler->route_status(at(0))[1].closed_until.value(), at(1));
}

TEST_F(SchedulerTest, after_a_transient_failure_another_route_is_preferred) {
  keys(2, {slots(1)});
  start();
  prove_routes();
  add(1);
  add(2);
  const std::vector<Assignment> sent = decide(0);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(fail(sent[0], SignalClass::transient, 1).verdict, Verdict::again);
  // Its own back-off is over by then; its route is free, the other is not.
  EXPECT_TRUE(decide(3).empty());
  answer(sent[1], 4);
  const Assignment second = decide_one(4);
  EXPECT_EQ(second.route, sent[1].route);
}

TEST_F(SchedulerTest, but_the_same_route_is_taken_when_no_other_comes) {
  keys(2, {slots(1)});
  start();
  prove_routes();
  add(1);
  add(2);
  const std::vector<Assignment> sent = decide(0);
  fail(sent[0], SignalClass::transient, 1);
  EXPECT_TRUE(decide(5.9).empty());
  base::Instant now = at(5.9);
  std::vector<Assignment> again;
  while (again.empty()) {
    now = scheduler->next_decision(now).value();
    again = decide(now);
  }
  EXPECT_EQ(again[0].route, sent[0].route);
  EXPECT_LE(now, at(1 + 1 + 5));
}

TEST_F(SchedulerTest, a_turn_that_avoids_a_route_does_not_block_the_others) {
  keys(2, {slots(1)});
  start();
  prove_routes();
  add(1, 50);
  add(2, 40);
  const std::vector<Assignment> sent = decide(0);
  fail(sent[0], SignalClass::transient, 1);
  add(3, 1, 2);
  const Assignment other = decide_one(2);
  EXPECT_EQ(other.ticket.value, 3U);
  EXPECT_EQ(other.route, sent[0].route);
}

TEST_F(SchedulerTest, transient_failures_are_given_up_after_their_budget) {
  keys(3);
  start({.transient_attempts_max = 3});
  add(1);
  base::Instant now = at(0);
  std::vector<Verdict> verdicts;
  while (verdicts.empty() || verdicts.back() == Verdict::again) {
    std::vector<Assignment> sent = decide(now);
    while (sent.empty()) {
      now = scheduler->next_decision(now).value();
      sent = decide(now);
    }
    verdicts.push_back(scheduler->failed(sent[0], signal(SignalClass::transient), now).verdict);
  }
  EXPECT_EQ(verdicts.size(), 3U);
  EXPECT_EQ(scheduler->waiting(), 0U);
  add(1, 1, 1000);  // the ticket is free again, its history forgotten
  EXPECT_EQ(fail(decide_one(1000), SignalClass::transient, 1000).verdict, Verdict::again);
}

TEST_F(SchedulerTest, a_good_answer_clears_a_turns_history) {
  keys(1);
  start({.transient_attempts_max = 2});
  for (int i = 0; i < 5; ++i) {
    const double now = 1000.0 * i;
    add(1, 1, now);
    EXPECT_EQ(fail(decide_one(now), SignalClass::transient, now).verdict, Verdict::again);
    answer(decide_one(now + 100), now + 100);
  }
}

TEST_F(SchedulerTest, a_bad_request_tries_one_other_route) {
  keys(3);
  start();
  add(1);
  const Assignment first = decide_one(0);
  EXPECT_EQ(fail(first, SignalClass::bad_request, 1).verdict, Verdict::again);
  const Assignment second = decide_one(1);
  EXPECT_NE(second.route, first.route);
  EXPECT_EQ(fail(second, SignalClass::bad_request, 2).verdict, Verdict::give_up);
}

TEST_F(SchedulerTest, a_bad_request_is_given_up_when_there_is_no_other_route) {
  keys(1);
  start();
  add(1);
  const FailureVerdict verdict = fail(decide_one(0), SignalClass::bad_request, 1);
  EXPECT_EQ(verdict.verdict, Verdict::give_up);
  EXPECT_FALSE(verdict.route_disabled);
  EXPECT_TRUE(scheduler->has_usable_route(0));
}

TEST_F(SchedulerTest, a_refused_turn_does_not_return_to_the_route_that_refused_it) {
  keys(2);
  start();
  add(1);
  const Assignment first = decide_one(0);
  fail(first, SignalClass::bad_request, 1);
  const Assignment second = decide_one(1);
  scheduler->failed(second, signal(SignalClass::throttle, seconds(60)), at(2));
  EXPECT_TRUE(decide(30).empty());
  EXPECT_EQ(decide_one(66).route, second.route);
}

TEST_F(SchedulerTest, a_refused_turn_stays_away_even_after_the_other_route_failed_otherwise) {
  keys(2);
  start();
  add(1);
  const Assignment first = decide_one(0);
  fail(first, SignalClass::bad_request, 1);
  const Assignment second = decide_one(1);
  EXPECT_EQ(fail(second, SignalClass::transient, 2).verdict, Verdict::again);
  EXPECT_EQ(decide_one(30).route, second.route);
}

TEST_F(SchedulerTest, a_refused_turn_whose_other_route_dies_ends) {
  keys(2, {slots(1)});
  start();
  prove_routes();
  add(1);
  add(2);
  const std::vector<Assignment> sent = decide(0);
  ASSERT_EQ(sent.size(), 2U);
  ASSERT_EQ(fail(sent[0], SignalClass::bad_request, 1).verdict, Verdict::again);
  EXPECT_TRUE(decide(1).empty());
  fail(sent[1], SignalClass::auth, 2);
  const Assignment last = decide_one(2);
  EXPECT_EQ(last.ticket, sent[0].ticket);
  EXPECT_EQ(last.route, sent[0].route);
  EXPECT_EQ(fail(last, SignalClass::bad_request, 3).verdict, Verdict::give_up);
}

TEST_F(SchedulerTest, an_unreachable_endpoint_is_asked_with_one_request_at_a_time) {
  const std::size_t model = world.model("m");
  const std::size_t alpha = world.endpoint("alpha");
  world.route(model, alpha, {});
  world.route(model, alpha, {});
  start();
  prove_routes();
  for (std::uint32_t i = 0; i < 20; ++i) {
    add(i);
  }
  for (const Assignment& one : decide(0)) {
    EXPECT_EQ(fail(one, SignalClass::not_processed, 0.1).verdict, Verdict::again);
  }
  EXPECT_TRUE(decide(1.0).empty());
  const Assignment probe = decide_one(3);
  EXPECT_TRUE(decide(4).empty());
  EXPECT_EQ(fail(probe, SignalClass::not_processed, 5).verdict, Verdict::again);
  EXPECT_TRUE(decide(7).empty());
  const Assignment second = decide_one(10);
  answer(second, 11);
  EXPECT_FALSE(decide(11).empty());
}

TEST_F(SchedulerTest, an_outage_of_minutes_costs_no_turn) {
  keys(1);
  start();
  prove_routes();
  for (std::uint32_t i = 0; i < 5; ++i) {
    add(i);
  }
  std::size_t answered = 0;
  base::Instant now = at(0);
  while (answered < 5) {
    for (const Assignment& one : decide(now)) {
      if (now < at(300)) {
        ASSERT_EQ(scheduler->failed(one, signal(SignalClass::transient), now).verdict,
                  Verdict::again);
      } else {
        scheduler->answered(one, 1, 1, {}, now);
        ++answered;
      }
    }
    now = std::max(now, scheduler->next_decision(now).value_or(now + seconds(1)));
  }
  EXPECT_LE(now, at(300 + 80));
}

// --- Endings and bookkeeping ---

TEST_F(SchedulerTest, a_cancelled_request_holds_its_slot_for_a_while) {
  keys(1, {slots(1)});
  start();
  add(1);
  scheduler->cancelled(decide_one(0), at(1));
  EXPECT_EQ(scheduler->in_flight(), 0U);
  EXPECT_EQ(scheduler->waiting(), 0U);
  add(2, 1, 1);
  EXPECT_TRUE(decide(10).empty());
  EXPECT_EQ(scheduler->next_decision(at(10)), at(11));
  EXPECT_EQ(decide_one(11).ticket.value, 2U);
}

TEST_F(SchedulerTest, a_removed_turn_is_never_bound) {
  keys(1);
  start();
  add(1);
  add(2);
  scheduler->remove({1});
  scheduler->remove({77});  // unknown: no effect
  EXPECT_EQ(decide_one(0).ticket.value, 2U);
  scheduler->remove({2});  // in flight: no effect
  EXPECT_EQ(scheduler->in_flight(), 1U);
  EXPECT_EQ(scheduler->waiting(), 0U);
}

TEST_F(SchedulerTest, a_resting_turn_can_be_removed) {
  keys(1);
  start();
  add(1);
  fail(decide_one(0), SignalClass::transient, 0);
  EXPECT_EQ(scheduler->waiting(), 1U);
  scheduler->remove({1});
  EXPECT_EQ(scheduler->waiting(), 0U);
  EXPECT_FALSE(scheduler->next_decision(at(0)).has_value());
}

constexpr seconds kFullIn{20};

quota::LimitHints nothing_left() {
  quota::LimitHints hints;
  hints.remaining_requests = 0;
  hints.reset_requests = kFullIn;
  return hints;
}

TEST_F(SchedulerTest, headers_slow_down_what_is_not_declared) {
  keys(1);
  start();
  add(1);
  scheduler->answered(decide_one(0), 1, 1, nothing_left(), at(1));
  add(2, 1, 1);
  EXPECT_TRUE(decide(2).empty());
  EXPECT_GE(scheduler->next_decision(at(2)).value(), at(15));
}

TEST_F(SchedulerTest, headers_do_not_slow_down_what_is_declared) {
  keys(1, {rpm(6000)});
  start();
  add(1);
  scheduler->answered(decide_one(0), 1, 1, nothing_left(), at(1));
  add(2, 1, 1);
  EXPECT_EQ(decide(2).size(), 1U);
}

TEST_F(SchedulerTest, real_usage_corrects_the_estimate) {
  keys(1, {tpm(60'000)});
  start();
  prove_routes();
  scheduler->add({.ticket = {1}, .input_tokens = 10'000, .output_tokens = 10'000}, at(100));
  const Assignment first = decide_one(100);
  scheduler->add({.ticket = {2}, .input_tokens = 1000}, at(100));
  const base::Instant as_estimated = scheduler->next_decision(at(100)).value();
  ASSERT_GT(as_estimated, at(100.5));
  scheduler->answered(first, 1000, 100, {}, at(100.5));
  EXPECT_LT(scheduler->next_decision(at(100.5)).value(), as_estimated);
}

TEST_F(SchedulerTest, wants_few_at_first_and_twice_what_the_limits_take) {
  keys(1, {slots(100)});
  start();
  prove_routes();
  EXPECT_EQ(scheduler->wants_open(0), 2 * (1 + 16U));
  std::uint32_t ticket = 0;
  for (int round = 0; round < 10; ++round) {
    for (std::size_t wanted = scheduler->wants_open(0); wanted > 0; --wanted) {
      add(ticket++);
    }
    EXPECT_EQ(scheduler->wants_open(0), 0U);
    decide(0);
  }
  EXPECT_EQ(scheduler->in_flight(), 100U);
  EXPECT_EQ(scheduler->in_flight() + scheduler->waiting(), 2 * (100 + 16U));
}

TEST_F(SchedulerTest, without_declared_limits_the_number_of_open_dialogues_is_bounded) {
  keys(1);
  for (const std::size_t most : {std::size_t{0}, std::size_t{7}, std::size_t{1000}}) {
    start({.in_flight_max = most});
    prove_routes();
    std::uint32_t ticket = 0;
    for (int round = 0; round < 20; ++round) {
      for (std::size_t wanted = scheduler->wants_open(0); wanted > 0; --wanted) {
        add(ticket++);
      }
      decide(0);
    }
    EXPECT_EQ(scheduler->in_flight(), most == 0 ? 256 : most);
  }
}

TEST_F(SchedulerTest, wants_nothing_for_a_model_without_a_route) {
  keys(1);
  world.model("orphan");
  start();
  EXPECT_EQ(scheduler->wants_open(1), 0U);
  EXPECT_FALSE(scheduler->has_usable_route(1));
  EXPECT_EQ(scheduler->wants_open(0), 32U);
}

TEST_F(SchedulerTest, the_same_seed_gives_the_same_waits) {
  keys(1);
  const auto wait = [&](std::uint64_t seed) {
    start({.seed = seed});
    add(1);
    fail(decide_one(0), SignalClass::transient, 0);
    return scheduler->next_decision(at(0)).value();
  };
  EXPECT_EQ(wait(1), wait(1));
  EXPECT_NE(wait(1), wait(2));
}

TEST_F(SchedulerTest, counts_what_became_of_requests) {
  keys(1);
  start();
  add(1);
  answer(decide_one(0), 0);
  add(2);
  fail(decide_one(0), SignalClass::transient, 0);
  const Assignment again = decide_one(50);
  fail(again, SignalClass::throttle, 50);
  const RouteStatus status = scheduler->route_status(at(50))[0];
  EXPECT_EQ(status.answered, 1U);
  EXPECT_EQ(status.failed, 1U);
  EXPECT_EQ(status.throttled, 1U);
  EXPECT_EQ(status.in_flight, 0U);
  EXPECT_EQ(scheduler->domain_status(at(50)).size(), 1U);
}

using SchedulerDeathTest = SchedulerTest;

TEST_F(SchedulerDeathTest, settling_twice_is_a_bug) {
  keys(1);
  start();
  add(1);
  const Assignment sent = decide_one(0);
  answer(sent, 0);
  EXPECT_DEATH(answer(sent, 0), "slot.taken");
}

TEST_F(SchedulerDeathTest, one_turn_per_ticket) {
  keys(1);
  start();
  add(1);
  EXPECT_DEATH(add(1), "absent");
}

}  // namespace
}  // namespace sortie::sched
