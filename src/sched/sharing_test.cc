#include "sortie/quota/rate_learner.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/sharing_evidence.h"
#include "sortie/sched/sharing_trial.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

// Pools that are one limit: suspicion, trial, and what a scheduler does that knows it. Whole
// campaigns: testbed's run_test.cc.

namespace sortie::sched {
namespace {

using Verdict = SharingTrial::Verdict;

TEST(SharingEvidence, grows_when_one_load_falls_as_the_other_rises) {
  SharingEvidence evidence;
  for (const double load : {3.0, 3.5, 2.8, 3.3}) {
    evidence.refused(0, {load, 6 - load});
    evidence.refused(1, {load, 6 - load});
  }
  EXPECT_GT(evidence.of(0, 1), 5);
  EXPECT_EQ(evidence.of(0, 1), evidence.of(1, 0));
}

TEST(SharingEvidence, falls_when_a_pool_is_refused_at_its_own_load_whatever_the_other_does) {
  SharingEvidence evidence;
  for (const double other : {3.0, 3.5, 2.8, 3.3}) {
    evidence.refused(0, {3.0, other});
  }
  EXPECT_LT(evidence.of(0, 1), -3);
}

TEST(SharingEvidence, says_nothing_of_pools_that_cannot_be_compared_or_do_not_move) {
  SharingEvidence evidence;
  evidence.refused(0, {3.0, std::nullopt, 5.0});
  evidence.refused(0, {4.0, 2.0, 5.0});
  EXPECT_EQ(evidence.of(0, 1), 0);
  EXPECT_EQ(evidence.of(0, 2), 0);
}

/// Two keys sent to as fast as their learners let them, behind buckets of one second.
class TwoKeys {
 public:
  /// `rates`: of each bucket; `of_key`: which bucket a key draws on.
  TwoKeys(std::vector<double> rates, std::vector<std::size_t> of_key)
      : rates_(std::move(rates)), of_key_(std::move(of_key)), level_(rates_) {
    for (quota::RateLearner& key : keys_) {
      // One episode, so that there is something to count from.
      const auto ticket = key.reserve(now_, 1);
      (void)key.refused(now_, ticket, now_);
      key.start_at(now_, kBelieved, 1);
      key.set_probing(false);
    }
    // A while at that pace.
    for (int i = 0; i < 3000; ++i) {
      now_ += std::chrono::milliseconds(10);
      for (quota::RateLearner& key : keys_) {
        if (key.earliest(now_, 1) <= now_) {
          (void)key.reserve(now_, 1);
        }
      }
    }
  }

  Verdict verdict() {
    SharingTrial trial({.pool = 0, .rate = &keys_[0]}, {.pool = 1, .rate = &keys_[1]}, {}, now_);
    Verdict verdict = Verdict::open;
    for (int i = 0; i < 20'000 && verdict == Verdict::open; ++i) {
      now_ += std::chrono::milliseconds(10);
      for (std::size_t bucket = 0; bucket < rates_.size(); ++bucket) {
        level_[bucket] = std::min(rates_[bucket], level_[bucket] + 0.01 * rates_[bucket]);
      }
      for (std::size_t key = 0; key < keys_.size() && verdict == Verdict::open; ++key) {
        verdict = send(key, trial);
      }
    }
    trial.end(verdict, now_);
    return verdict;
  }

  [[nodiscard]] double pace(std::size_t key) const { return keys_[key].pace(); }

  static constexpr double kBelieved = 5;

 private:
  Verdict send(std::size_t key, SharingTrial& trial) {
    if (now_ < closed_[key] || keys_[key].earliest(now_, 1) > now_) {
      return Verdict::open;
    }
    const auto ticket = keys_[key].reserve(now_, 1);
    double& level = level_[of_key_[key]];
    if (level >= 1) {
      level -= 1;
      return trial.check(now_);
    }
    closed_[key] = now_ + std::chrono::seconds(1);
    return keys_[key].refused(now_, ticket, closed_[key]) ? trial.refused(key, now_)
                                                          : Verdict::open;
  }

