#include "sortie/quota/token_estimator.h"

#include "sortie/quota/limit.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::quota {
namespace {

TEST(TokenEstimator, starts_from_its_prior) {
  const TokenEstimator estimator({.tokens_per_byte = 0.25, .output = 300, .output_weight = 8});
  const RequestSize size = estimator.estimate({.new_bytes = 8'000, .max_output = 4'096});
  EXPECT_DOUBLE_EQ(size.input, 2'000);
  EXPECT_DOUBLE_EQ(size.output, 300);
  EXPECT_DOUBLE_EQ(size.max_output, 4'096);
}

TEST(TokenEstimator, builds_on_the_providers_count_of_the_previous_turn) {
  const TokenEstimator estimator({.tokens_per_byte = 0.25});
  const TurnShape shape{
      .previous_input = 2'400, .previous_output = 150, .new_bytes = 400, .max_output = 0};
  EXPECT_DOUBLE_EQ(estimator.estimate(shape).input, 2'650);
}

TEST(TokenEstimator, learns_the_tokens_of_a_byte) {
  TokenEstimator estimator;
  for (int i = 0; i < 100; ++i) {
    const TurnShape shape{
        .previous_input = 1'000, .previous_output = 100, .new_bytes = 2'000, .max_output = 0};
    estimator.observe(shape, 1'100 + 0.4 * 2'000, 50);
  }
  EXPECT_NEAR(estimator.tokens_per_byte(), 0.4, 1e-3);
}

TEST(TokenEstimator, expects_no_more_output_than_is_allowed) {
  const TokenEstimator estimator({.output = 300});
  EXPECT_DOUBLE_EQ(estimator.estimate({.max_output = 100}).output, 100);
}

TEST(TokenEstimator, learns_the_mean_output_from_a_prior_worth_a_few_answers) {
  TokenEstimator estimator({.output = 300, .output_weight = 8});
  for (int i = 0; i < 8; ++i) {
    estimator.observe({}, 0, 100);
  }
  EXPECT_NEAR(estimator.mean_output(), 200, 1e-9);
  for (int i = 0; i < 5'000; ++i) {
    estimator.observe({}, 0, 100);
  }
  EXPECT_NEAR(estimator.mean_output(), 100, 1);
}

TEST(TokenEstimator, learns_nothing_from_a_handful_of_bytes_or_absurd_counts) {
  TokenEstimator estimator;
  const double rho = estimator.tokens_per_byte();
  const double mean = estimator.mean_output();
  estimator.observe({.new_bytes = 10}, 5, 1e18);
  estimator.observe({.previous_input = 5'000, .new_bytes = 1'000}, 300, -1);
  estimator.observe({.new_bytes = 1'000}, std::numeric_limits<double>::quiet_NaN(), 1e300);
  EXPECT_DOUBLE_EQ(estimator.tokens_per_byte(), rho);
  EXPECT_DOUBLE_EQ(estimator.mean_output(), mean);
}

TEST(TokenEstimator, is_within_one_percent_after_a_few_turns) {
  // A dialogue of 20 turns whose text costs 0.31 tokens a byte: only new bytes are ever guessed.
  TokenEstimator estimator;
  double input = 0;
  double output = 0;
  for (int turn = 0; turn < 20; ++turn) {
    const TurnShape shape{.previous_input = input,
                          .previous_output = output,
                          .new_bytes = turn == 0 ? 9'000.0 : 600.0,
                          .max_output = 0};
    const double real = input + output + 0.31 * shape.new_bytes;
    if (turn >= 3) {
      EXPECT_NEAR(estimator.estimate(shape).input / real, 1.0, 0.01) << turn;
    }
    estimator.observe(shape, real, 120);
    input = real;
    output = 120;
  }
}

TEST(TokenEstimator, stays_finite_and_not_negative_whatever_it_is_told) {
  EXPECT_TRUE(rc::check([](double a, double b, double c, double d, double e) {
    TokenEstimator estimator;
    const TurnShape shape{
        .previous_input = a, .previous_output = b, .new_bytes = c, .max_output = 0};
    for (int i = 0; i < 10; ++i) {
      estimator.observe(shape, d, e);
    }
    RC_ASSERT(std::isfinite(estimator.tokens_per_byte()) && estimator.tokens_per_byte() > 0);
    RC_ASSERT(std::isfinite(estimator.mean_output()) && estimator.mean_output() >= 0);
  }));
}

}  // namespace
}  // namespace sortie::quota
