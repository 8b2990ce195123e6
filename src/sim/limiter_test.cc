#include "sortie/sim/limiter.h"

#include "sortie/base/time.h"
#include "sortie/sim/profile.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::sim {
namespace {

using base::Duration;
using base::Instant;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Instant at(Duration since_start) {
  return Instant(since_start);
}

RateRule rule(Shape shape, double quota, double burst = 0) {
  return {.shape = shape, .quota = quota, .window = minutes(1), .burst = burst};
}

/// Sends `count` requests evenly over `span` and returns the positions of the refused ones.
std::vector<int> refused(RateLimiter& limiter, int count, Duration span) {
  std::vector<int> out;
  for (int i = 0; i < count; ++i) {
    const Instant now = at(span * i / count);
    if (limiter.wait(1, now) > Duration::zero()) {
      out.push_back(i);
    } else {
      limiter.take(1, now);
    }
  }
  return out;
}

TEST(SlidingLog, at_one_percent_over_the_quota_exactly_the_excess_is_refused) {
  const auto limiter = make_rate_limiter(rule(Shape::sliding, 100));
  // 101 requests in one minute: the last one, at 59.4 s, finds 100 in its window.
  EXPECT_EQ(refused(*limiter, 101, minutes(1)), std::vector<int>{100});
}

TEST(SlidingLog, at_the_quota_nothing_is_refused) {
  const auto limiter = make_rate_limiter(rule(Shape::sliding, 100));
  EXPECT_TRUE(refused(*limiter, 1000, minutes(10)).empty());
}

TEST(SlidingLog, says_exactly_how_long_to_wait) {
  const auto limiter = make_rate_limiter(rule(Shape::sliding, 2));
  limiter->take(1, at(seconds(1)));
  limiter->take(1, at(seconds(5)));
  EXPECT_EQ(limiter->wait(1, at(seconds(10))), seconds(51));
  EXPECT_EQ(limiter->wait(2, at(seconds(10))), seconds(55));
  EXPECT_EQ(limiter->wait(3, at(seconds(10))), kNever);
  EXPECT_EQ(limiter->wait(1, at(seconds(61))), Duration::zero());
}

TEST(SlidingLog, a_settled_cost_replaces_the_reserved_one) {
  const auto limiter = make_rate_limiter(rule(Shape::sliding, 1000));
  const Taking taking = limiter->take(900, at(seconds(0)));
  EXPECT_GT(limiter->wait(200, at(seconds(1))), Duration::zero());
  limiter->settle(taking, 300, at(seconds(2)));
  EXPECT_EQ(limiter->wait(700, at(seconds(2))), Duration::zero());
  EXPECT_DOUBLE_EQ(limiter->used(at(seconds(2))), 300);
}

TEST(SlidingLog, settling_what_has_left_the_window_changes_nothing) {
  const auto limiter = make_rate_limiter(rule(Shape::sliding, 1000));
  const Taking taking = limiter->take(900, at(seconds(0)));
  limiter->take(100, at(seconds(59)));
  limiter->settle(taking, 0, at(seconds(61)));
  EXPECT_DOUBLE_EQ(limiter->used(at(seconds(61))), 100);
}

TEST(FixedWindow, aligned_windows_allow_two_quotas_around_a_boundary) {
  const auto limiter = make_rate_limiter(rule(Shape::fixed_aligned, 10));
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(limiter->wait(1, at(seconds(59))), Duration::zero());
    limiter->take(1, at(seconds(59)));
  }
  EXPECT_EQ(limiter->wait(1, at(seconds(59))), seconds(1));
  EXPECT_EQ(limiter->wait(10, at(seconds(60))), Duration::zero());
}

TEST(FixedWindow, from_first_use_begins_with_a_request) {
  const auto limiter = make_rate_limiter(rule(Shape::fixed_first_use, 10));
  limiter->take(10, at(seconds(59)));
  EXPECT_EQ(limiter->wait(1, at(seconds(60))), seconds(59));
  EXPECT_EQ(limiter->wait(1, at(seconds(119))), Duration::zero());
}

TEST(FixedWindow, at_one_percent_over_the_quota_exactly_the_excess_is_refused) {
  const auto limiter = make_rate_limiter(rule(Shape::fixed_aligned, 100));
  EXPECT_EQ(refused(*limiter, 202, minutes(2)), (std::vector<int>{100, 201}));
}

TEST(TokenBucket, refills_continuously) {
  const auto limiter = make_rate_limiter(rule(Shape::token_bucket, 60, 1));
  limiter->take(1, at(seconds(0)));
  EXPECT_EQ(limiter->wait(1, at(milliseconds(250))), milliseconds(750));
  EXPECT_EQ(limiter->wait(1, at(seconds(1))), Duration::zero());
}

