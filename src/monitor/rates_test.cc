#include "sortie/monitor/rates.h"

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

engine::RunStatus at(int second, std::uint64_t turns, std::uint64_t scored) {
  engine::RunStatus status;
  status.elapsed = std::chrono::seconds(second);
  status.turns = turns;
  status.input_tokens = static_cast<std::int64_t>(turns * 100);
  engine::ModelProgress model;
  model.planned = 100;
  model.scored = scored;
  model.turns = turns;
  status.models.push_back(model);
  return status;
}

TEST(Rates, are_differences_over_the_window) {
  Rates rates(std::chrono::seconds(10));
  EXPECT_EQ(rates.turns_per_second(), 0);
  for (int second = 0; second <= 30; ++second) {
    rates.observe(at(second, static_cast<std::uint64_t>(second < 20 ? 0 : (second - 20) * 7), 0));
  }
  EXPECT_NEAR(rates.turns_per_second(), 7, 0.01);
  EXPECT_NEAR(rates.tokens_per_second(), 700, 1);
  EXPECT_NEAR(rates.turns_per_second(0), 7, 0.01);
  EXPECT_EQ(rates.turns_per_second(1), 0);
}

}  // namespace
}  // namespace sortie::monitor
