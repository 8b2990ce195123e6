#include "sortie/quota/rate_learner.h"

#include "sortie/base/time.h"
#include "sortie/quota/learning_law.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

// The learner alone against small exact servers in virtual time: one client that always has work,
// refusals known at once.

namespace sortie::quota {
namespace {

using base::Instant;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct Trace {
  std::size_t sent = 0;
  std::size_t refused = 0;
  std::size_t refused_late = 0;  // in the second half
  double accepted_late = 0;      // requests a second in the second half
  std::vector<double> limits;    // believed after each episode
};

/// Requests of one unit for `length` seconds; closed for a second after each refusal.
Trace drive(RateLearner& learner,
            const std::function<bool(double)>& admits,
            double length,
            double demand_per_second = 1e6) {
  Trace trace;
  Instant now{};
  Instant open{};
  double accepted_late = 0;
  const auto end = Instant(base::from_seconds(length));
  while (true) {
    now = std::max({now, open, learner.earliest(std::max(now, open), 1)});
    if (now >= end) {
      break;
    }
    const RateLearner::Ticket ticket = learner.reserve(now, 1);
    const double t = base::seconds(now.time_since_epoch());
    trace.sent += 1;
    if (admits(t)) {
      accepted_late += t > length / 2 ? 1 : 0;
    } else {
      trace.refused += 1;
      trace.refused_late += t > length / 2 ? 1 : 0;
      open = now + seconds(1);
      if (const auto delivered = learner.refused(now, ticket, open)) {
        learner.blame(now, *delivered);
        trace.limits.push_back(learner.limit().value());
      }
    }
    now += base::from_seconds(1 / demand_per_second);
  }
  trace.accepted_late = accepted_late / (length / 2);
  return trace;
}

std::function<bool(double)> bucket(double rate, double capacity) {
  return [rate, capacity, level = capacity, last = 0.0](double t) mutable {
    level = std::min(capacity, level + rate * (t - last));
    last = t;
    if (level < 1) {
      return false;
    }
    level -= 1;
    return true;
  };
}

std::function<bool(double)> sliding(std::size_t quota, double window) {
  return [quota, window, log = std::deque<double>()](double t) mutable {
    while (!log.empty() && log.front() <= t - window) {
      log.pop_front();
    }
    if (log.size() >= quota) {
      return false;
    }
    log.push_back(t);
    return true;
  };
}

RateLearner ramp() {
  RateLearner learner{RateLaw()};
  learner.start_ramp(Instant{}, RateLaw().first_rate);
  return learner;
}

TEST(RateLearner, a_ramp_refused_before_any_answer_begins_again) {
  RateLearner learner = ramp();
  const auto ticket = learner.reserve(Instant{}, 1);
  const Instant refused_at = Instant{} + milliseconds(100);
  const auto delivered = learner.refused(refused_at, ticket, refused_at + seconds(41));
  ASSERT_TRUE(delivered.has_value());
  learner.blame(refused_at, *delivered);
  EXPECT_DOUBLE_EQ(learner.limit().value_or(0), RateLaw().first_rate);
  const Instant open_at = refused_at + seconds(41);
  int at_once = 0;
  while (at_once < 100 && learner.earliest(open_at, 1) <= open_at) {
    static_cast<void>(learner.reserve(open_at, 1));
    ++at_once;
  }
  EXPECT_LE(at_once, 2);
}

TEST(RateLearner, holds_nothing_back_while_it_only_watches) {
  RateLearner learner{RateLaw()};
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(learner.earliest(Instant{}, 1), Instant{});
    (void)learner.reserve(Instant{}, 1);
  }
  EXPECT_EQ(learner.limit(), std::nullopt);
}

TEST(RateLearner, finds_buckets_of_any_size) {
  for (const double rate : {0.5, 3.0, 40.0}) {
    for (const double capacity_seconds : {1.0, 10.0, 60.0}) {
      RateLearner learner = ramp();
      const double length = std::max(1200.0, 600 / rate);
      const Trace trace =
          drive(learner, bucket(rate, std::max(1.0, rate * capacity_seconds)), length);
      EXPECT_GT(trace.accepted_late, 0.95 * rate) << rate << " × " << capacity_seconds << " s";
      EXPECT_LT(static_cast<double>(trace.refused_late), 0.012 * rate * length / 2)
          << rate << " × " << capacity_seconds << " s";
    }
  }
}

TEST(RateLearner, finds_sliding_windows) {
  for (const double window : {1.0, 10.0, 60.0}) {
    RateLearner learner = ramp();
    const Trace trace =
        drive(learner, sliding(static_cast<std::size_t>(10 * window), window), 1800);
    EXPECT_GT(trace.accepted_late, 0.94 * 10) << window << " s";
    EXPECT_LT(static_cast<double>(trace.refused_late), 0.01 * 9000) << window << " s";
  }
}

TEST(RateLearner, does_not_grow_while_it_is_not_used) {
  RateLearner learner{RateLaw()};
  learner.start_at(Instant{}, 10, 0.95);
  const double before = learner.pace();
  const Trace trace = drive(learner, [](double) { return true; }, 3600, 5);
  EXPECT_EQ(trace.refused, 0U);
  EXPECT_EQ(learner.pace(), before);
}

TEST(RateLearner, does_not_grow_when_told_not_to_look_for_room) {
  RateLearner learner{RateLaw()};
  learner.start_at(Instant{}, 10, 0.95);
  const double before = learner.pace();
  learner.set_probing(false);
  (void)drive(learner, [](double) { return true; }, 600);
  EXPECT_EQ(learner.pace(), before);
}

TEST(RateLearner, cuts_once_an_episode) {
  RateLearner learner{RateLaw()};
  learner.start_at(Instant{}, 100, 1);
  std::vector<RateLearner::Ticket> tickets;
  Instant now{};
  for (int i = 0; i < 100; ++i) {
    now = learner.earliest(now, 1);
    tickets.push_back(learner.reserve(now, 1));
  }
  now += std::chrono::milliseconds(50);
  int episodes = 0;
  for (const RateLearner::Ticket& ticket : tickets) {
    if (const auto delivered = learner.refused(now, ticket, now + seconds(1))) {
      learner.blame(now, *delivered);
      episodes += 1;
    }
  }
  EXPECT_EQ(episodes, 1);
  EXPECT_GE(learner.pace(), 0.95 * RateLaw().cut_max * 100);
}

TEST(RateLearner, finds_a_raised_limit_and_a_lowered_one) {
  RateLearner learner = ramp();
  const auto changing =
      [before = bucket(10, 10), low = bucket(5, 5), high = bucket(20, 20)](double t) mutable {
        return t < 600 ? before(t) : t < 1200 ? low(t) : high(t);
      };
  const auto at_end = drive(learner, changing, 2400);
  EXPECT_GT(at_end.accepted_late, 0.7 * 20);  // at most a half more each minute
  EXPECT_NEAR(learner.limit().value(), 20, 2);
  const bool saw_low = std::any_of(at_end.limits.begin(), at_end.limits.end(), [](double limit) {
    return limit > 4.5 && limit < 5.5;
  });
  EXPECT_TRUE(saw_low);
}

TEST(RateLearner, one_look_finds_a_limit_far_above_the_believed_one) {
  RateLearner learner{RateLaw()};
  learner.start_at(Instant{}, 4, 1);
  const Trace trace = drive(learner, sliding(10, 1), 300);
  ASSERT_FALSE(trace.limits.empty());
  // A minute of nearly ten passed before it was refused: halfway from four is no guess any more.
  EXPECT_GT(trace.limits.front(), 8);
}

TEST(RateLearner, a_minute_full_of_faster_requests_does_not_cut_below_the_limit) {
  RateLearner learner{RateLaw()};
  learner.start_at(Instant{}, 3, 1);
  const Trace trace = drive(learner, sliding(150, 60), 1800);
  ASSERT_FALSE(trace.limits.empty());
  EXPECT_GT(*std::min_element(trace.limits.begin(), trace.limits.end()), 0.93 * 2.5);
  EXPECT_LT(static_cast<double>(trace.refused), 0.01 * 2.5 * 1800);
}

TEST(RateLearner, a_limit_passed_by_a_twentieth_is_another_one) {
  RateLearner learner = ramp();
  (void)drive(learner, bucket(10, 10), 1800);
  ASSERT_GT(learner.confidence(), 0.8);
  // Nothing refuses any more: seven minutes at the pace of a limit found so often.
  (void)drive(learner, [](double) { return true; }, 1800 + 330);
  EXPECT_GT(learner.pace(), 19);
}

TEST(RateLearner, is_surer_each_time_the_limit_is_found_again) {
  RateLearner learner = ramp();
  (void)drive(learner, bucket(10, 10), 1800);
  EXPECT_GT(learner.confidence(), 0.8);
  EXPECT_LT(learner.confidence(), 1);
}

TEST(RateLearner, growing_too_fast_slows_it_and_freezes_it_for_a_minute) {
  RateLearner learner{RateLaw()};
  learner.start_at(Instant{}, 10, 1);
  learner.too_fast(Instant{});
  const double slower = learner.pace();
  EXPECT_NEAR(slower, 9, 0.01);
  learner.too_fast(Instant{} + seconds(1));
  EXPECT_EQ(learner.pace(), slower);  // the same episode
  (void)drive(learner, [](double) { return true; }, 59);
  EXPECT_EQ(learner.pace(), slower);
}

TEST(RateLearner, a_long_wait_means_a_long_window) {
  // 400 in any minute; the ramp uses them up within seconds, and the server asks for 45 s.
  RateLearner learner = ramp();
  Instant now{};
  auto admits = sliding(400, 60);
  while (true) {
    now = learner.earliest(now, 1);
    const auto ticket = learner.reserve(now, 1);
    if (!admits(base::seconds(now.time_since_epoch()))) {
      learner.blame(now, learner.refused(now, ticket, now + seconds(45)).value());
      break;
    }
  }
  EXPECT_NEAR(learner.limit().value(), 400.0 / 60, 0.2);
}

/// The limit that is believed in after the last of `count` requests, 10 ms apart, was refused.
double after_refusal(RateLearner& learner, Instant now, int count) {
  RateLearner::Ticket ticket;
  for (int i = 0; i < count; ++i, now += milliseconds(10)) {
    ticket = learner.reserve(now, 1);
  }
  if (const auto delivered = learner.refused(now, ticket, now + seconds(1))) {
    learner.blame(now, *delivered);
  }
  return learner.limit().value_or(0);
}

TEST(RateLearner, time_before_the_first_request_is_not_measured) {
  // Instants count from when the machine started, which may be long ago.
  for (const int count : {1, 2, 10}) {
    RateLearner learner{RateLaw()};
    EXPECT_GE(after_refusal(learner, Instant{} + hours(1000), count), RateLaw().first_rate);
  }
}

TEST(RateLearner, a_pause_is_not_measured) {
  for (const int count : {1, 2, 10}) {
    RateLearner learner{RateLaw()};
    (void)learner.reserve(Instant{}, 1);
    EXPECT_GE(after_refusal(learner, Instant{} + hours(10), count), RateLaw().first_rate);
  }
}

TEST(RateLearner, a_few_slow_requests_find_no_slow_limit) {
  RateLearner learner{RateLaw()};
  for (int i = 0; i < 10; ++i) {
    (void)learner.reserve(Instant{} + i * seconds(50), 1);
  }
  EXPECT_GE(after_refusal(learner, Instant{} + seconds(500), 1), RateLaw().first_rate);
}

TEST(RateLearner, one_refusal_after_a_pause_is_one_cut) {
  RateLearner learner{RateLaw()};
  learner.start_at(Instant{}, 10, 1);
  const double before = after_refusal(learner, Instant{} + seconds(10), 1);
  (void)drive(learner, [](double) { return true; }, 30, 5);
  // Ten requests in the last minute instead of hundreds: nobody asked for more.
  EXPECT_GE(after_refusal(learner, Instant{} + minutes(10), 10), RateLaw().cut_max * 0.95 * before);
}

}  // namespace
}  // namespace sortie::quota
