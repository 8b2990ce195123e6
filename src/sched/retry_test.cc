#include "sortie/sched/retry.h"

#include "sortie/sched/test_support.h"

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using quota::SignalClass;

constexpr RetryBudget kBudget;

/// Failures of this class until the turn is given up, `most` at most.
int attempts(SignalClass kind, int most = 1000, bool was_probe = false) {
  TurnHistory history;
  for (int i = 1; i <= most; ++i) {
    if (after_failure(kind, was_probe, kBudget, history, 0.5).give_up) {
      return i;
    }
  }
  return most;
}

TEST(Retry, limits_and_dead_routes_consume_no_attempt) {
  for (const SignalClass kind : {SignalClass::throttle,
                                 SignalClass::concurrency,
                                 SignalClass::daily_cap,
                                 SignalClass::ramp,
                                 SignalClass::out_of_money,
                                 SignalClass::auth,
                                 SignalClass::wrong_name,
                                 SignalClass::wrong_model}) {
    EXPECT_EQ(attempts(kind), 1000) << quota::to_string(kind);
    TurnHistory history;
    const RetryDecision decision = after_failure(kind, false, kBudget, history, 0.9);
    EXPECT_EQ(decision.wait, base::Duration::zero()) << quota::to_string(kind);
    EXPECT_EQ(decision.next, NextRoute::any) << quota::to_string(kind);
  }
}

TEST(Retry, each_class_has_its_budget) {
  EXPECT_EQ(attempts(SignalClass::transient), 6);
  EXPECT_EQ(attempts(SignalClass::not_processed), 20);
  EXPECT_EQ(attempts(SignalClass::broken), 4);
  EXPECT_EQ(attempts(SignalClass::stall), 3);
  EXPECT_EQ(attempts(SignalClass::bad_request), 2);
  EXPECT_EQ(attempts(SignalClass::overload), 5 + 6);
}

TEST(Retry, classes_that_count_share_one_budget) {
  TurnHistory history;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(after_failure(SignalClass::broken, false, kBudget, history, 0).give_up);
  }
  EXPECT_FALSE(after_failure(SignalClass::stall, false, kBudget, history, 0).give_up);
  EXPECT_FALSE(after_failure(SignalClass::transient, false, kBudget, history, 0).give_up);
  EXPECT_TRUE(after_failure(SignalClass::transient, false, kBudget, history, 0).give_up);
}

TEST(Retry, budgets_can_be_changed) {
  TurnHistory history;
  EXPECT_TRUE(after_failure(SignalClass::transient, false, {.counted_max = 1}, history, 0).give_up);
  TurnHistory other;
  EXPECT_TRUE(
      after_failure(SignalClass::not_processed, false, {.uncounted_max = 1}, other, 0).give_up);
}

TEST(Retry, transient_waits_grow_from_half_a_second_to_twenty) {
  TurnHistory history;
  const RetryBudget budget{.counted_max = 100};
  for (const double most : {1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0}) {
    TurnHistory same = history;
    const auto least = after_failure(SignalClass::transient, false, budget, same, 0).wait;
    EXPECT_NEAR(base::seconds(least), 0.5, 1e-6);
    const auto longest = after_failure(SignalClass::transient, false, budget, history, 1).wait;
    EXPECT_NEAR(base::seconds(longest), most, 1e-6);
  }
}

TEST(Retry, waits_of_the_other_classes_are_short) {
  const auto longest = [](SignalClass kind) {
    TurnHistory history;
    return base::seconds(after_failure(kind, false, kBudget, history, 1).wait);
  };
  EXPECT_NEAR(longest(SignalClass::not_processed), 0.2, 1e-6);
  EXPECT_NEAR(longest(SignalClass::broken), 2.0, 1e-6);
  EXPECT_EQ(longest(SignalClass::stall), 0.0);
  EXPECT_EQ(longest(SignalClass::overload), 0.0);
  EXPECT_EQ(longest(SignalClass::bad_request), 0.0);
}

TEST(Retry, connections_that_fail_again_and_again_are_waited_for) {
  TurnHistory history;
  for (const double most : {0.2, 0.2, 0.2, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0}) {
    const auto wait = after_failure(SignalClass::not_processed, false, kBudget, history, 1).wait;
    EXPECT_NEAR(base::seconds(wait), most, 1e-6);
  }
}

TEST(Retry, sick_routes_are_avoided_and_refusing_ones_left_alone) {
  const auto next = [](SignalClass kind) {
    TurnHistory history;
    return after_failure(kind, false, kBudget, history, 0).next;
  };
  EXPECT_EQ(next(SignalClass::transient), NextRoute::prefer_other);
  EXPECT_EQ(next(SignalClass::stall), NextRoute::prefer_other);
  EXPECT_EQ(next(SignalClass::overload), NextRoute::prefer_other);
  EXPECT_EQ(next(SignalClass::bad_request), NextRoute::only_other);
  EXPECT_EQ(next(SignalClass::not_processed), NextRoute::any);
}

TEST(Retry, a_failed_probe_is_not_held_against_the_turn) {
  for (const SignalClass kind : {SignalClass::transient, SignalClass::stall, SignalClass::broken}) {
    EXPECT_EQ(attempts(kind, 1000, true), 20) << quota::to_string(kind);
    TurnHistory history;
    const RetryDecision decision = after_failure(kind, true, kBudget, history, 1);
    EXPECT_GE(decision.wait, base::from_seconds(0.5));
    EXPECT_EQ(history.counted, 0);
  }
  EXPECT_EQ(attempts(SignalClass::bad_request, 1000, true), 2);
}

}  // namespace
}  // namespace sortie::sched
