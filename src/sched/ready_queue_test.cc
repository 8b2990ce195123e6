#include "sortie/sched/ready_queue.h"

#include "sortie/sched/test_support.h"

#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using test::at;

QueueKey key(double remaining, double since, std::uint32_t ticket) {
  return {.remaining_turns = remaining, .since = at(since), .ticket = {ticket}};
}

std::vector<std::uint32_t> drained(ReadyQueue& queue) {
  std::vector<std::uint32_t> result;
  std::vector<ReadyQueue::Head> heads;
  for (queue.heads(heads); !heads.empty(); queue.heads(heads)) {
    result.push_back(heads.front().key.ticket.value);
    queue.erase(heads.front().lane, heads.front().key);
  }
  return result;
}

TEST(ReadyQueue, orders_by_remaining_turns_then_age_then_ticket) {
  ReadyQueue queue(1);
  queue.push(0, key(2, 0, 1));
  queue.push(0, key(9, 5, 4));
  queue.push(0, key(9, 3, 3));
  queue.push(0, key(9, 3, 2));
  EXPECT_EQ(drained(queue), (std::vector<std::uint32_t>{2, 3, 4, 1}));
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueue, offers_the_head_of_each_lane_best_first) {
  ReadyQueue queue(4);
  queue.push(0, key(5, 0, 1));
  queue.push(2, key(7, 0, 2));
  queue.push(2, key(6, 0, 3));
  queue.push(3, key(1, 0, 4));
  std::vector<ReadyQueue::Head> heads;
  queue.heads(heads);
  ASSERT_EQ(heads.size(), 3U);
  EXPECT_EQ(heads[0].key.ticket.value, 2U);
  EXPECT_EQ(heads[0].lane, 2U);
  EXPECT_EQ(heads[1].key.ticket.value, 1U);
  EXPECT_EQ(heads[2].key.ticket.value, 4U);
  EXPECT_EQ(drained(queue), (std::vector<std::uint32_t>{2, 3, 1, 4}));
}

TEST(ReadyQueue, erases_from_the_middle) {
  ReadyQueue queue(1);
  for (std::uint32_t i = 0; i < 5; ++i) {
    queue.push(0, key(i, 0, i));
  }
  queue.erase(0, key(3, 0, 3));
  EXPECT_EQ(queue.size(), 4U);
  EXPECT_EQ(drained(queue), (std::vector<std::uint32_t>{4, 2, 1, 0}));
}

TEST(ReadyQueueDeathTest, a_key_that_is_not_there_is_a_bug) {
  ReadyQueue queue(1);
  EXPECT_DEATH(queue.erase(0, key(1, 0, 1)), "erased == 1");
}

}  // namespace
}  // namespace sortie::sched
