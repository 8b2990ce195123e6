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
}

TEST(Rates, expect_the_rest_at_the_pace_of_this_process) {
  Rates rates;
  rates.observe(at(0, 0, 40));  // forty were done before
  EXPECT_FALSE(rates.remaining().has_value());
  rates.observe(at(10, 100, 60));
  ASSERT_TRUE(rates.remaining().has_value());
  EXPECT_NEAR(base::seconds(*rates.remaining()), 20, 1e-6);
}

TEST(Rates, expect_the_end_of_the_slowest_model) {
  Rates rates;
  engine::RunStatus status = at(0, 0, 0);
  status.models.push_back(status.models.front());
  rates.observe(status);
  status.elapsed = std::chrono::seconds(10);
  status.models[0].scored = 100;  // five turns each
  status.models[0].turns = 500;
  status.models[1].turns = 50;  // of twenty open ones, half done
  status.models[1].running = 20;
  rates.observe(status);
  ASSERT_TRUE(rates.remaining().has_value());
  EXPECT_NEAR(base::seconds(*rates.remaining()), 90, 1e-6);  // 450 turns at five a second
}

}  // namespace
}  // namespace sortie::monitor
