#include "sortie/aio/timer_heap.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::aio {
namespace {

base::Instant at(std::int64_t ns) {
  return base::Instant(base::Duration(ns));
}

TEST(TimerHeap, gives_timers_in_order_and_ties_as_they_were_added) {
  TimerHeap heap;
  std::vector<int> order;
  heap.add(at(5), [&] { order.push_back(3); });
  heap.add(at(1), [&] { order.push_back(1); });
  heap.add(at(5), [&] { order.push_back(4); });
  heap.add(at(2), [&] { order.push_back(2); });
  while (heap.next()) {
    heap.take()();
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

TEST(TimerHeap, an_id_is_dead_after_its_timer) {
  TimerHeap heap;
  const std::uint64_t first = heap.add(at(1), [] {});
  EXPECT_TRUE(heap.cancel(first).has_value());
  EXPECT_FALSE(heap.cancel(first).has_value());
  const std::uint64_t second = heap.add(at(1), [] {});
  EXPECT_NE(first, second);
  EXPECT_FALSE(heap.cancel(first).has_value());
  EXPECT_EQ(heap.size(), 1U);
  heap.take()();
  EXPECT_FALSE(heap.cancel(second).has_value());
  EXPECT_FALSE(heap.cancel(0).has_value());
}

TEST(TimerHeap, cancelled_timers_do_not_pile_up) {
  TimerHeap heap;
  heap.add(at(1), [] {});
  for (std::int64_t i = 0; i < 1'000'000; ++i) {
    ASSERT_TRUE(heap.cancel(heap.add(at(1'000'000'000 + i), [] {})).has_value());
  }
  EXPECT_EQ(heap.size(), 1U);
  EXPECT_LE(heap.entries(), 128U);
}

TEST(TimerHeap, behaves_like_a_sorted_list) {
  EXPECT_TRUE(rc::check([] {
    TimerHeap heap;
    std::map<std::pair<std::int64_t, std::uint64_t>, std::uint64_t> model;  // (when, order) → id
    std::uint64_t order = 0;
    std::uint64_t fired = 0;
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
    for (const int step : steps) {
      if (step < 50) {
        const std::uint64_t mine = order++;
        const std::uint64_t id = heap.add(at(step % 10), [&fired, mine] { fired = mine; });
        model[{step % 10, mine}] = id;
      } else if (step < 75 && !model.empty()) {
        const auto victim = std::next(model.begin(), step % static_cast<int>(model.size()));
        RC_ASSERT(heap.cancel(victim->second).has_value());
        model.erase(victim);
      } else if (!model.empty()) {
        RC_ASSERT(heap.next() == at(model.begin()->first.first));
        heap.take()();
        RC_ASSERT(fired == model.begin()->first.second);
        model.erase(model.begin());
      }
      RC_ASSERT(heap.size() == model.size());
    }
  }));
}

}  // namespace
}  // namespace sortie::aio
