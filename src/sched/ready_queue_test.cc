#include "sortie/sched/ready_queue.h"

#include "sortie/sched/test_support.h"

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sched {
namespace {

using test::at;

constexpr double kNothingCritical = std::numeric_limits<double>::infinity();
constexpr std::array kTags = {0.0, 0.0, 0.0};

QueueKey key(double remaining, double since, std::uint32_t ticket) {
  return {.remaining_turns = remaining, .since = at(since), .ticket = {ticket}};
}

std::vector<std::uint32_t> drained(ReadyQueue& queue) {
  std::vector<std::uint32_t> result;
  std::vector<ReadyQueue::Head> heads;
  for (queue.heads(kTags, kNothingCritical, heads); !heads.empty();
       queue.heads(kTags, kNothingCritical, heads)) {
    result.push_back(heads.front().key.ticket.value);
    queue.erase(heads.front().lane, heads.front().group, heads.front().key);
  }
  return result;
}

TEST(ReadyQueue, orders_by_remaining_turns_then_age_then_ticket) {
  ReadyQueue queue(1);
  queue.push(0, 0, key(2, 0, 1));
  queue.push(0, 0, key(9, 5, 4));
  queue.push(0, 0, key(9, 3, 3));
  queue.push(0, 0, key(9, 3, 2));
  EXPECT_EQ(drained(queue), (std::vector<std::uint32_t>{2, 3, 4, 1}));
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueue, offers_the_head_of_each_lane_best_first) {
  ReadyQueue queue(4);
  queue.push(0, 0, key(5, 0, 1));
  queue.push(2, 0, key(7, 0, 2));
  queue.push(2, 0, key(6, 0, 3));
  queue.push(3, 0, key(1, 0, 4));
  std::vector<ReadyQueue::Head> heads;
  queue.heads(kTags, kNothingCritical, heads);
  ASSERT_EQ(heads.size(), 3U);
  EXPECT_EQ(heads[0].key.ticket.value, 2U);
  EXPECT_EQ(heads[0].lane, 2U);
  EXPECT_EQ(heads[1].key.ticket.value, 1U);
  EXPECT_EQ(heads[2].key.ticket.value, 4U);
  EXPECT_EQ(drained(queue), (std::vector<std::uint32_t>{2, 3, 1, 4}));
}

TEST(ReadyQueue, of_a_lane_the_group_with_the_least_tag_goes_first) {
  ReadyQueue queue(1);
  EXPECT_TRUE(queue.push(0, 0, key(9, 0, 1)));
  EXPECT_TRUE(queue.push(0, 1, key(3, 0, 2)));
  EXPECT_FALSE(queue.push(0, 1, key(4, 0, 3)));
  std::vector<ReadyQueue::Head> heads;
  queue.heads(std::array{2.0, 1.0}, kNothingCritical, heads);
  ASSERT_EQ(heads.size(), 1U);
  EXPECT_EQ(heads[0].key.ticket.value, 3U);
  EXPECT_EQ(heads[0].group, 1U);
}

TEST(ReadyQueue, a_critical_dialogue_goes_before_every_group) {
  ReadyQueue queue(1);
  queue.push(0, 0, key(9, 0, 1));
  queue.push(0, 1, key(3, 0, 2));
  std::vector<ReadyQueue::Head> heads;
  queue.heads(std::array{2.0, 1.0}, 8, heads);
  EXPECT_EQ(heads[0].key.ticket.value, 1U);
  EXPECT_TRUE(heads[0].is_critical);
}

TEST(ReadyQueue, what_waits_goes_before_the_longer_in_the_end) {
  ReadyQueue queue(1);
  queue.push(0, 0, key(2, 0, 1));
  queue.push(0, 0, key(3, 60, 2));
  queue.push(0, 0, key(3, 660, 3));  // ten minutes of waiting are one turn
  EXPECT_EQ(drained(queue), (std::vector<std::uint32_t>{2, 1, 3}));
}

TEST(ReadyQueue, the_shortest_of_all_groups_if_it_is_short_enough) {
  ReadyQueue queue(2);
  queue.push(0, 0, key(9, 0, 1));
  queue.push(0, 0, key(4, 0, 2));
  queue.push(0, 1, key(7, 0, 3));
  queue.push(0, 1, key(3, 0, 4));
  queue.push(1, 0, key(1, 0, 5));  // avoids a route
  const auto shortest = queue.shortest(std::array{1.0, 2.0}, 3);
  ASSERT_TRUE(shortest.has_value());
  EXPECT_EQ(shortest->key.ticket.value, 4U);
  EXPECT_EQ(shortest->group, 1U);
  EXPECT_FALSE(queue.shortest(std::array{1.0, 2.0}, 2.5).has_value());
}

TEST(ReadyQueue, erases_from_the_middle) {
  ReadyQueue queue(1);
  for (std::uint32_t i = 0; i < 5; ++i) {
    queue.push(0, 0, key(i, 0, i));
  }
  queue.erase(0, 0, key(3, 0, 3));
  EXPECT_EQ(queue.size(), 4U);
  EXPECT_EQ(drained(queue), (std::vector<std::uint32_t>{4, 2, 1, 0}));
}

TEST(ReadyQueueDeathTest, a_key_that_is_not_there_is_a_bug) {
  ReadyQueue queue(1);
  EXPECT_DEATH(queue.erase(0, 0, key(1, 0, 1)), "erased == 1");
}

}  // namespace
}  // namespace sortie::sched
