#include "sortie/quota/learner.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_campaign.h"
#include "sortie/sched/test_support.h"

#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

// Whole campaigns of 1,500 dialogues against servers whose limits nobody told, beside the same
// campaign with the limits declared: what is lost by not knowing.

namespace sortie::sched {
namespace {

using test::CampaignOutcome;
using test::Conditions;
using test::ExactLimit;
using test::LearningCampaign;
using test::ServerKey;
using test::Units;
using test::World;
using Shape = ExactLimit::Shape;

std::vector<ServerKey> servers(Shape shape,
                               Units units,
                               const std::vector<double>& rates,
                               double window_seconds) {
  std::vector<ServerKey> result;
  for (const double rate : rates) {
    result.push_back({{ExactLimit(shape, units, rate, window_seconds)}});
  }
  return result;
}

quota::Limit declared(const ExactLimit& limit, double factor) {
  if (limit.shape() == Shape::slots) {
    return test::slots(limit.rate());
  }
  const double per_minute = 60 * factor * limit.rate();
  quota::Limit result =
      limit.units() == Units::requests ? test::rpm(per_minute) : test::tpm(per_minute);
  if (limit.units() == Units::tokens_and_max) {
    result.cost = quota::TokenCost::input_plus_max;
  }
  return result;
}

/// One model; a route for each server, with its limits declared or not.
World world_of(const std::vector<ServerKey>& keys, bool is_declared, double factor = 1) {
  World world;
  const std::size_t model = world.model("m");
  const std::size_t endpoint = world.endpoint("alpha");
  for (const ServerKey& key : keys) {
    if (is_declared) {
      const std::size_t domain = world.domain("key", {declared(key.limits.front(), factor)});
      world.route(model, endpoint, {domain});
    } else {
      world.route(model, endpoint, {});
    }
  }
  return world;
}

struct Case {
  std::string name;
  std::vector<ServerKey> keys;
  bool named = true;
};

class HiddenLimits : public testing::TestWithParam<Case> {};

TEST_P(HiddenLimits, cost_little_time_and_few_refusals) {
  const Case& one = GetParam();
  const Conditions conditions{.seed = 11, .named = one.named};
  const World told = world_of(one.keys, true);
  const World untold = world_of(one.keys, false);
  const CampaignOutcome known = LearningCampaign(told.topology(), one.keys, conditions).run();
  const CampaignOutcome learned = LearningCampaign(untold.topology(), one.keys, conditions).run();
  EXPECT_EQ(learned.answered, known.answered);
  EXPECT_EQ(learned.given_up, 0U);
  EXPECT_EQ(learned.beyond_gate, 0U);
  EXPECT_LE(learned.makespan, 1.05 * known.makespan);
  const double answered = static_cast<double>(learned.answered);
  EXPECT_LE(static_cast<double>(learned.refused_early), 0.01 * answered);
  EXPECT_LE(static_cast<double>(learned.refused - learned.refused_early), 0.01 * answered);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    HiddenLimits,
    testing::Values(
        Case{"requests", servers(Shape::bucket, Units::requests, {10, 5, 2.5}, 1)},
        Case{"equal_keys", servers(Shape::bucket, Units::requests, {5.83, 5.83, 5.83}, 1)},
        Case{"sliding_second", servers(Shape::sliding, Units::requests, {10, 5, 2}, 1)},
        Case{"minute_bucket", servers(Shape::bucket, Units::requests, {10, 5, 2.5}, 60)},
        Case{"tokens", servers(Shape::bucket, Units::tokens, {20'000, 10'000, 5'000}, 1)},
        Case{"slots",
             {{{ExactLimit::slots(60)}}, {{ExactLimit::slots(30)}}, {{ExactLimit::slots(15)}}}},
        Case{"bare_requests", servers(Shape::bucket, Units::requests, {10, 5, 2.5}, 1), false},
        Case{"bare_slots",
             {{{ExactLimit::slots(60)}}, {{ExactLimit::slots(30)}}, {{ExactLimit::slots(15)}}},
             false}),
    [](const auto& one) { return one.param.name; });

TEST(LearningCampaign, declared_limits_above_the_true_ones_are_learned_downwards) {
  const auto keys = servers(Shape::bucket, Units::requests, {10, 5, 2.5}, 1);
  const World right = world_of(keys, true);
  const World wrong = world_of(keys, true, 1.3);
  const Conditions conditions{.seed = 11};
  const CampaignOutcome known = LearningCampaign(right.topology(), keys, conditions).run();
  const CampaignOutcome learned = LearningCampaign(wrong.topology(), keys, conditions).run();
  EXPECT_LE(learned.makespan, 1.05 * known.makespan);
  EXPECT_LE(learned.refusals(), 0.01);
}

TEST(LearningCampaign, minute_windows_with_long_hints_lose_no_turn) {
  std::vector<ServerKey> keys = servers(Shape::sliding, Units::tokens, {400'000.0 / 60}, 60);
  const World world = world_of(keys, false);
  const Conditions conditions{.seed = 11, .dialogues = 300, .hint_fixed = 50};
  const CampaignOutcome outcome = LearningCampaign(world.topology(), keys, conditions).run();
  EXPECT_EQ(outcome.given_up, 0U);
  EXPECT_EQ(outcome.beyond_gate, 0U);
  EXPECT_GE(outcome.eta(), 0.8);
  EXPECT_LE(outcome.refusals(), 0.01);
}

TEST(LearningCampaign, what_is_learned_makes_the_next_run_start_without_a_ramp) {
  const auto keys = servers(Shape::bucket, Units::requests, {10, 5, 2.5}, 1);
  const World world = world_of(keys, false);
  LearningCampaign first(world.topology(), keys, {.seed = 11});
  const CampaignOutcome cold = first.run();
  SchedulerOptions options;
  options.remembered = first.scheduler().learned();
  ASSERT_EQ(options.remembered.size(), 3U);
  EXPECT_NEAR(options.remembered[0].limits.at(0).value, 10, 0.7);
  LearningCampaign second(world.topology(), keys, {.seed = 11}, options);
  const CampaignOutcome warm = second.run();
  EXPECT_LT(warm.refused_early, cold.refused_early);
  EXPECT_LE(warm.makespan, 1.01 * cold.makespan);
}

TEST(LearningCampaign, is_the_same_each_time) {
  const auto keys = servers(Shape::bucket, Units::tokens, {20'000, 5'000}, 1);
  const World world = world_of(keys, false);
  const Conditions conditions{.seed = 11, .dialogues = 300};
  const CampaignOutcome first = LearningCampaign(world.topology(), keys, conditions).run();
  const CampaignOutcome second = LearningCampaign(world.topology(), keys, conditions).run();
  EXPECT_EQ(first.makespan, second.makespan);
  EXPECT_EQ(first.refused_at, second.refused_at);
}

}  // namespace
}  // namespace sortie::sched
