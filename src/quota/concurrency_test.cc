#include "sortie/quota/concurrency.h"

#include "sortie/base/time.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::quota {
namespace {

using base::Instant;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

TEST(ConcurrencyCounter, is_blocked_until_a_slot_is_released) {
  ConcurrencyCounter counter(2);
  counter.acquire(kStart);
  EXPECT_EQ(counter.earliest(kStart), kStart);
  counter.acquire(kStart);
  EXPECT_EQ(counter.earliest(kStart), kUntilFreed);
  counter.release(kStart);
  EXPECT_EQ(counter.earliest(kStart), kStart);
  EXPECT_EQ(counter.in_flight(kStart), 1U);
}

TEST(ConcurrencyCounter, holds_the_slot_of_a_cancelled_request) {
  ConcurrencyCounter counter(1);
  counter.acquire(kStart);
  counter.release_at(kStart, kStart + seconds(10));
  EXPECT_EQ(counter.earliest(kStart), kStart + seconds(10));
  EXPECT_EQ(counter.in_flight(kStart + seconds(9)), 1U);
  EXPECT_EQ(counter.earliest(kStart + seconds(10)), kStart + seconds(10));
  EXPECT_EQ(counter.in_flight(kStart + seconds(10)), 0U);
}

TEST(ConcurrencyCounter, names_the_hold_that_has_to_end) {
  ConcurrencyCounter counter(2);
  counter.acquire(kStart);
  counter.acquire(kStart);
  counter.release_at(kStart, kStart + seconds(20));
  counter.release_at(kStart, kStart + seconds(10));
  EXPECT_EQ(counter.earliest(kStart), kStart + seconds(10));
}

TEST(ConcurrencyCounter, a_hold_that_is_over_already_is_none) {
  ConcurrencyCounter counter(1);
  counter.acquire(kStart);
  counter.release_at(kStart, kStart);
  EXPECT_EQ(counter.earliest(kStart), kStart);
}

TEST(ConcurrencyCounter, without_slots_lets_nothing_through) {
  const ConcurrencyCounter counter(0);
  EXPECT_EQ(counter.earliest(kStart), kUntilFreed);
}

TEST(ConcurrencyCounter, never_exceeds_its_slots) {
  EXPECT_TRUE(rc::check([] {
    const auto slots = *rc::gen::inRange<std::size_t>(1, 6);
    ConcurrencyCounter counter(slots);
    std::vector<Instant> busy_until;  // an independent account: Instant::max() while active
    std::size_t active = 0;
    Instant now = kStart;
    for (int i = 0; i < 100; ++i) {
      now += seconds(*rc::gen::inRange(0, 3));
      std::erase_if(busy_until, [now](Instant until) { return until <= now; });
      const int action = *rc::gen::inRange(0, 3);
      if (action == 0 && counter.earliest(now) == now) {
        counter.acquire(now);
        ++active;
      } else if (action == 1 && active > 0) {
        counter.release(now);
        --active;
      } else if (action == 2 && active > 0) {
        const Instant until = now + seconds(*rc::gen::inRange(1, 10));
        counter.release_at(now, until);
        busy_until.push_back(until);
        --active;
      }
      RC_ASSERT(active + busy_until.size() <= slots);
      RC_ASSERT(counter.in_flight(now) == active + busy_until.size());
      RC_ASSERT((counter.earliest(now) == now) == (active + busy_until.size() < slots));
    }
  }));
}

}  // namespace
}  // namespace sortie::quota
