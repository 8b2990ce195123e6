#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_campaign.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

// One route takes ten times as long as the other: which turns go there, and when a campaign ends.

namespace sortie::sched {
namespace {

using test::at;
using test::CampaignOutcome;
using test::Conditions;
using test::ExactLimit;
using test::LearningCampaign;
using test::ServerKey;
using test::slots;
using test::Units;
using test::World;

constexpr std::size_t kFast = 0;
constexpr std::size_t kSlow = 1;
constexpr double kFastSeconds = 4;
constexpr double kSlowSeconds = 40;

/// A model with a fast and a slow route, and one that has only the slow one's limit; each limit is
/// one slot.
World two_routes() {
  World world;
  const std::size_t endpoint = world.endpoint("alpha");
  const std::size_t fast = world.domain("fast", {slots(1)});
  const std::size_t slow = world.domain("slow", {slots(1)});
  const std::size_t model = world.model("m");
  const std::size_t other = world.model("n");
  world.route(model, endpoint, {fast});
  world.route(model, endpoint, {slow});
  world.route(other, endpoint, {slow});
  return world;
}

class SlowRoute : public testing::Test {
 protected:
  SlowRoute() {
    for (int i = 0; i < 10; ++i) {  // nothing is known yet: both are used
      add(1);
      add(1);
      std::vector<Assignment> both = decide();
      EXPECT_EQ(both.size(), 2U);
      std::sort(both.begin(), both.end(), [](const Assignment& a, const Assignment& b) {
        return a.route < b.route;
      });
      now_ += base::from_seconds(kFastSeconds);
      answer(both[kFast]);
      now_ += base::from_seconds(kSlowSeconds - kFastSeconds);
      answer(both[kSlow]);
    }
    for (int i = 0; i < 300; ++i) {  // all answers of a route take equally long
      add(1);
      const std::vector<Assignment> one = decide();
      EXPECT_EQ(one.size(), 1U);
      EXPECT_EQ(one.front().route, kFast);
      now_ += base::from_seconds(kFastSeconds);
      answer(one.front());
    }
  }

  Ticket add(double remaining_turns, std::size_t model = 0) {
    const Ticket ticket{next_++};
    scheduler_.add({.ticket = ticket, .model = model, .remaining_turns = remaining_turns}, now_);
    return ticket;
  }

  std::vector<Assignment> decide() {
    std::vector<Assignment> out;
    scheduler_.decide(now_, out);
    return out;
  }

  void answer(const Assignment& assignment) { scheduler_.answered(assignment, 0, 0, {}, now_); }

  static std::optional<std::size_t> route_of(Ticket ticket, const std::vector<Assignment>& all) {
    for (const Assignment& one : all) {
      if (one.ticket == ticket) {
        return one.route;
      }
    }
    return std::nullopt;
  }

  World world_ = two_routes();
  Scheduler scheduler_{world_.topology(), test::without_ramp()};
  base::Instant now_ = at(0);
  std::uint32_t next_ = 0;
};

TEST_F(SlowRoute, serves_the_shortest_dialogue_while_the_longest_wait_for_a_fast_one) {
  const Ticket longest = add(30);
  const Ticket middle = add(20);
  const Ticket shortest = add(2);
  const std::vector<Assignment> all = decide();
  EXPECT_EQ(route_of(longest, all), kFast);
  EXPECT_EQ(route_of(middle, all), std::nullopt);
  EXPECT_EQ(route_of(shortest, all), kSlow);
}

TEST_F(SlowRoute, serves_nothing_when_the_fast_ones_end_all_sooner) {
  add(1);
  add(1);
  add(1);
  for (int left = 3; left > 0; --left) {
    const std::vector<Assignment> one = decide();
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one.front().route, kFast);
    EXPECT_EQ(scheduler_.next_decision(now_), std::nullopt);
    now_ += base::from_seconds(kFastSeconds);
    answer(one.front());
  }
}

TEST_F(SlowRoute, is_taken_by_all_when_there_is_no_other) {
  scheduler_.disable_route(kFast, "a person's decision");
  const Ticket ticket = add(30);
  EXPECT_EQ(scheduler_.next_decision(now_), now_);
  EXPECT_EQ(route_of(ticket, decide()), kSlow);
}

TEST_F(SlowRoute, is_taken_when_it_answers_before_a_fast_one_opens) {
  add(1);
  const std::vector<Assignment> one = decide();
  scheduler_.failed(
      one.front(), test::signal(quota::SignalClass::throttle, std::chrono::seconds(100)), now_);
  const std::vector<Assignment> again = decide();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again.front().route, kSlow);
}

TEST_F(SlowRoute, is_not_claimed_by_those_who_wait_for_a_fast_one) {
  add(1);
  add(1);
  ASSERT_EQ(decide().size(), 1U);
  const Ticket of_other = add(1, 1);
  EXPECT_EQ(route_of(of_other, decide()), kSlow + 1);
}

double makespan(const std::vector<ServerKey>& keys, double slowness, std::uint64_t seed) {
  World world;
  const std::size_t model = world.model("m");
  const std::size_t endpoint = world.endpoint("alpha");
  for (const ServerKey& key : keys) {
    const ExactLimit& limit = key.limits.front();
    const bool is_slots = limit.shape() == ExactLimit::Shape::slots;
    const auto declared = is_slots ? slots(limit.rate()) : test::rpm(60 * limit.rate());
    world.route(model, endpoint, {world.domain("key", {declared})});
  }
  const Conditions conditions{.seed = seed, .slowness = slowness, .tells_backlog = true};
  const CampaignOutcome outcome = LearningCampaign(world.topology(), keys, conditions).run();
  EXPECT_EQ(outcome.refused, 0U);
  EXPECT_EQ(outcome.vain_decisions, 0U);
  return outcome.makespan;
}

// Ten times as slow a key with as many slots brings 5 % at most, and nothing at the end.
TEST(SlowRouteCampaign, a_slow_key_costs_no_time) {
  const ServerKey key{{ExactLimit::slots(20)}};
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    EXPECT_LT(makespan({key, key, key}, 10, seed), 1.01 * makespan({key, key}, 1, seed));
  }
}

TEST(SlowRouteCampaign, a_key_half_as_fast_brings_its_share) {
  const ServerKey key{{ExactLimit::slots(20)}};
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    // 2.4 keys' worth instead of 2; a part of it is lost at the end.
    EXPECT_LT(makespan({key, key, key}, 2.5, seed), 0.88 * makespan({key, key}, 1, seed));
  }
}

// A limit of requests is worth as much on a slow key, until shortly before the end.
TEST(SlowRouteCampaign, a_slow_key_brings_its_rate) {
  const ServerKey key{{ExactLimit(ExactLimit::Shape::bucket, Units::requests, 3, 1)}};
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    EXPECT_LT(makespan({key, key, key}, 10, seed), 0.85 * makespan({key, key}, 1, seed));
  }
}

}  // namespace
}  // namespace sortie::sched
