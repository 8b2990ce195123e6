#include "sortie/aio/loop.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::aio {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class EveryLoop : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Loop> loop = GetParam() ? Loop::virtual_time() : Loop::real();
};

INSTANTIATE_TEST_SUITE_P(Clocks, EveryLoop, testing::Bool(), [](const auto& clock) {
  return clock.param ? "virtual_time" : "real_time";
});

TEST_P(EveryLoop, returns_when_nothing_is_left) {
  loop->run();
  EXPECT_FALSE(loop->run_one());
  bool ran = false;
  loop->post([&] { ran = true; });
  loop->run();
  EXPECT_TRUE(ran);
}

TEST_P(EveryLoop, runs_posts_in_order_and_not_inside_post) {
  std::vector<int> order;
  loop->post([&] {
    order.push_back(1);
    loop->post([&] { order.push_back(3); });
    order.push_back(2);
  });
  EXPECT_TRUE(order.empty());
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_P(EveryLoop, fires_timers_by_time_and_then_by_insertion) {
  std::vector<int> order;
  const base::Instant start = loop->now();
  loop->at(start + milliseconds(3), [&] { order.push_back(4); });
  loop->at(start + milliseconds(2), [&] { order.push_back(2); });
  loop->at(start + milliseconds(2), [&] { order.push_back(3); });
  loop->at(start - seconds(1), [&] { order.push_back(1); });
  EXPECT_EQ(loop->timers(), 4U);
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_GE(loop->now(), start + milliseconds(3));
}

TEST_P(EveryLoop, never_calls_a_cancelled_timer) {
  bool fired = false;
  const auto id = loop->at(loop->now() + milliseconds(1), [&] { fired = true; });
  EXPECT_TRUE(loop->cancel(id));
  EXPECT_FALSE(loop->cancel(id));
  loop->run();
  EXPECT_FALSE(fired);
}

TEST_P(EveryLoop, a_cancelled_timer_keeps_nothing_running) {
  loop->cancel(loop->at(loop->now() + hours(100), [] {}));
  bool fired = false;
  loop->at(loop->now() + milliseconds(1), [&] { fired = true; });
  loop->run();
  EXPECT_TRUE(fired);
}

TEST_P(EveryLoop, a_timer_may_cancel_another_that_is_due_with_it) {
  bool fired = false;
  TimerId second;
  const base::Instant when = loop->now() + milliseconds(1);
  loop->at(when, [&] { loop->cancel(second); });
  second = loop->at(when, [&] { fired = true; });
  loop->run();
  EXPECT_FALSE(fired);
}

TEST_P(EveryLoop, an_earlier_timer_set_later_fires_first) {
  std::vector<int> order;
  loop->at(loop->now() + milliseconds(20), [&] { order.push_back(2); });
  loop->post([&] { loop->at(loop->now() + milliseconds(1), [&] { order.push_back(1); }); });
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST_P(EveryLoop, stops_after_the_current_callback_and_can_go_on) {
  std::vector<int> order;
  loop->post([&] {
    loop->stop();
    order.push_back(1);
  });
  loop->post([&] { order.push_back(2); });
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1}));
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST_P(EveryLoop, stopping_between_timers_of_one_instant_keeps_the_rest) {
  std::vector<int> order;
  const base::Instant when = loop->now() + milliseconds(1);
  loop->at(when, [&] {
    order.push_back(1);
    loop->stop();
  });
  loop->at(when, [&] { order.push_back(2); });
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1}));
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST_P(EveryLoop, run_one_does_one_thing_at_a_time) {
  int runs = 0;
  loop->post([&] { ++runs; });
  loop->post([&] { ++runs; });
  EXPECT_TRUE(loop->run_one());
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(loop->run_one());
  EXPECT_FALSE(loop->run_one());
}

TEST_P(EveryLoop, destroys_what_never_ran) {
  const auto token = std::make_shared<int>(1);
  loop->post([token] {});
  loop->at(loop->now() + hours(1), [token] {});
  EXPECT_EQ(token.use_count(), 3);
  loop.reset();
  EXPECT_EQ(token.use_count(), 1);
}

