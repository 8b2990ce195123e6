#include "sortie/aio/group.h"

#include "sortie/aio/asio_access.h"
#include "sortie/aio/event.h"
#include "sortie/aio/loop.h"
#include "sortie/aio/sleep.h"
#include "sortie/aio/task.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

namespace sortie::aio {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Notes that it was destroyed, which tells that a coroutine's frame is gone.
struct Token {
  explicit Token(int& count) : alive(&count) { ++count; }

  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  ~Token() { --*alive; }

  int* alive;
};

Task<void> nap(Loop& loop, base::Duration step, int steps, int& done) {
  for (int i = 0; i < steps; ++i) {
    co_await sleep_until(loop, loop.now() + step);
  }
  ++done;
}

Task<void> hold(Loop& loop, base::Duration length, int& alive) {
  const Token token(alive);
  co_await sleep_until(loop, loop.now() + length);
}

Task<void> stop_and_note(Group& group, bool& stopped) {
  group.request_stop();
  co_await group.stopped();
  stopped = true;
}

class EveryGroup : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Loop> loop = GetParam() ? Loop::virtual_time() : Loop::real();
};

INSTANTIATE_TEST_SUITE_P(Clocks, EveryGroup, testing::Bool(), [](const auto& clock) {
  return clock.param ? "virtual_time" : "real_time";
});

TEST_P(EveryGroup, runs_its_tasks_to_their_end) {
  Group group(*loop, 10);
  int done = 0;
  ASSERT_TRUE(group.spawn(nap(*loop, milliseconds(1), 3, done)));
  ASSERT_TRUE(group.spawn(nap(*loop, milliseconds(2), 1, done)));
  EXPECT_EQ(group.size(), 2U);
  loop->run();
  EXPECT_EQ(done, 2);
  EXPECT_EQ(group.size(), 0U);
}

TEST_P(EveryGroup, stopping_cancels_and_awaits_every_task) {
  Group tasks(*loop, 10);
  Group outside(*loop, 1);
  int alive = 0;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(tasks.spawn(hold(*loop, hours(1000), alive)));
  }
  bool stopped = false;
  loop->at(loop->now() + milliseconds(1), [&] {
    EXPECT_EQ(alive, 10);
    EXPECT_TRUE(outside.spawn(stop_and_note(tasks, stopped)));
  });
  const base::Instant start = loop->now();
  loop->run();
  EXPECT_TRUE(stopped);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(tasks.size(), 0U);
  EXPECT_EQ(loop->timers(), 0U);
  EXPECT_LT(loop->now() - start, hours(1));
}

TEST_P(EveryGroup, a_task_cancelled_before_it_began_never_sleeps) {
  Group group(*loop, 1);
  int alive = 0;
  ASSERT_TRUE(group.spawn(hold(*loop, hours(1000), alive)));
  group.request_stop();
  const base::Instant start = loop->now();
  loop->run();
  EXPECT_EQ(group.size(), 0U);
  EXPECT_LT(loop->now() - start, hours(1));
}

TEST_P(EveryGroup, is_bounded_and_closed_once_it_stops) {
  Group group(*loop, 1);
  int done = 0;
  ASSERT_TRUE(group.spawn(nap(*loop, milliseconds(1), 1, done)));
  EXPECT_FALSE(group.spawn(nap(*loop, milliseconds(1), 1, done)));
  loop->run();
  ASSERT_TRUE(group.spawn(nap(*loop, milliseconds(1), 1, done)));
  loop->run();
  group.request_stop();
  EXPECT_TRUE(group.stopping());
  EXPECT_FALSE(group.spawn(nap(*loop, milliseconds(1), 1, done)));
  EXPECT_EQ(done, 2);
}

TEST_P(EveryGroup, an_empty_group_stops_at_once) {
  Group group(*loop, 1);
  Group outside(*loop, 1);
  bool stopped = false;
  ASSERT_TRUE(outside.spawn(stop_and_note(group, stopped)));
  loop->run();
  EXPECT_TRUE(stopped);
}

TEST_P(EveryGroup, suspended_tasks_die_with_the_loop) {
  int alive = 0;
  boost::asio::co_spawn(io_context(*loop), hold(*loop, hours(1), alive), boost::asio::detached);
  loop->at(loop->now() + milliseconds(1), [&] { loop->stop(); });
  loop->run();
  EXPECT_EQ(alive, 1);
  loop.reset();
  EXPECT_EQ(alive, 0);
}

Task<void> wait_for(Event& event, int name, std::vector<int>& order) {
  co_await event.wait();
  order.push_back(name);
}

TEST_P(EveryGroup, an_event_lets_all_who_wait_pass_in_order) {
  Event event(*loop);
  Group group(*loop, 10);
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(group.spawn(wait_for(event, i, order)));
  }
  loop->at(loop->now() + milliseconds(1), [&] {
    event.set();
    EXPECT_TRUE(order.empty());
  });
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  ASSERT_TRUE(group.spawn(wait_for(event, 3, order)));
  loop->run();
  EXPECT_EQ(order.back(), 3);
}

TEST_P(EveryGroup, waiting_for_an_event_can_be_cancelled) {
  Event event(*loop);
  Group group(*loop, 10);
  std::vector<int> order;
  ASSERT_TRUE(group.spawn(wait_for(event, 1, order)));
  loop->at(loop->now() + milliseconds(1), [&] { group.request_stop(); });
  loop->run();
  event.set();
  loop->run();
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(group.size(), 0U);
}

TEST_P(EveryGroup, a_wake_up_and_a_cancellation_in_one_turn_end_the_wait_once) {
  Event event(*loop);
  Group group(*loop, 10);
  std::vector<int> order;
  ASSERT_TRUE(group.spawn(wait_for(event, 1, order)));
  loop->at(loop->now() + milliseconds(1), [&] {
    event.set();
    group.request_stop();
  });
  loop->run();
  EXPECT_LE(order.size(), 1U);
  EXPECT_EQ(group.size(), 0U);
}

TEST(VirtualGroup, two_hundred_thousand_sleeps_over_hours_end_when_they_should) {
  const auto loop = Loop::virtual_time();
  Group group(*loop, 2000);
  int done = 0;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(group.spawn(nap(*loop, seconds(200 + i % 7), 100, done)));
  }
  loop->run();
  EXPECT_EQ(done, 2000);
  EXPECT_EQ(loop->now(), base::Instant(seconds(206 * 100)));
}

Task<void> fail() {
  throw std::logic_error("a bug");
  co_return;
}

TEST(GroupDeathTest, a_task_that_throws_stops_the_program) {
  EXPECT_DEATH(
      {
        const auto loop = Loop::virtual_time();
        Group group(*loop, 1);
        static_cast<void>(group.spawn(fail()));
        loop->run();
      },
      "a bug");
}

TEST(GroupDeathTest, forgotten_tasks_stop_the_program) {
  EXPECT_DEATH(
      {
        const auto loop = Loop::virtual_time();
        int done = 0;
        Group group(*loop, 1);
        static_cast<void>(group.spawn(nap(*loop, seconds(1), 1, done)));
      },
      "tasks.empty");
}

}  // namespace
}  // namespace sortie::aio
