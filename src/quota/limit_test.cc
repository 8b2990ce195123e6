#include "sortie/quota/limit.h"

#include "sortie/quota/signal.h"

#include <chrono>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace sortie::quota {
namespace {

Limit tokens(TokenCost cost) {
  return {.kind = LimitKind::tokens,
          .quota = 1000,
          .window = std::chrono::minutes(1),
          .enforced_over = {},
          .cost = cost};
}

TEST(CostOf, a_request_costs_one_under_request_and_concurrency_limits) {
  const RequestSize size{.input = 500, .output = 100, .max_output = 4096};
  EXPECT_EQ(cost_of({.kind = LimitKind::requests}, size), 1);
  EXPECT_EQ(cost_of({.kind = LimitKind::concurrency}, size), 1);
}

TEST(CostOf, follows_the_rule_of_the_limit) {
  const RequestSize size{.input = 500, .output = 100, .max_output = 4096};
  EXPECT_EQ(cost_of(tokens(TokenCost::input), size), 500);
  EXPECT_EQ(cost_of(tokens(TokenCost::output), size), 100);
  EXPECT_EQ(cost_of(tokens(TokenCost::input_plus_output), size), 600);
  EXPECT_EQ(cost_of(tokens(TokenCost::input_plus_max), size), 4596);
  EXPECT_EQ(cost_of(tokens(TokenCost::max_of_max_and_input), size), 4096);
}

TEST(CostOf, expects_the_mean_output_where_no_maximum_is_sent) {
  const RequestSize size{.input = 500, .output = 700, .max_output = 0};
  EXPECT_EQ(cost_of(tokens(TokenCost::input_plus_max), size), 1200);
  EXPECT_EQ(cost_of(tokens(TokenCost::max_of_max_and_input), size), 700);
}

TEST(CostOf, is_never_negative) {
  const RequestSize size{.input = -10, .output = 3, .max_output = 0};
  EXPECT_EQ(cost_of(tokens(TokenCost::input_plus_output), size), 0);
}

TEST(IsSettled, only_where_real_tokens_are_charged) {
  EXPECT_TRUE(is_settled(TokenCost::input));
  EXPECT_TRUE(is_settled(TokenCost::output));
  EXPECT_TRUE(is_settled(TokenCost::input_plus_output));
  EXPECT_FALSE(is_settled(TokenCost::input_plus_max));
  EXPECT_FALSE(is_settled(TokenCost::max_of_max_and_input));
}

TEST(TokenCostNames, read_back_as_the_same_rule) {
  for (const TokenCost cost : {TokenCost::input,
                               TokenCost::output,
                               TokenCost::input_plus_output,
                               TokenCost::input_plus_max,
                               TokenCost::max_of_max_and_input}) {
    EXPECT_EQ(token_cost_from(to_string(cost)), cost);
  }
  EXPECT_EQ(token_cost_from("free"), std::nullopt);
}

TEST(SignalNames, are_all_different) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(SignalClass::cancelled); ++i) {
    names.insert(std::string(to_string(static_cast<SignalClass>(i))));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(SignalClass::cancelled) + 1);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(to_string(Dimension::tokens), "tokens");
}

}  // namespace
}  // namespace sortie::quota
