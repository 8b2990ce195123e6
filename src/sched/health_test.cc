#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_support.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

// Trouble of different kinds, told apart: a dead key, a sick route, a poisoned item, an overloaded
// provider, silence.

namespace sortie::sched {
namespace {

using quota::SignalClass;
using std::chrono::seconds;
using test::at;
using test::World;

class HealthTest : public testing::Test {
 protected:
  World world;
  std::unique_ptr<Scheduler> scheduler;
  std::uint32_t next_ticket = 0;

  /// One model behind so many keys of one endpoint.
  void start(std::size_t keys, const SchedulerOptions& options = {}) {
    const std::size_t model = world.model("m");
    const std::size_t endpoint = world.endpoint("alpha");
    for (std::size_t i = 0; i < keys; ++i) {
      world.route(model, endpoint, {});
    }
    scheduler = std::make_unique<Scheduler>(world.topology(), test::without_ramp(options));
  }

  /// Two models behind one key of one endpoint, by routes 0 and 1; both have answered.
  void start_two_models() {
    const std::size_t a = world.model("a");
    const std::size_t b = world.model("b");
    const std::size_t endpoint = world.endpoint("alpha");
    world.route(a, endpoint, {}, 1);
    world.route(b, endpoint, {}, 1);
    scheduler = std::make_unique<Scheduler>(world.topology(),
                                            test::without_ramp({.dead_key_recheck = seconds(60)}));
    add(1, 0, a);
    add(1, 0, b);
    for (const Assignment& one : decide(0)) {
      answer(one, 0);
    }
  }

  void add(int turns, double now, std::size_t model = 0) {
    for (int i = 0; i < turns; ++i) {
      scheduler->add({.ticket = {next_ticket++}, .model = model}, at(now));
    }
  }

  std::vector<Assignment> decide(double now) {
    std::vector<Assignment> result;
    scheduler->decide(at(now), result);
    return result;
  }

  FailureVerdict fail(const Assignment& one, SignalClass kind, double now) {
    return scheduler->failed(one, test::signal(kind), at(now));
  }

  void answer(const Assignment& one, double now) { scheduler->answered(one, 1, 1, {}, at(now)); }

  void refuse_key_over_route_1(double now) {
    add(1, now, 1);
    const auto refused = decide(now);
    ASSERT_EQ(refused.size(), 1U);
    ASSERT_EQ(refused[0].route, 1U);
    fail(refused[0], SignalClass::auth, now + 0.1);
    scheduler->remove({refused[0].ticket});
  }

  /// Each route answers once.
  void prove(double now) {
    add(static_cast<int>(world.topology().routes.size()), now);
    for (const Assignment& one : decide(now)) {
      answer(one, now);
    }
  }

  /// The server of `bad` fails everything as `kind`, the others answer after a second; until
  /// nothing waits. Returns the requests that `bad` was sent.
  int play(std::size_t bad, SignalClass kind, double now) {
    int sent = 0;
    std::vector<Assignment> on_way;
    while (scheduler->waiting() > 0 || !on_way.empty()) {
      for (const Assignment& one : on_way) {
        if (one.route != bad) {
          answer(one, now);
        } else if (fail(one, kind, now).verdict == Verdict::give_up) {
          ++given_up;
        }
      }
      on_way = decide(now);
      for (const Assignment& one : on_way) {
        sent += one.route == bad ? 1 : 0;
      }
      now += 1;
    }
    return sent;
  }