TEST_P(EveryLoop, a_dropped_callback_may_cancel_another_timer) {
  const TimerId other = loop->at(loop->now() + hours(2), [] {});
  const std::shared_ptr<void> canceller(nullptr, [&](void*) { loop->cancel(other); });
  loop->at(loop->now() + hours(1), [held = canceller] {});
  const_cast<std::shared_ptr<void>&>(canceller).reset();
  loop->post([&] { loop->stop(); });
  loop->run();
  // The deleter runs while ~Loop drops its timers; `loop` is still readable there.
  std::destroy_at(&loop);
  std::construct_at(&loop);
}

TEST_P(EveryLoop, waits_for_other_threads_while_a_guard_is_held) {
  Loop::Work guard(*loop);
  int received = 0;
  std::thread sender([&, guard = std::move(guard)]() mutable {
    for (int i = 0; i < 1000; ++i) {
      loop->post_from_thread([&] { ++received; });
    }
    guard.release();
  });
  loop->run();
  sender.join();
  loop->run();
  EXPECT_EQ(received, 1000);
}

TEST(VirtualLoop, jumps_over_hours_and_starts_at_zero) {
  const auto loop = Loop::virtual_time();
  EXPECT_TRUE(loop->is_virtual());
  EXPECT_EQ(loop->now(), base::Instant());
  loop->at(base::Instant(hours(1000)), [] {});
  loop->run();
  EXPECT_EQ(loop->now(), base::Instant(hours(1000)));
  EXPECT_EQ(loop->clock().now(), loop->now());
}

TEST(VirtualLoop, time_stands_still_while_something_is_ready) {
  const auto loop = Loop::virtual_time();
  std::vector<base::Instant> seen;
  std::function<void(int)> chain = [&](int left) {
    seen.push_back(loop->now());
    if (left > 0) {
      loop->post([&chain, left] { chain(left - 1); });
    }
  };
  loop->at(base::Instant(seconds(1)), [&] { chain(100); });
  loop->at(base::Instant(seconds(1)) + base::Duration(1), [&] { chain(0); });
  loop->run();
  ASSERT_EQ(seen.size(), 102U);
  EXPECT_EQ(seen[100], base::Instant(seconds(1)));
  EXPECT_EQ(seen[101], base::Instant(seconds(1)) + base::Duration(1));
}

TEST(VirtualLoop, a_hundred_thousand_timers_fire_in_order) {
  const auto loop = Loop::virtual_time();
  constexpr std::size_t kTimers = 100'000;
  std::size_t fired = 0;
  bool ordered = true;
  base::Instant last;
  for (std::size_t i = 0; i < kTimers; ++i) {
    // A permutation of the instants: 48,271 is prime and no divisor of 100,000.
    const base::Instant when(milliseconds(i * 48'271 % kTimers));
    loop->at(when, [&, when] {
      ordered = ordered && loop->now() == when && last <= when;
      last = when;
      ++fired;
    });
  }
  loop->run();
  EXPECT_EQ(fired, kTimers);
  EXPECT_TRUE(ordered);
}

TEST(VirtualLoop, wall_time_follows_the_virtual_clock) {
  const auto loop = Loop::virtual_time();
  const base::WallTime before = loop->clock().wall();
  loop->at(base::Instant(hours(24)), [] {});
  loop->run();
  EXPECT_EQ(loop->clock().wall() - before, hours(24));
}

TEST(RealLoop, fires_no_timer_before_its_time) {
  const auto loop = Loop::real();
  EXPECT_FALSE(loop->is_virtual());
  int early = 0;
  for (int i = 0; i < 1000; ++i) {
    const base::Instant when = loop->now() + std::chrono::microseconds(i * 7);
    loop->at(when, [&, when] { early += loop->now() < when ? 1 : 0; });
  }
  loop->run();
  EXPECT_EQ(early, 0);
}

TEST(RealLoop, posts_get_their_turn_between_timers_that_are_always_due) {
  const auto loop = Loop::real();
  bool posted = false;
  std::function<void()> again = [&] {
    if (!posted) {
      loop->at(loop->now(), [&] { again(); });
    }
  };
  again();
  loop->post([&] { loop->post([&] { posted = true; }); });
  loop->run();
  EXPECT_TRUE(posted);
}

}  // namespace
}  // namespace sortie::aio