TEST(TokenBucket, full_it_admits_its_capacity_at_once) {
  const auto limiter = make_rate_limiter(rule(Shape::token_bucket, 60, 5));
  EXPECT_EQ(limiter->wait(5, at(seconds(0))), Duration::zero());
  EXPECT_EQ(limiter->wait(6, at(seconds(0))), kNever);
}

TEST(TokenBucket, at_one_percent_over_its_rate_one_in_a_hundred_and_one_is_refused) {
  const auto limiter = make_rate_limiter(rule(Shape::token_bucket, 60, 1));
  // Admitted ones drift 1/101 of a second a request; the first is refused at once, since the bucket
  // holds only one.
  const auto out = refused(*limiter, 1010, minutes(1) * 1010 / 60 * 100 / 101);
  EXPECT_GE(out.size(), 10U);
  EXPECT_LE(out.size(), 505U);
  EXPECT_EQ(out.front(), 1);
}

TEST(Rules, a_sub_window_gets_its_share_rounded_up_for_requests) {
  LimitProfile limit;
  limit.quota = 90;
  limit.enforced_over = seconds(1);
  const auto rules = rules_of(limit);
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_DOUBLE_EQ(rules[1].quota, 2);
  EXPECT_EQ(rules[1].window, seconds(1));
  limit.dimension = Dimension::tokens;
  EXPECT_DOUBLE_EQ(rules_of(limit)[1].quota, 1.5);
}

TEST(Concurrency, a_slot_is_free_at_its_release_and_not_before) {
  ConcurrencyLimiter limiter(2);
  limiter.take();
  limiter.take();
  EXPECT_FALSE(limiter.admits(at(seconds(1))));
  limiter.release(at(seconds(5)));
  limiter.release(at(seconds(3)));
  EXPECT_FALSE(limiter.admits(at(milliseconds(2999))));
  EXPECT_TRUE(limiter.admits(at(seconds(3))));
  EXPECT_EQ(limiter.in_use(at(seconds(5))), 0U);
}

/// Reference of a sliding window that only counts.
class CountingReference {
 public:
  explicit CountingReference(double quota) : quota_(quota) {}

  bool admits(double cost, Instant now) {
    double sum = 0;
    for (const auto& [when, amount] : taken_) {
      sum += when + minutes(1) > now ? amount : 0;
    }
    return sum + cost <= quota_;
  }

  void take(double cost, Instant now) { taken_.emplace_back(now, cost); }

 private:
  double quota_;
  std::deque<std::pair<Instant, double>> taken_;
};

TEST(SlidingLog, agrees_with_counting_everything) {
  EXPECT_TRUE(rc::check([] {
    const auto limiter = make_rate_limiter(rule(Shape::sliding, 50));
    CountingReference reference(50);
    Instant now{};
    for (int i = 0; i < 200; ++i) {
      now += milliseconds(*rc::gen::inRange(0, 4000));
      const auto cost = static_cast<double>(*rc::gen::inRange(1, 30));
      const bool admitted = limiter->wait(cost, now) == Duration::zero();
      RC_ASSERT(admitted == reference.admits(cost, now));
      if (admitted) {
        limiter->take(cost, now);
        reference.take(cost, now);
      }
    }
  }));
}

TEST(EveryShape, admits_after_the_wait_that_it_named) {
  EXPECT_TRUE(rc::check([] {
    const auto shape = *rc::gen::element(
        Shape::sliding, Shape::token_bucket, Shape::fixed_aligned, Shape::fixed_first_use);
    const auto limiter = make_rate_limiter(rule(shape, 40));
    Instant now{};
    for (int i = 0; i < 100; ++i) {
      now += milliseconds(*rc::gen::inRange(0, 3000));
      const auto cost = static_cast<double>(*rc::gen::inRange(1, 40));
      const Duration wait = limiter->wait(cost, now);
      RC_ASSERT(wait < minutes(1) + seconds(1));
      now += wait;
      RC_ASSERT(limiter->wait(cost, now) == Duration::zero());
      limiter->take(cost, now);
    }
  }));
}

TEST(EveryShape, what_was_taken_still_counts_when_the_limit_is_scaled) {
  for (const Shape shape :
       {Shape::sliding, Shape::token_bucket, Shape::fixed_aligned, Shape::fixed_first_use}) {
    const auto limiter = make_rate_limiter(rule(shape, 40));
    const Instant now{};
    limiter->take(15, now);
    limiter->scale(0.5, now);
    EXPECT_EQ(limiter->wait(5, now), Duration::zero());
    EXPECT_GT(limiter->wait(6, now), Duration::zero());
    EXPECT_EQ(limiter->wait(21, now), kNever);
    limiter->scale(1, now);
    EXPECT_EQ(limiter->wait(25, now), Duration::zero());
    EXPECT_GT(limiter->wait(26, now), Duration::zero());
  }
}

}  // namespace
}  // namespace sortie::sim