  std::vector<double> rates_;
  std::vector<std::size_t> of_key_;
  std::vector<double> level_;
  base::Instant now_ = test::at(100);
  std::vector<quota::RateLearner> keys_{quota::RateLearner({}), quota::RateLearner({})};
  std::vector<base::Instant> closed_{base::Instant::min(), base::Instant::min()};
};

TEST(SharingTrial, finds_two_keys_behind_one_limit) {
  EXPECT_EQ(TwoKeys({10}, {0, 0}).verdict(), Verdict::shared);
}

TEST(SharingTrial, finds_two_keys_with_limits_of_their_own_apart) {
  TwoKeys keys({5, 5}, {0, 1});
  EXPECT_EQ(keys.verdict(), Verdict::apart);
  EXPECT_LE(keys.pace(0), TwoKeys::kBelieved);
  EXPECT_NEAR(keys.pace(1), TwoKeys::kBelieved, 0.01);
}

TEST(SharingTrial, does_not_take_a_limit_that_was_only_higher_than_believed_for_a_common_one) {
  EXPECT_NE(TwoKeys({6, 5}, {0, 1}).verdict(), Verdict::shared);
  EXPECT_NE(TwoKeys({6.5, 5}, {0, 1}).verdict(), Verdict::shared);
  EXPECT_NE(TwoKeys({20, 5}, {0, 1}).verdict(), Verdict::shared);
}

TEST(SharedPools, that_an_earlier_run_found_are_paced_as_one) {
  test::World world;
  const std::size_t model = world.model("m");
  const std::size_t alpha = world.endpoint("alpha");
  world.route(model, alpha, {});
  world.route(model, alpha, {});
  SchedulerOptions options;
  options.shared_limits = SharedLimits::paced;
  options.remembered = {
      {.pool = "alpha/1 + alpha/2",
       .limits = {{.kind = quota::LimitKind::requests, .value = 10, .confidence = 1}}}};
  Scheduler scheduler(world.topology(), options);
  ASSERT_EQ(scheduler.shared_pools().size(), 1U);
  EXPECT_EQ(scheduler.shared_pools()[0].members, (std::vector<std::string>{"alpha/1", "alpha/2"}));
  for (std::uint32_t ticket = 0; ticket < 1000; ++ticket) {
    scheduler.add({.ticket = {ticket}, .model = model}, test::at(0));
  }
  std::size_t bound = 0;
  for (int i = 0; i <= 1000; ++i) {
    const base::Instant now = test::at(0.01 * i);
    std::vector<Assignment> sent;
    scheduler.decide(now, sent);
    for (const Assignment& one : sent) {
      scheduler.answered(one, 10, 10, {}, now);
    }
    bound += sent.size();
  }
  // A remembered rate begins at 0.8 of it; two pools of their own would let twice as much through.
  EXPECT_GE(bound, 80U);
  EXPECT_LE(bound, 101U);
}

/// Two keys of one model that are believed to share 10 a second, and a server that lets each key
/// have its own rate; answers take a second.
class TwoRoutes {
 public:
  TwoRoutes(double first, double second, double confidence = 1, std::uint64_t seed = 0)
      : rates_{first, second}, level_{first, second} {
    const std::size_t model = world_.model("m");
    const std::size_t alpha = world_.endpoint("alpha");
    world_.route(model, alpha, {});
    world_.route(model, alpha, {});
    SchedulerOptions options;
    options.shared_limits = SharedLimits::paced;
    options.seed = seed;
    options.remembered = {
        {.pool = "alpha/1 + alpha/2",
         .limits = {{.kind = quota::LimitKind::requests, .value = 10, .confidence = confidence}}}};
    scheduler_ = std::make_unique<Scheduler>(world_.topology(), options);
    for (std::uint32_t ticket = 0; ticket < 10'000; ++ticket) {
      scheduler_->add({.ticket = {ticket}, .model = model}, now_);
    }
  }

  /// Returns what was answered.
  std::size_t play(double seconds) {
    const std::size_t before = answered_;
    const base::Instant end = now_ + base::from_seconds(seconds);
    for (; now_ < end; now_ += kStep) {
      for (std::size_t i = 0; i < rates_.size(); ++i) {
        level_[i] = std::min(rates_[i], level_[i] + base::seconds(kStep) * rates_[i]);
      }
      land();
      std::vector<Assignment> sent;
      scheduler_->decide(now_, sent);
      for (const Assignment& one : sent) {
        double& level = level_[is_common_ ? 0 : one.route];
        const bool is_refused = level < 1;
        level -= is_refused ? 0 : 1;
        auto& way = is_refused ? refused_ : in_flight_;
        way.push_back({now_ + (is_refused ? kRefusal : kAnswer), is_refused, one});
      }
    }
    return answered_ - before;
  }

  /// Both keys draw on the first one's rate.
  void share() { is_common_ = true; }

  [[nodiscard]] const Scheduler& scheduler() const { return *scheduler_; }

  [[nodiscard]] base::Instant now() const { return now_; }

 private:
  static constexpr base::Duration kStep = std::chrono::milliseconds(10);
  static constexpr base::Duration kAnswer = std::chrono::seconds(1);
  static constexpr base::Duration kRefusal = std::chrono::milliseconds(50);

  struct Sent {
    base::Instant lands;
    bool is_refused = false;
    Assignment assignment;
  };

  void land() {
    land(refused_);
    land(in_flight_);
  }

  void land(std::deque<Sent>& way) {
    while (!way.empty() && way.front().lands <= now_) {
      const Sent one = way.front();
      way.pop_front();
      if (one.is_refused) {
        (void)scheduler_->failed(one.assignment, test::signal(quota::SignalClass::throttle), now_);
      } else {
        scheduler_->answered(one.assignment, 10, 10, {}, now_);
        answered_ += 1;
      }
    }
  }