  int given_up = 0;
};

// --- Dead keys ---

TEST_F(HealthTest, a_dead_key_costs_two_requests) {
  start(3, {.dead_key_recheck = seconds(60)});
  add(500, 0);
  double now = 0;
  int refused = 0;
  while (scheduler->waiting() + scheduler->in_flight() > 0) {
    for (const Assignment& one : decide(now)) {
      if (one.route == 0) {
        ++refused;
        EXPECT_EQ(fail(one, SignalClass::auth, now).verdict, Verdict::again);
      } else {
        answer(one, now);
        if (now < 300) {
          add(1, now);
        }
      }
    }
    now += 1;
  }
  EXPECT_EQ(refused, 2);
  EXPECT_FALSE(scheduler->route_status(at(now))[0].usable);
}

/// One key in eight is met by failures of the server, the last one works, all others are rejected:
/// what rejects keys is alive, and the endpoint is not rested until the last key is found.
TEST_F(HealthTest, many_keys_that_fail_do_not_rest_the_endpoint_of_one_that_works) {
  constexpr std::size_t kKeys = 128;
  start(kKeys, {.in_flight_max = 8});
  add(20, 0);
  double now = 0;
  std::optional<double> found;
  std::vector<Assignment> on_way;
  while (!found && now < 120) {
    for (const Assignment& one : on_way) {
      if (one.route == kKeys - 1) {
        answer(one, now);
        found = now;
      } else {
        static_cast<void>(
            fail(one, one.route % 8 == 0 ? SignalClass::transient : SignalClass::auth, now));
      }
    }
    on_way = decide(now);
    now += 0.1;
  }
  ASSERT_TRUE(found.has_value());
  EXPECT_LT(*found, 12);
}

TEST_F(HealthTest, a_key_that_was_rejected_by_mistake_comes_back) {
  start(1, {.dead_key_recheck = seconds(60)});
  add(5, 0);
  EXPECT_EQ(fail(decide(0).at(0), SignalClass::auth, 0).verdict, Verdict::again);
  EXPECT_TRUE(scheduler->has_usable_route(0));
  EXPECT_TRUE(decide(59).empty());
  EXPECT_EQ(scheduler->next_decision(at(59)), at(60));
  const std::vector<Assignment> check = decide(60);
  ASSERT_EQ(check.size(), 1U);
  answer(check[0], 61);
  EXPECT_TRUE(scheduler->route_status(at(61))[0].usable);
  EXPECT_EQ(decide(61).size(), 4U);
}

TEST_F(HealthTest, a_key_that_is_rejected_twice_is_gone) {
  start(1, {.dead_key_recheck = seconds(60)});
  add(2, 0);
  fail(decide(0).at(0), SignalClass::auth, 0);
  EXPECT_EQ(fail(decide(60).at(0), SignalClass::auth, 61).verdict, Verdict::give_up);
  EXPECT_FALSE(scheduler->has_usable_route(0));
}

// --- Sick routes and poisoned items ---

TEST_F(HealthTest, a_dead_keys_check_waits_for_the_breakers_one_request) {
  start_two_models();
  // Route 0 fails while 1 goes on, which keeps the endpoint's breaker closed.
  add(40, 0.1, 1);
  for (const Assignment& one : decide(0.1)) {
    answer(one, 0.2);
  }
  add(8, 0.3, 0);
  for (const Assignment& one : decide(0.3)) {
    fail(one, SignalClass::transient, 0.4);
  }
  ASSERT_EQ(scheduler->route_status(at(0.5))[0].reason, "breaker open");
  std::vector<Assignment> probe;
  for (double now = 1; now < 5 && probe.empty(); now += 0.1) {
    probe = decide(now);
  }
  ASSERT_EQ(probe.size(), 1U);
  // It is not answered for minutes; meanwhile the key is refused over route 1.
  refuse_key_over_route_1(6);
  for (double now = 60; now < 80; now += 0.5) {
    EXPECT_TRUE(decide(now).empty()) << now;
  }
  answer(probe[0], 80);
  EXPECT_EQ(decide(80.1).size(), 1U) << "the check of the key";
}

TEST_F(HealthTest, a_dead_keys_check_waits_until_the_breaker_lets_it_through) {
  start_two_models();
  add(40, 0.1, 1);
  const auto slow_b = decide(0.1);
  add(8, 0.3, 0);
  const auto slow_a = decide(0.3);
  ASSERT_EQ(slow_b.size(), 40U);
  ASSERT_EQ(slow_a.size(), 8U);
  refuse_key_over_route_1(5);
  for (const Assignment& one : slow_b) {
    answer(one, 63.9);
  }
  for (const Assignment& one : slow_a) {
    EXPECT_EQ(fail(one, SignalClass::transient, 64).verdict, Verdict::again);
  }
  std::vector<Assignment> check;
  double now = 64;
  for (; now < 70 && check.empty(); now += 0.1) {
    check = decide(now);
  }
  ASSERT_EQ(check.size(), 1U);
  ASSERT_EQ(check[0].route, 0U);
  answer(check[0], now + 0.1);
  EXPECT_TRUE(scheduler->route_status(at(now + 0.2))[0].usable);
  int sent = 0;
  for (now += 0.2; now < 600; now += 0.5) {
    for (const Assignment& one : decide(now)) {
      answer(one, now + 0.1);
      ++sent;
    }
  }
  EXPECT_EQ(sent, 7) << "the route is open again";
}

TEST_F(HealthTest, a_persons_decision_outlasts_a_dead_key) {
  start(1, {.dead_key_recheck = seconds(60)});
  prove(0);
  add(4, 0.1);
  for (const Assignment& one : decide(0.1)) {
    fail(one, SignalClass::auth, 0.2);
  }
  add(1, 0.3);
  EXPECT_TRUE(scheduler->disable_route(0, "by hand"));
  EXPECT_FALSE(scheduler->disable_route(0, "by hand"));
  EXPECT_EQ(scheduler->route_status(at(1))[0].reason, "by hand");
  for (double now = 1; now < 300; now += 1) {
    ASSERT_TRUE(decide(now).empty()) << now;
  }
  EXPECT_TRUE(scheduler->enable_route(0, at(300)));
  EXPECT_FALSE(decide(300).empty());
}

TEST_F(HealthTest, what_a_sick_route_fails_is_not_counted_against_the_items) {
  for (const SignalClass kind :
       {SignalClass::transient, SignalClass::bad_request, SignalClass::broken}) {
    world = World();
    next_ticket = 0;
    start(3);
    prove(0);
    add(200, 1);
    const int sent = play(0, kind, 1);
    EXPECT_EQ(given_up, 0) << to_string(kind);
    EXPECT_LE(sent, 90) << to_string(kind);
  }
}

TEST_F(HealthTest, a_poisoned_item_ends_by_its_own_budget_and_opens_no_breaker) {
  start(2);
  prove(0);
  add(1, 0);  // ticket 2: whoever takes it fails
  const std::uint32_t poison = next_ticket - 1;
  add(40, 0);
  bool ended = false;
  for (double now = 0; now < 200; now += 0.5) {
    for (const Assignment& one : decide(now)) {
      if (one.ticket.value != poison) {
        answer(one, now);
        add(1, now);
      } else if (fail(one, SignalClass::transient, now).verdict == Verdict::give_up) {
        ended = true;
      }
    }
    for (const RouteStatus& route : scheduler->route_status(at(now))) {
      EXPECT_FALSE(route.closed_until.has_value());
    }
  }
  EXPECT_TRUE(ended);
}

// --- Overload ---

TEST_F(HealthTest, overload_of_one_model_leaves_the_others_of_the_endpoint_alone) {
  const std::size_t endpoint = world.endpoint("alpha");
  world.route(world.model("a"), endpoint, {}, 0);
  world.route(world.model("b"), endpoint, {}, 0);
  scheduler = std::make_unique<Scheduler>(world.topology(), test::without_ramp());
  scheduler->add({.ticket = {0}, .model = 0}, at(0));
  fail(decide(0).at(0), SignalClass::overload, 0);
  scheduler->add({.ticket = {1}, .model = 1}, at(0));
  const std::vector<Assignment> sent = decide(0);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].ticket.value, 1U);
}

