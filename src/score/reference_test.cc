#include "sortie/score/reference.h"

#include <gtest/gtest.h>

namespace sortie::score {
namespace {

TEST(ReferenceSuccess, of_six_operations_at_rate_0_6_is_why_dialogues_have_thirty_turns) {
  const ReferenceQuestion thirty{
      .operations = 6, .tools = 6, .tool_success_rate = 0.6, .max_turns = 30};
  EXPECT_GE(reference_success(Policy::lookup, thirty), 0.98);
  ReferenceQuestion twenty = thirty;
  twenty.max_turns = 20;
  // P(Binomial(8, 0.6) >= 6) = 28·0.6⁶·0.4² + 8·0.6⁷·0.4 + 0.6⁸.
  EXPECT_NEAR(reference_success(Policy::lookup, twenty), 0.31539456, 1e-12);
}

TEST(ReferenceSuccess, is_a_binomial_tail) {
  EXPECT_NEAR(
      reference_success(Policy::direct,
                        {.operations = 2, .tools = 2, .tool_success_rate = 0.5, .max_turns = 3}),
      0.5,
      1e-12);
  EXPECT_DOUBLE_EQ(reference_success(Policy::direct, {.operations = 3, .tools = 3, .max_turns = 3}),
                   1);
  EXPECT_DOUBLE_EQ(reference_success(Policy::direct, {.operations = 3, .tools = 3, .max_turns = 2}),
                   0);
  EXPECT_DOUBLE_EQ(reference_success(Policy::search, {.operations = 3, .tools = 3, .max_turns = 3}),
                   0);
}

}  // namespace
}  // namespace sortie::score
