#include "sortie/provider/signals.h"

#include "sortie/quota/signal.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::provider {
namespace {

using quota::Dimension;
using quota::Signal;
using quota::SignalClass;

Signal classified(ErrorFacts facts) {
  return classify(openai_signal_rows(), facts);
}

Signal of_status(int status) {
  return classified({.status = status, .code = {}, .type = {}, .message = {}, .body = {}});
}

Signal of_code(int status, std::string_view code) {
  return classified({.status = status, .code = code, .type = {}, .message = {}, .body = {}});
}

Signal of_message(int status, std::string_view message) {
  return classified({.status = status, .code = {}, .type = {}, .message = message, .body = {}});
}

TEST(Classify, falls_back_on_the_status) {
  EXPECT_EQ(of_status(400).kind, SignalClass::bad_request);
  EXPECT_EQ(of_status(401).kind, SignalClass::auth);
  EXPECT_EQ(of_status(402).kind, SignalClass::out_of_money);
  EXPECT_EQ(of_status(403).kind, SignalClass::auth);
  EXPECT_EQ(of_status(404).kind, SignalClass::wrong_name);
  EXPECT_EQ(of_status(408).kind, SignalClass::overload);
  EXPECT_EQ(of_status(413).kind, SignalClass::bad_request);
  EXPECT_EQ(of_status(422).kind, SignalClass::bad_request);
  EXPECT_EQ(of_status(429).kind, SignalClass::throttle);
  EXPECT_EQ(of_status(500).kind, SignalClass::transient);
  EXPECT_EQ(of_status(502).kind, SignalClass::transient);
  EXPECT_EQ(of_status(503).kind, SignalClass::overload);
  EXPECT_EQ(of_status(504).kind, SignalClass::transient);
  EXPECT_EQ(of_status(520).kind, SignalClass::transient);
  EXPECT_EQ(of_status(524).kind, SignalClass::transient);
  EXPECT_EQ(of_status(529).kind, SignalClass::overload);
  EXPECT_EQ(of_status(302).kind, SignalClass::wrong_name);
}

TEST(Classify, knows_when_work_may_have_been_done) {
  for (const int status : {408, 504, 524, 200}) {
    EXPECT_TRUE(of_status(status).maybe_billed) << status;
  }
  for (const int status : {400, 401, 429, 500, 502, 503, 529}) {
    EXPECT_FALSE(of_status(status).maybe_billed) << status;
  }
}

TEST(Classify, retries_what_it_does_not_know) {
  const Signal signal = of_status(100);
  EXPECT_EQ(signal.kind, SignalClass::transient);
  EXPECT_EQ(signal.status, 100);
}

TEST(Classify, finds_the_dimension_of_a_throttle) {
  struct Case {
    std::string_view message;
    Dimension dimension;
  };

  for (const Case& c : std::vector<Case>{
           {"Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit "
            "30000, Used 29000, Requested 1500. Please try again in 1s.",
            Dimension::tokens},
           {"Rate limit reached for gpt-4o on requests per min (RPM): Limit 500, Used 500, "
            "Requested 1.",
            Dimension::requests},
           {"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of "
            "your current OpenAI S0 pricing tier. Please retry after 86400 seconds.",
            Dimension::tokens},
           {"Requests to the ChatCompletions_Create Operation have exceeded call rate limit of "
            "your "
            "current OpenAI S0 pricing tier.",
            Dimension::requests},
           {"Rate limit of 400000 tokens per 60 s exceeded for UserByModelByMinuteTokens. Please "
            "wait 41 seconds before retrying.",
            Dimension::tokens},
           {"TPM/RPM限流", Dimension::unknown},
           {"Your account request reached max RPM: 3", Dimension::requests},
           {"slow please", Dimension::unknown}}) {
    const Signal signal = of_message(429, c.message);
    EXPECT_EQ(signal.kind, SignalClass::throttle) << c.message;
    EXPECT_EQ(signal.dimension, c.dimension) << c.message;
  }
}

TEST(Classify, reads_the_dimension_from_the_type) {
  const Signal signal = classified(
      {.status = 429, .code = "rate_limit_exceeded", .type = "tokens", .message = {}, .body = {}});
  EXPECT_EQ(signal.kind, SignalClass::throttle);
  EXPECT_EQ(signal.dimension, Dimension::tokens);
  EXPECT_EQ(signal.code, "rate_limit_exceeded");
}

TEST(Classify, tells_the_seven_meanings_of_429) {
  EXPECT_EQ(of_code(429, "insufficient_quota").kind, SignalClass::out_of_money);
  EXPECT_EQ(of_code(429, "project_spend_limit_exceeded").kind, SignalClass::out_of_money);
  EXPECT_EQ(of_code(429, "1113").kind, SignalClass::out_of_money);
  EXPECT_EQ(of_code(429, "slow_down").kind, SignalClass::ramp);
  EXPECT_EQ(of_code(429, "limit_burst_rate").kind, SignalClass::ramp);
  EXPECT_EQ(of_code(429, "engine_overloaded_error").kind, SignalClass::overload);
  EXPECT_EQ(of_code(429, "1305").kind, SignalClass::overload);
  EXPECT_EQ(of_message(429, "The system is experiencing high demand").kind, SignalClass::overload);
  EXPECT_EQ(of_code(429, "1302").kind, SignalClass::concurrency);
  EXPECT_EQ(of_message(429, "max organization concurrency: 1").kind, SignalClass::concurrency);
  EXPECT_EQ(of_code(429, "1304").kind, SignalClass::daily_cap);
  EXPECT_EQ(of_message(429, "on tokens per day (TPD): Limit 500000").kind, SignalClass::daily_cap);
  EXPECT_EQ(of_code(429, "1303").dimension, Dimension::requests);
}

TEST(Classify, tells_a_token_limit_from_an_empty_purse) {
  const Signal dashscope = classified({.status = 429,
                                       .code = "insufficient_quota",
                                       .type = {},
                                       .message = "Allocated quota exceeded, please increase your "
                                                  "quota limit.",
                                       .body = {}});
  EXPECT_EQ(dashscope.kind, SignalClass::throttle);
  EXPECT_EQ(dashscope.dimension, Dimension::tokens);
}

TEST(Classify, finds_a_throttle_disguised_as_400) {
  const std::string_view body =
      R"({"success":false,"code":"MPE-429","message":"Throttling.RateQuota: requests throttled"})";
  const Signal signal = classified({.status = 400,
                                    .code = "MPE-429",
                                    .type = {},
                                    .message = "Throttling.RateQuota",
                                    .body = body});
  EXPECT_EQ(signal.kind, SignalClass::throttle);
  EXPECT_EQ(signal.dimension, Dimension::requests);
  EXPECT_EQ(of_message(400, "MPE-429 Throttling.AllocationQuota").dimension, Dimension::tokens);
  EXPECT_EQ(of_message(429, "PL-002 平台限流").kind, SignalClass::throttle);
}

TEST(Classify, finds_a_dead_key_disguised_as_400) {
  EXPECT_EQ(of_code(400, "CE-003").kind, SignalClass::auth);
  EXPECT_EQ(of_message(400, R"({"errorCode":"CE-003","msg":"invalid key"})").kind,
            SignalClass::auth);
  EXPECT_EQ(of_code(400, "invalid_api_key").kind, SignalClass::auth);
}

TEST(Classify, does_not_take_an_identifier_for_a_code) {
  EXPECT_EQ(of_message(400, "bad field; request 1b2c3d4e-77ce-0031-9ace-003f2a1b0c9d").kind,
            SignalClass::bad_request);
}

TEST(Classify, names_what_ends_a_dialogue_by_our_own_codes) {
  for (const std::string_view message :
       {"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "the request exceeds the available context size",
        "Range of input length should be [1, 129024]"}) {
    const Signal signal = of_message(400, message);
    EXPECT_EQ(signal.kind, SignalClass::bad_request) << message;
    EXPECT_EQ(signal.code, kContextLengthExceeded) << message;
  }
  EXPECT_EQ(of_code(413, "context_length_exceeded").code, kContextLengthExceeded);
  EXPECT_EQ(of_code(400, "content_filter").code, kContentFilter);
  EXPECT_EQ(of_code(400, "data_inspection_failed").code, kContentFilter);
  EXPECT_EQ(of_code(400, "1301").code, kContentFilter);
  EXPECT_EQ(of_code(400, "content_filter").kind, SignalClass::bad_request);
}

TEST(Classify, finds_a_wrong_name_under_any_status) {
  EXPECT_EQ(of_code(404, "DeploymentNotFound").kind, SignalClass::wrong_name);
  EXPECT_EQ(of_code(400, "model_not_found").kind, SignalClass::wrong_name);
  EXPECT_EQ(of_message(403, "Project `p` does not have access to model `m`").kind,
            SignalClass::wrong_name);
}

TEST(Classify, a_page_of_a_firewall_does_not_kill_a_key) {
  EXPECT_EQ(classified({.status = 403,
                        .code = {},
                        .type = {},
                        .message = {},
                        .body = "<!DOCTYPE html><html><title>Attention Required!</title>"})
                .kind,
            SignalClass::transient);
  EXPECT_EQ(of_message(403, "Free quota has been used up").kind, SignalClass::out_of_money);
}

TEST(Classify, keeps_the_words_of_the_server_but_not_all_of_them) {
  const std::string page(100'000, 'x');
  const Signal signal =
      classified({.status = 418, .code = {}, .type = {}, .message = {}, .body = page});
  EXPECT_LE(signal.message.size(), 503U);
  EXPECT_GE(signal.message.size(), 490U);
  EXPECT_EQ(of_message(418, "short and stout").message, "short and stout");
}

TEST(Classify, takes_the_first_row_that_matches) {
  std::vector<SignalRow> rows = openai_signal_rows();
  rows.insert(rows.begin(),
              {.status_min = 400,
               .status_max = 400,
               .code = "HOUSE-7*",
               .text = "busy|late",
               .kind = SignalClass::overload,
               .dimension = Dimension::unknown,
               .maybe_billed = false,
               .code_as = "house"});
  ErrorFacts facts{
      .status = 400, .code = "house-77", .type = {}, .message = "too LATE today", .body = {}};
  EXPECT_EQ(classify(rows, facts).kind, SignalClass::overload);
  EXPECT_EQ(classify(rows, facts).code, "house");
  facts.message = "no";
  EXPECT_EQ(classify(rows, facts).kind, SignalClass::bad_request);
}

TEST(MatchesPattern, a_star_stands_for_anything) {
  EXPECT_TRUE(matches_pattern("gpt-4o*", "gpt-4o-2024-08-06"));
  EXPECT_TRUE(matches_pattern("*_limit_*", "Project_Limit_exceeded"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(matches_pattern("a*b*c", "aXbYbZ"));
  EXPECT_FALSE(matches_pattern("", "x"));
  EXPECT_FALSE(matches_pattern("abc", "abcd"));
  EXPECT_FALSE(matches_pattern(std::string("*a*a*a*a*a*a*b"), std::string(2'000, 'a')));
}

}  // namespace
}  // namespace sortie::provider