TEST_F(HealthTest, after_an_overload_fewer_are_in_flight_over_all_keys) {
  start(2);
  prove(0);
  add(300, 1);
  std::vector<Assignment> sent = decide(1);
  EXPECT_EQ(sent.size(), 300U);
  fail(sent.back(), SignalClass::overload, 2);
  sent.pop_back();
  for (const Assignment& one : sent) {
    answer(one, 2);
  }
  add(300, 10);
  EXPECT_EQ(decide(40).size(), 210U);
}

TEST_F(HealthTest, begins_with_a_window_where_nothing_is_declared) {
  start(2, {.window_first = 32});
  prove(0);
  add(300, 1);
  EXPECT_EQ(decide(1).size(), 32U);
}

// --- The budget of all retries ---

TEST_F(HealthTest, retries_beyond_a_tenth_of_the_answers_wait) {
  start(1);
  prove(0);
  add(100, 1);
  std::vector<Assignment> sent = decide(1);
  // One in four fails; the breaker stays closed.
  for (std::size_t i = 0; i < sent.size(); ++i) {
    i % 4 == 0 ? static_cast<void>(fail(sent[i], SignalClass::broken, 2)) : answer(sent[i], 2);
  }
  EXPECT_EQ(scheduler->waiting(), 25U);
  // Broken answers are repeated after at most two seconds, as far as the budget goes.
  const std::size_t soon = decide(4.5).size();
  EXPECT_GE(soon, 10U);
  EXPECT_LE(soon, 20U);
  EXPECT_EQ(soon + decide(30).size(), 25U);
}

// --- Silence ---

TEST_F(HealthTest, limits_of_silence_follow_what_the_route_has_shown) {
  start(1);
  prove(0);
  double now = 0;
  const auto limits = [&](bool shows_life) {
    scheduler->add({.ticket = {next_ticket++}, .max_output_tokens = 1000}, at(now));
    const Assignment one = decide(now).at(0);
    const SilenceLimits result = scheduler->silence_limits(one, shows_life);
    now += 4;
    scheduler->answered(one, 1000, 200, {}, at(now), {.first_token = base::from_seconds(1)});
    return result;
  };
  EXPECT_EQ(limits(false).first_byte, seconds(600));
  EXPECT_EQ(limits(true).first_byte, seconds(60));
  for (int i = 0; i < 300; ++i) {
    limits(false);
  }
  EXPECT_EQ(limits(true).first_byte, seconds(30));
  EXPECT_NEAR(base::seconds(limits(false).first_byte), 60 + 2 * 0.02 * 1000, 0.1);
}

TEST_F(HealthTest, the_slot_of_a_silent_request_is_held_for_a_while) {
  const std::size_t model = world.model("m");
  world.route(model, world.endpoint("alpha"), {world.domain("d", {test::slots(1)})});
  scheduler = std::make_unique<Scheduler>(world.topology(), test::without_ramp());
  add(1, 0);
  EXPECT_EQ(fail(decide(0).at(0), SignalClass::stall, 100).verdict, Verdict::again);
  EXPECT_EQ(scheduler->next_decision(at(100)), at(110));
}

}  // namespace
}  // namespace sortie::sched
