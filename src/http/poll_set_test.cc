#include "sortie/http/poll_set.h"

#include "sortie/aio/loop.h"
#include "sortie/http/test_peers.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sortie::http {
namespace {

class PollSetTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  }

  void TearDown() override {
    ::close(pair[0]);
    ::close(pair[1]);
  }

  std::unique_ptr<aio::Loop> loop = aio::Loop::real();
  std::array<int, 2> pair{};
  std::vector<std::pair<int, std::uint32_t>> ready;
  int alarms = 0;
  int batches = 0;
  PollSet set{*loop,
              {[this](int descriptor, std::uint32_t events) {
                 ready.emplace_back(descriptor, events);
                 set.watch(descriptor, 0);
               },
               [this] { ++alarms; },
               [this] { ++batches; }}};
};

TEST_F(PollSetTest, reports_what_is_watched) {
  set.watch(pair[0], EPOLLIN);
  ASSERT_EQ(::write(pair[1], "x", 1), 1);
  ASSERT_TRUE(run_until(*loop, [&] { return !ready.empty(); }));
  EXPECT_EQ(ready[0].first, pair[0]);
  EXPECT_NE(ready[0].second & EPOLLIN, 0U);
  EXPECT_EQ(batches, 1);
}

TEST_F(PollSetTest, a_watch_for_the_end_ignores_data) {
  set.watch(pair[0], EPOLLRDHUP);
  ASSERT_EQ(::write(pair[1], "x", 1), 1);
  ASSERT_EQ(::shutdown(pair[1], SHUT_WR), 0);
  ASSERT_TRUE(run_until(*loop, [&] { return !ready.empty(); }));
  EXPECT_NE(ready[0].second & EPOLLRDHUP, 0U);
  EXPECT_EQ(ready[0].second & EPOLLIN, 0U);
}

TEST_F(PollSetTest, is_level_triggered_and_can_be_changed) {
  ASSERT_EQ(::write(pair[1], "x", 1), 1);
  set.watch(pair[0], EPOLLRDHUP);
  set.watch(pair[0], EPOLLIN);
  ASSERT_TRUE(run_until(*loop, [&] { return ready.size() == 1; }));
  set.watch(pair[0], EPOLLIN);
  ASSERT_TRUE(run_until(*loop, [&] { return ready.size() == 2; }));
}

TEST_F(PollSetTest, watching_does_not_keep_the_loop_running) {
  set.watch(pair[0], EPOLLIN);
  set.set_alarm(std::chrono::hours(1));
  loop->run();
  EXPECT_TRUE(ready.empty());
}

TEST_F(PollSetTest, an_alarm_rings_once_and_a_later_one_replaces_it) {
  set.set_alarm(std::chrono::hours(1));
  set.set_alarm(std::chrono::milliseconds(1));
  ASSERT_TRUE(run_until(*loop, [&] { return alarms == 1; }));
  set.set_alarm(base::Duration::zero());
  ASSERT_TRUE(run_until(*loop, [&] { return alarms == 2; }));
}

}  // namespace
}  // namespace sortie::http
