#include "sortie/engine/records.h"

#include <optional>

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

TEST(Records, cached_input_may_be_free) {
  EXPECT_EQ(cost_of({.input = 2, .output = 0, .cached_input = 0}, {.input = 10, .cached_input = 9}),
            2);
}

TEST(Records, more_cached_input_than_input_makes_no_negative_cost) {
  const spec::Price price{.input = 2, .output = 8, .cached_input = 0.2};
  EXPECT_EQ(cost_of(price, {.input = 100, .output = 1, .cached_input = 1000}), 28);
  EXPECT_EQ(cost_of(price, {.input = 0, .output = 0, .cached_input = 1000}), 0);
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

// Was: 719 dialogues died of errors of an API and were counted as failures of the model.
TEST(Records, nothing_that_the_infrastructure_does_is_an_outcome_that_counts) {
  using quota::SignalClass;
  for (const SignalClass kind : {SignalClass::throttle,
                                 SignalClass::concurrency,
                                 SignalClass::ramp,
                                 SignalClass::daily_cap,
                                 SignalClass::out_of_money,
                                 SignalClass::auth,
                                 SignalClass::stall,
                                 SignalClass::not_processed,
                                 SignalClass::broken,
                                 SignalClass::wrong_model,
                                 SignalClass::cancelled,
                                 SignalClass::overload,
                                 SignalClass::transient,
                                 SignalClass::wrong_name,
                                 SignalClass::bad_request}) {
    EXPECT_NE(outcome_of(kind), "scored");
  }
}

TEST(Records, a_score_is_stored_with_what_was_followed_and_retried) {
  score::Score score;
  score.retry = {.same = 4, .arguments = 3, .tool = 2, .none = 1};
  const ledger::ScoreRecord without = to_record(7, score);
  EXPECT_EQ(without.scorer, score::kScorerVersion);
  EXPECT_EQ(without.flawed_places, std::nullopt);
  EXPECT_EQ(without.followed_places, std::nullopt);
  EXPECT_EQ(without.calls_per_answer, std::nullopt);
  EXPECT_EQ(without.retry_same, 4);
  EXPECT_EQ(without.retry_arguments, 3);
  EXPECT_EQ(without.retry_tool, 2);
  EXPECT_EQ(without.retry_none, 1);
  score.flawed_places = 3;
  score.followed_places = 0;
  score.calls_per_answer = 1.5;
  const ledger::ScoreRecord flawed = to_record(7, score);
  EXPECT_EQ(flawed.flawed_places, 3);
  EXPECT_EQ(flawed.followed_places, 0);
  EXPECT_EQ(flawed.calls_per_answer, 1.5);
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
