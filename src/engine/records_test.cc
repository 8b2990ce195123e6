#include "sortie/engine/records.h"

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

TEST(Records, costs_are_micro_dollars) {
  const spec::Price price{.input = 0.5, .output = 1.5, .cached_input = 0.1};
  EXPECT_EQ(cost_of(price, {.input = 1000, .output = 100}), 650);
  EXPECT_EQ(cost_of(price, {.input = 1000, .output = 100, .cached_input = 400}), 490);
  // Without a price of its own cached input costs what input costs.
  EXPECT_EQ(cost_of({.input = 2, .output = 0}, {.input = 10, .cached_input = 10}), 20);
}

TEST(Records, every_signal_has_an_outcome_of_the_closed_set) {
  using quota::SignalClass;
  EXPECT_EQ(outcome_of(SignalClass::throttle), "throttled");
  EXPECT_EQ(outcome_of(SignalClass::out_of_money), "quota_exhausted");
  EXPECT_EQ(outcome_of(SignalClass::auth), "auth");
  EXPECT_EQ(outcome_of(SignalClass::stall), "timeout");
  EXPECT_EQ(outcome_of(SignalClass::broken), "connection");
  EXPECT_EQ(outcome_of(SignalClass::wrong_model), "wrong_model");
  EXPECT_EQ(outcome_of(SignalClass::overload), "provider_error");
}

TEST(Records, calls_know_their_turn_and_their_origin) {
  dialogue::Transcript transcript;
  transcript.turns.resize(2);
  dialogue::Command command;
  command.call = 0;
  transcript.turns[1].commands.push_back(command);
  suite::CallRecord call;
  call.tool = "network_fetcher";
  call.arguments = {{"url", "https://x"}};
  call.result.status = suite::CallStatus::injected;
  call.result.code = "TIMEOUT";
  transcript.calls.push_back(call);
  const auto records = calls_of(7, transcript);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].trial, 7);
  EXPECT_EQ(records[0].turn, 1);
  EXPECT_EQ(records[0].status, "injected");
  EXPECT_EQ(records[0].origin, "injected");
  EXPECT_EQ(records[0].arguments, R"({"url":"https://x"})");
}

}  // namespace
}  // namespace sortie::engine
