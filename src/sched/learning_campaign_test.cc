#include "sortie/quota/learner.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_campaign.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

TEST(LearningCampaign, refusals_by_chance_are_not_taken_for_a_limit) {
  const auto keys = servers(Shape::bucket, Units::requests, {200, 200}, 1);
  const World world = world_of(keys, false);
  for (const double share : {0.01, 0.02, 0.04, 0.08, 0.2}) {
    const Conditions clean{.seed = 11, .named = false, .hints = false};
    Conditions refusing = clean;
    refusing.refused_by_chance = share;
    const CampaignOutcome known = LearningCampaign(world.topology(), keys, clean).run();
    const CampaignOutcome outcome = LearningCampaign(world.topology(), keys, refusing).run();
    EXPECT_EQ(outcome.answered, known.answered);
    EXPECT_GT(outcome.refused_by_chance, 0U);
    EXPECT_LE(outcome.makespan, 2.5 * known.makespan) << share;
  }
}

/// The share that servers seem to refuse by chance, at most, and in the end.
struct ByChance {
  double most = 0;
  double last = 0;
};

ByChance seen_by_chance(const std::vector<ServerKey>& keys, std::uint64_t seed) {
  static ByChance seen;
  seen = {};
  const World world = world_of(keys, false);
  const Conditions conditions{.seed = seed, .named = false, .hints = false};
  LearningCampaign campaign(world.topology(), keys, conditions);
  campaign.observer = [](const LearningCampaign& now) {
    seen.last = 0;
    for (const auto& domain : now.scheduler().domain_status(now.now())) {
      seen.last = std::max(seen.last, domain.refused_by_chance);
    }
    seen.most = std::max(seen.most, seen.last);
  };
  EXPECT_GT(campaign.run().refused, 0U);
  return seen;
}

class BareLimits : public testing::TestWithParam<Case> {};

TEST_P(BareLimits, are_not_taken_for_chance) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(seen_by_chance(GetParam().keys, seed).most, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    BareLimits,
    testing::Values(
        Case{"bucket", servers(Shape::bucket, Units::requests, {10, 5, 0.5}, 1)},
        Case{"sliding_second", servers(Shape::sliding, Units::requests, {10, 5, 2}, 1)},
        Case{"sliding_minute", servers(Shape::sliding, Units::requests, {10, 5, 0.5}, 60)},
        Case{"aligned_minute", servers(Shape::aligned, Units::requests, {10, 5, 0.5}, 60)},
        Case{"token_minute", servers(Shape::aligned, Units::tokens, {20'000, 5'000}, 60)},
        Case{"reserved_tokens", servers(Shape::bucket, Units::tokens_and_max, {30'000, 9'000}, 10)},
        Case{"slots",
             {{{ExactLimit::slots(60)}}, {{ExactLimit::slots(15)}}, {{ExactLimit::slots(2)}}}}),
    [](const auto& one) { return one.param.name; });

TEST(LearningCampaign, limits_that_look_like_chance_for_a_while_are_found_out) {
  const auto minute_bucket = servers(Shape::bucket, Units::requests, {10, 5, 0.5}, 60);
  const auto tokens = servers(Shape::bucket, Units::tokens, {20'000, 10'000, 5'000}, 1);
  std::size_t looked_like_it = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    for (const auto& keys : {minute_bucket, tokens}) {
      const ByChance seen = seen_by_chance(keys, seed);
      EXPECT_EQ(seen.last, 0) << seed;
      looked_like_it += seen.most > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(looked_like_it, 0U) << "these servers test nothing";
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
