#include "sortie/engine/budget.h"

#include <cstdint>
#include <deque>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

TEST(Budget, without_limits_covers_everything) {
  const Budget budget;
  EXPECT_FALSE(budget.is_limited());
  EXPECT_TRUE(budget.covers({.cost = INT64_MAX / 2, .tokens = INT64_MAX / 2}));
}

TEST(Budget, counts_what_was_spent_before_and_what_is_set_aside) {
  Budget budget({.cost = 1000, .tokens = {}}, {.cost = 400, .tokens = 9});
  EXPECT_TRUE(budget.covers({.cost = 600, .tokens = 0}));
  EXPECT_FALSE(budget.covers({.cost = 601, .tokens = 0}));
  budget.reserve({.cost = 600, .tokens = 0});
  EXPECT_FALSE(budget.covers({.cost = 1, .tokens = 0}));
  EXPECT_TRUE(budget.covers_in_expectation({.cost = 600, .tokens = 0}));
  budget.settle({.cost = 600, .tokens = 0}, {.cost = 10, .tokens = 5});
  EXPECT_EQ(budget.spent(), (Funds{.cost = 410, .tokens = 14}));
  EXPECT_EQ(budget.reserved(), Funds{});
}

TEST(Budget, never_lets_bills_and_reserves_exceed_it_however_many_are_in_flight) {
  constexpr std::int64_t kLimit = 1'000'000;
  Budget budget({.cost = kLimit, .tokens = 3 * kLimit}, {});
  std::deque<Funds> in_flight;
  std::uint64_t state = 1;
  const auto draw = [&state] {
    return state = state * 6364136223846793005ULL + 1442695040888963407ULL;
  };
  std::int64_t billed = 0;
  int sent = 0;
  for (int step = 0; step < 20'000; ++step) {
    const Funds next{.cost = static_cast<std::int64_t>(draw() >> 54U) + 1,
                     .tokens = static_cast<std::int64_t>(draw() >> 53U) + 1};
    if (in_flight.size() < 200 && budget.covers(next)) {
      budget.reserve(next);
      in_flight.push_back(next);
      ++sent;
    } else if (!in_flight.empty()) {
      const Funds reserve = in_flight.front();
      in_flight.pop_front();
      const std::int64_t used = reserve.cost / static_cast<std::int64_t>((draw() >> 62U) + 1);
      budget.settle(reserve, {.cost = used, .tokens = reserve.tokens});
      billed += used;
    }
    ASSERT_LE(budget.spent().cost + budget.reserved().cost, kLimit);
    ASSERT_EQ(budget.spent().cost, billed);
  }
  EXPECT_GT(sent, 1'000);
}

TEST(MeanFunds, are_a_guess_until_there_is_a_request) {
  MeanFunds mean;
  EXPECT_EQ(mean.of(10, {.cost = 3, .tokens = 100}), (Funds{.cost = 30, .tokens = 1000}));
  mean.add({.cost = 4, .tokens = 10});
  mean.add({.cost = 6, .tokens = 30});
  EXPECT_EQ(mean.of(2, {.cost = 3, .tokens = 100}), (Funds{.cost = 10, .tokens = 40}));
}

}  // namespace
}  // namespace sortie::engine
