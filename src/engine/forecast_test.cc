#include "sortie/engine/forecast.h"

#include "sortie/base/time.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kTurnsMax = 64;

base::Instant at(double seconds) {
  return base::Instant() + base::from_seconds(seconds);
}

/// A dialogue of four turns after the other, a turn each `interval` seconds.
void go_on(Forecast& forecast, std::size_t model, double from, double until, double interval) {
  std::size_t turns = 0;
  for (double t = from + interval; t <= until; t += interval) {
    if (turns == 0) {
      forecast.opened(model, 0);
    }
    forecast.turn(model, turns, {.tokens = 100, .tokens_reserved = 200}, at(t));
    if (++turns == 4) {
      forecast.closed(model, 4, /*ended=*/true);
      turns = 0;
    }
  }
  for (; turns > 0; turns = 0) {
    forecast.closed(model, turns, /*ended=*/false);
  }
}

Forecast steady(double until) {
  Forecast forecast(1, kTurnsMax, base::Instant());
  go_on(forecast, 0, 0, until, 0.1);
  return forecast;
}

TEST(Forecast, a_steady_campaign_is_over_when_its_work_is_done) {
  const Forecast forecast = steady(100);
  const std::array<WorkLeft, 1> work = {{{.unopened = 250, .seconds_a_turn = 0.1}}};
  const auto left = forecast.time_left(at(100), work);
  ASSERT_TRUE(left.has_value());
  EXPECT_NEAR(base::seconds(left->likely), 100, 2);
  EXPECT_LT(left->earliest, left->likely);
  EXPECT_GT(left->latest, left->likely);
  EXPECT_LT(base::seconds(left->latest - left->earliest), 15);
}

TEST(Forecast, says_nothing_before_a_pace_is_known) {
  const Forecast forecast = steady(1);
  const std::array<WorkLeft, 1> work = {{{.unopened = 250, .seconds_a_turn = 0.1}}};
  EXPECT_FALSE(forecast.time_left(at(1), work).has_value());
  const std::array<WorkLeft, 1> none;
  EXPECT_EQ(forecast.time_left(at(1), none)->likely, base::Duration::zero());
}

TEST(Forecast, follows_the_pace_of_late) {
  Forecast forecast(1, kTurnsMax, base::Instant());
  go_on(forecast, 0, 0, 100, 1);  // slow while it learns
  go_on(forecast, 0, 100, 300, 0.1);
  const std::array<WorkLeft, 1> work = {{{.unopened = 250, .seconds_a_turn = 0.1}}};
  EXPECT_NEAR(base::seconds(forecast.time_left(at(300), work)->likely), 100, 2);
}

TEST(Forecast, the_slowest_model_decides) {
  Forecast forecast(2, kTurnsMax, base::Instant());
  go_on(forecast, 0, 0, 100, 0.1);
  go_on(forecast, 1, 0, 100, 0.1);
  const std::array<WorkLeft, 2> work = {
      {{.unopened = 25, .seconds_a_turn = 0.1}, {.unopened = 250, .seconds_a_turn = 0.1}}};
  EXPECT_NEAR(base::seconds(forecast.time_left(at(100), work)->likely), 100, 2);
}

TEST(Forecast, the_last_dialogue_goes_on_alone) {
  Forecast forecast = steady(100);
  forecast.opened(0, 0);
  const std::array<WorkLeft, 1> work = {{{.unopened = 0, .seconds_a_turn = 5}}};
  const auto left = forecast.time_left(at(100), work);
  EXPECT_NEAR(base::seconds(left->likely), 20, 1);
}

TEST(Forecast, bears_a_dialogue_with_more_turns_than_are_counted) {
  Forecast forecast = steady(100);
  forecast.opened(0, 2 * kTurnsMax);
  forecast.opened(0, 0);
  const std::array<WorkLeft, 1> work = {{{.unopened = 0, .seconds_a_turn = 5}}};
  const auto left = forecast.time_left(at(100), work);
  ASSERT_TRUE(left.has_value());
  EXPECT_NEAR(base::seconds(left->likely), 20, 1);
}

TEST(LengthLaw, without_open_dialogues_is_what_was_seen) {
  const std::vector<std::uint32_t> ended = {
      0, 0, 5, 0, 5};  // five of 2 turns, five of 4; one more beyond
  const LengthLaw law(ended, {}, kTurnsMax);
  EXPECT_DOUBLE_EQ(law.beyond(1), 1);
  EXPECT_DOUBLE_EQ(law.beyond(3), 6.0 / 11);
  EXPECT_DOUBLE_EQ(law.beyond(4), 1.0 / 11);
  EXPECT_LT(law.beyond(5), 1.0 / 11);
  EXPECT_GT(law.mean(), 3);
  EXPECT_LT(law.mean(), 4);
}

TEST(LengthLaw, open_dialogues_count_as_longer) {
  const std::vector<std::uint32_t> ended = {0, 0, 5};
  std::vector<std::uint32_t> open(11);
  open[10] = 5;
  const LengthLaw law(ended, open, kTurnsMax);
  EXPECT_DOUBLE_EQ(law.beyond(2), 6.0 / 11);
  EXPECT_DOUBLE_EQ(law.beyond(9), 6.0 / 11);
  EXPECT_GT(law.mean(), 6);
}

TEST(LengthLaw, a_law_without_memory_stays_so) {
  // 1024 dialogues of which half end each turn.
  std::vector<std::uint32_t> ended = {0, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 1};
  const LengthLaw law(ended, {}, kTurnsMax);
  EXPECT_NEAR(law.mean(), 2, 0.02);
  EXPECT_NEAR(law.deviation_of_cost(std::vector<double>{1}), 1.41, 0.05);
}

}  // namespace
}  // namespace sortie::engine