  std::vector<double> rates_;
  bool is_common_ = false;
  std::vector<double> level_;
  test::World world_;
  std::unique_ptr<Scheduler> scheduler_;
  base::Instant now_ = test::at(0);
  std::deque<Sent> in_flight_;
  std::deque<Sent> refused_;
  std::size_t answered_ = 0;
};

TEST(SharedPools, that_are_none_are_taken_apart_while_requests_are_in_flight) {
  TwoRoutes keys(1, 12);
  ASSERT_FALSE(keys.scheduler().shared_pools().at(0).is_over);
  for (int i = 0; i < 30 && !keys.scheduler().shared_pools().at(0).is_over; ++i) {
    keys.play(10);
  }
  ASSERT_TRUE(keys.scheduler().shared_pools().at(0).is_over);
  const auto status = keys.scheduler().domain_status(keys.now());
  ASSERT_EQ(status.size(), 3U);
  EXPECT_TRUE(status[2].limits.empty()) << "nothing is paced by it any more";
  EXPECT_FALSE(status[2].gate.has_value());
  // Each key has its own limit again, and both are used.
  keys.play(120);
  EXPECT_GE(keys.play(60), 600U);
  EXPECT_EQ(keys.scheduler().shared_pools().size(), 1U);
}

TEST(SharedPools, that_are_one_limit_stay_one_when_both_are_refused) {
  TwoRoutes keys(4, 4);
  keys.play(300);
  EXPECT_FALSE(keys.scheduler().shared_pools().at(0).is_over);
}

TEST(SharedPools, that_were_found_long_ago_are_only_suspected) {
  const TwoRoutes keys(10, 10, 0.2);
  EXPECT_TRUE(keys.scheduler().shared_pools().empty());
  const auto status = keys.scheduler().domain_status(keys.now());
  ASSERT_EQ(status.size(), 2U);
  for (const quota::DomainStatus& member : status) {
    ASSERT_EQ(member.limits.size(), 1U) << "each begins with its part";
    EXPECT_NEAR(member.limits[0].limit.quota, 300, 1e-9);
  }
}

TEST(SharedPools, that_were_found_long_ago_are_tried_again_and_found_again) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    TwoRoutes keys(10, 10, 0.2, seed);
    keys.share();
    for (int i = 0; i < 60 && keys.scheduler().shared_pools().empty(); ++i) {
      keys.play(10);
    }
    for (const SharedPool& one : keys.scheduler().shared_pools()) {
      EXPECT_GT(one.since, test::at(0));
      ++found;
    }
  }
  EXPECT_GE(found, 3);
}

TEST(SharedPools,
     that_were_found_long_ago_and_are_none_any_more_are_not_joined_but_listed_as_over) {
  int refuted = 0;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    TwoRoutes keys(5, 5, 0.2, seed);
    EXPECT_TRUE(keys.scheduler().shared_pools().empty());
    keys.play(900);
    for (const SharedPool& one : keys.scheduler().shared_pools()) {
      EXPECT_TRUE(one.is_over);
      EXPECT_EQ(one.name, "alpha/1 + alpha/2") << "it must replace what is remembered";
      ++refuted;
    }
  }
  EXPECT_GE(refuted, 2);
}

TEST(SharedPools, a_daily_cap_of_one_key_closes_that_key_alone) {
  test::World world;
  const std::size_t model = world.model("m");
  const std::size_t alpha = world.endpoint("alpha");
  world.route(model, alpha, {});
  world.route(model, alpha, {});
  SchedulerOptions options;
  options.shared_limits = SharedLimits::paced;
  options.remembered = {
      {.pool = "alpha/1 + alpha/2",
       .limits = {{.kind = quota::LimitKind::requests, .value = 10, .confidence = 1}}}};
  Scheduler scheduler(world.topology(), options);
  scheduler.add({.ticket = {0}, .model = model}, test::at(0));
  scheduler.add({.ticket = {1}, .model = model}, test::at(0));
  std::vector<Assignment> sent;
  scheduler.decide(test::at(2), sent);
  ASSERT_FALSE(sent.empty());
  const std::size_t closed = sent[0].route;
  (void)scheduler.failed(
      sent[0], test::signal(quota::SignalClass::daily_cap, std::chrono::hours(5)), test::at(2.1));
  const auto routes = scheduler.route_status(test::at(2.2));
  EXPECT_TRUE(routes[closed].closed_until.has_value());
  EXPECT_FALSE(routes[1 - closed].closed_until.has_value());
}

TEST(SharedPools, of_one_route_are_never_one) {
  test::World world;
  const std::size_t model = world.model("m");
  const std::size_t alpha = world.endpoint("alpha");
  const std::size_t outer = world.domain("outer", {});
  const std::size_t inner = world.domain("inner", {});
  world.route(model, alpha, {outer, inner});
  SchedulerOptions options;
  options.shared_limits = SharedLimits::paced;
  options.remembered = {
      {.pool = "outer + inner",
       .limits = {{.kind = quota::LimitKind::requests, .value = 10, .confidence = 1}}}};
  EXPECT_TRUE(Scheduler(world.topology(), options).shared_pools().empty());
}

}  // namespace
}  // namespace sortie::sched
