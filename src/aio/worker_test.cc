#include "sortie/aio/worker.h"

#include "sortie/aio/loop.h"

#include <algorithm>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::aio {
namespace {

TEST(Worker, runs_jobs_in_order_on_its_own_thread_and_reports_on_the_loop) {
  const auto loop = Loop::real();
  Worker worker(*loop, "test", 1000);
  const auto here = std::this_thread::get_id();
  std::vector<int> ran;  // written by the worker's thread only, read when all is done
  std::vector<int> done;
  bool elsewhere = true;
  bool back_here = true;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(worker.submit(
        [&, i] {
          ran.push_back(i);
          elsewhere = elsewhere && std::this_thread::get_id() != here;
        },
        [&, i] {
          done.push_back(i);
          back_here = back_here && std::this_thread::get_id() == here;
        }));
  }
  loop->run();
  EXPECT_EQ(worker.pending(), 0U);
  ASSERT_EQ(done.size(), 1000U);
  EXPECT_EQ(ran, done);
  EXPECT_TRUE(std::ranges::is_sorted(ran));
  EXPECT_TRUE(elsewhere);
  EXPECT_TRUE(back_here);
}

TEST(Worker, refuses_more_than_its_queue_holds) {
  const auto loop = Loop::real();
  Worker worker(*loop, "test", 2);
  std::promise<void> gate;
  ASSERT_TRUE(worker.submit([&] { gate.get_future().wait(); }, nullptr));
  ASSERT_TRUE(worker.submit([] {}, nullptr));
  EXPECT_FALSE(worker.submit([] {}, nullptr));
  gate.set_value();
  loop->run();
  EXPECT_TRUE(worker.submit([] {}, nullptr));
  loop->run();
}

TEST(Worker, finishes_what_it_accepted_before_it_goes) {
  const auto loop = Loop::real();
  const auto ran = std::make_shared<int>(0);
  const auto done = std::make_shared<int>(0);
  {
    Worker worker(*loop, "test", 100);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(worker.submit([ran] { ++*ran; }, [done] { ++*done; }));
    }
  }
  EXPECT_EQ(*ran, 100);
  EXPECT_EQ(*done, 0);
  loop->run();
  EXPECT_EQ(*done, 100);
}

TEST(Worker, runs_inline_on_a_virtual_clock_and_reports_later) {
  const auto loop = Loop::virtual_time();
  Worker worker(*loop, "test", 10);
  std::vector<int> order;
  ASSERT_TRUE(worker.submit([&] { order.push_back(1); }, [&] { order.push_back(3); }));
  order.push_back(2);
  EXPECT_EQ(worker.pending(), 1U);
  loop->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(worker.pending(), 0U);
}

}  // namespace
}  // namespace sortie::aio
