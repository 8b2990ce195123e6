#include "sortie/provider/signals.h"

#include "sortie/base/time.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/provider_headers.h"
#include "sortie/quota/signal.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/signals_file.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::spec {
namespace {

using provider::classify;
using provider::ErrorFacts;
using provider::kContentFilter;
using provider::kContextLengthExceeded;
using provider::openai;
using provider::SignalRow;
using provider::SignalRules;
using provider::SignalTable;

using quota::Dimension;
using quota::Signal;
using quota::SignalClass;

Signal classified(ErrorFacts facts) {
  return classify({.table = &shipped_signals()}, facts);
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

// --- Whole answers

wire::Response response_of(int status, std::string_view body) {
  wire::Response response;
  response.status = status;
  response.body = std::string(body);
  return response;
}

Signal signal_of_response(const wire::Response& response, std::string_view provider = "") {
  auto decoded = openai().decode(response, {.table = &shipped_signals(), .provider = provider});
  EXPECT_FALSE(decoded) << response.body;
  return decoded ? Signal{} : std::move(decoded.error());
}

Signal signal_of_body(int status, std::string_view body) {
  return signal_of_response(response_of(status, body));
}

std::string with_message(std::string_view message, std::string_view finish = "stop") {
  return R"({"model":"m","choices":[{"message":)" + std::string(message) + R"(,"finish_reason":")" +
         std::string(finish) + R"("}]})";
}

TEST(Answers, finds_an_error_inside_a_good_answer) {
  const Signal overloaded = signal_of_body(
      200, R"({"error":{"code":502,"message":"Provider returned error","metadata":{}}})");
  EXPECT_EQ(overloaded.kind, SignalClass::transient);
  EXPECT_EQ(overloaded.status, 200);
  EXPECT_EQ(overloaded.code, "502");
  const Signal throttled = signal_of_body(
      200, R"({"error":{"code":429,"message":"Rate limit. Please retry after 3s"}})");
  EXPECT_EQ(throttled.kind, SignalClass::throttle);
  EXPECT_EQ(throttled.wait, std::chrono::seconds(3));
  const Signal unknown = signal_of_body(200, R"({"error":"something went wrong"})");
  EXPECT_EQ(unknown.kind, SignalClass::transient);
  EXPECT_TRUE(unknown.maybe_billed);
  EXPECT_EQ(unknown.message, "something went wrong");
}

TEST(Answers, an_answer_that_the_provider_broke_off_is_no_answer) {
  const Signal busy =
      signal_of_body(200, with_message(R"({"content":"half"})", "insufficient_system_resource"));
  EXPECT_EQ(busy.kind, SignalClass::overload);
  EXPECT_TRUE(busy.maybe_billed);
  const Signal lost = signal_of_body(200, with_message(R"({"content":"half"})", "network_error"));
  EXPECT_EQ(lost.kind, SignalClass::transient);
  EXPECT_TRUE(lost.maybe_billed);
}

TEST(Answers, reads_an_error_answer) {
  wire::Response response = response_of(
      429,
      R"({"error":{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000. )"
      R"(Please try again in 1s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}})");
  const Signal by_words = signal_of_response(response);
  EXPECT_EQ(by_words.kind, SignalClass::throttle);
  EXPECT_EQ(by_words.dimension, Dimension::tokens);
  EXPECT_EQ(by_words.wait, std::chrono::seconds(1));
  EXPECT_EQ(by_words.status, 429);
  response.headers.add("retry-after", "7");
  EXPECT_EQ(signal_of_response(response).wait, std::chrono::seconds(7));
}

TEST(Answers, reads_the_error_shapes_of_other_gateways) {
  EXPECT_EQ(
      signal_of_body(400, R"({"code":"Throttling.RateQuota","message":"slow","request_id":"x"})")
          .dimension,
      Dimension::requests);
  EXPECT_EQ(signal_of_body(400, R"({"success":false,"errorCode":"CE-003","errorMsg":"key"})").kind,
            SignalClass::auth);
  EXPECT_EQ(signal_of_body(429, R"({"error":{"code":"1305","message":"busy"}})").kind,
            SignalClass::overload);
  EXPECT_EQ(signal_of_body(429, R"({"error":{"code":1302,"message":"busy"}})").kind,
            SignalClass::concurrency);
  EXPECT_EQ(signal_of_body(400,
                           R"({"object":"error","message":"This model's maximum context length is )"
                           R"(4096 tokens","type":"BadRequestError","code":400})")
                .code,
            kContextLengthExceeded);
  EXPECT_EQ(signal_of_body(400,
                           R"({"error":{"message":"filtered","code":"x","innererror":)"
                           R"({"code":"ResponsibleAIPolicyViolation"}}})")
                .code,
            kContentFilter);
  EXPECT_EQ(signal_of_body(404, R"({"detail":"Not Found"})").message, "Not Found");
  EXPECT_EQ(signal_of_body(503, "upstream connect error").kind, SignalClass::overload);
  EXPECT_EQ(signal_of_body(503, "upstream connect error").message, "upstream connect error");
  EXPECT_EQ(signal_of_body(500, "").kind, SignalClass::transient);
}

TEST(Answers, reads_only_good_statuses_as_answers) {
  EXPECT_EQ(signal_of_body(500, with_message("{}")).kind, SignalClass::transient);
  EXPECT_EQ(signal_of_body(404, with_message("{}")).kind, SignalClass::wrong_name);
}

/// What each provider was documented or seen to send, and what it means here.
struct Case {
  std::string_view what;
  std::string_view provider;
  int status = 0;
  std::string_view headers;  // "name: value" lines
  std::string_view body;
  SignalClass kind{};
  Dimension dimension = Dimension::unknown;
  double wait = -1;  // seconds; -1: none
};

constexpr std::string_view kNoHeaders;
constexpr Dimension kNone = Dimension::unknown;

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"OpenAI: a limit",
       "openai",
       429,
       "retry-after-ms: 1500\nretry-after: 2",
       R"({"error":{"message":"Rate limit reached for gpt-4o in organization org-1 on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.","type":"requests","param":null,"code":"rate_limit_exceeded"}})",
       SignalClass::throttle,
       Dimension::requests,
       1.5},
      {"OpenAI: tokens, wait in words",
       "openai",
       429,
       kNoHeaders,
       R"({"error":{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000. Please try again in 6m0s.","type":"tokens","code":"rate_limit_exceeded"}})",
       SignalClass::throttle,
       Dimension::tokens,
       360},
      {"OpenAI: ramp",
       "openai",
       429,
       kNoHeaders,
       R"({"error":{"message":"Slow down","type":"rate_limit_error","code":"slow_down"}})",
       SignalClass::ramp},
      {"OpenAI: overloaded",
       "openai",
       503,
       kNoHeaders,
       R"({"error":{"message":"busy","type":"server_error","code":"server_is_overloaded"}})",
       SignalClass::overload},
      {"OpenAI: no money",
       "openai",
       429,
       kNoHeaders,
       R"({"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}})",
       SignalClass::out_of_money},
      {"OpenAI: balance",
       "openai",
       429,
       kNoHeaders,
       R"({"error":{"message":"x","type":"insufficient_quota","code":"credit_balance_exhausted"}})",
       SignalClass::out_of_money},
      {"OpenAI: spend limit",
       "openai",
       429,
       kNoHeaders,
       R"({"error":{"message":"x","type":"insufficient_quota","code":"organization_spend_limit_exceeded"}})",
       SignalClass::out_of_money},
      {"OpenAI: usage limit",
       "openai",
       429,
       kNoHeaders,
       R"({"error":{"message":"x","type":"insufficient_quota","code":"organization_usage_limit_exceeded"}})",
       SignalClass::out_of_money},
      {"Azure: token rate limit",
       "azure",
       429,
       "retry-after: 41",
       R"({"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current AIServices S0 pricing tier. Please retry after 41 seconds."}})",
       SignalClass::throttle,
       Dimension::tokens,
       41},
      {"Azure: call rate limit",
       "azure",
       429,
       kNoHeaders,
       R"({"error":{"code":"429","message":"Requests have exceeded call rate limit. Please retry after 3 seconds."}})",
       SignalClass::throttle,
       Dimension::requests,
       3},
      {"Azure: a wait of a day takes the route out",
       "azure",
       429,
       kNoHeaders,
       R"({"error":{"code":"429","message":"exceeded token rate limit. Please retry after 86400 seconds."}})",
       SignalClass::daily_cap,
       kNone,
       86400},
      {"Azure: high demand",
       "azure",
       429,
       kNoHeaders,
       R"({"error":{"code":"429","message":"The system is currently experiencing high demand and cannot process your request."}})",
       SignalClass::overload},
      {"Azure: minute tokens, as seen",
       "azure",
       429,
       kNoHeaders,
       R"({"error":{"code":"RateLimitReached","message":"Rate limit of 400000 tokens per 60 s exceeded for UserByModelByMinuteTokens. Please wait 58 seconds before retrying."}})",
       SignalClass::throttle,
       Dimension::tokens,
       58},
      {"Azure: the same with nothing to wait for, as seen in one of four",
       "azure",
       429,
       kNoHeaders,
       R"({"error":{"code":"RateLimitReached","message":"Rate limit of 400000 tokens per 60 s exceeded for UserByModelByMinuteTokens. Please wait 0 seconds before retrying."}})",
       SignalClass::throttle,
       Dimension::tokens,
       0},
      {"Azure: a deployment that does not exist",
       "azure",
       404,
       kNoHeaders,
       R"({"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}})",
       SignalClass::wrong_name},
      {"Anthropic: a limit",
       "anthropic",
       429,
       "retry-after: 12",
       R"({"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 40,000 input tokens per minute"}})",
       SignalClass::throttle,
       Dimension::tokens,
       12},
      {"Anthropic: acceleration",
       "anthropic",
       429,
       "retry-after: 7",
       R"({"type":"error","error":{"type":"rate_limit_error","message":"You have hit an acceleration limit"}})",
       SignalClass::ramp,
       kNone,
       7},
      {"Anthropic: spend limit until the month ends",
       "anthropic",
       429,
       "date: Sat, 28 Feb 2026 23:00:00 GMT",
       R"({"type":"error","error":{"type":"rate_limit_error","message":"monthly limit","details":{"error_code":"enforced_spend_limit_reached"}}})",
       SignalClass::out_of_money,
       kNone,
       3600},
      {"Anthropic: overloaded",
       "anthropic",
       529,
       kNoHeaders,
       R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
       SignalClass::overload},
      {"Anthropic: overloaded, inside a stream",
       "anthropic",
       200,
       "content-type: text/event-stream",
       "event: error\ndata: "
       "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"
       "\n\n",
       SignalClass::overload},
      {"Anthropic: key",
       "anthropic",
       401,
       kNoHeaders,
       R"({"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}})",
       SignalClass::auth},
      {"Anthropic: credit",
       "anthropic",
       400,
       kNoHeaders,
       R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}})",
       SignalClass::out_of_money},
      {"Anthropic: unknown model",
       "anthropic",
       404,
       kNoHeaders,
       R"({"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}})",
       SignalClass::wrong_name},
      {"Gemini: minute",
       "gemini",
       429,
       kNoHeaders,
       R"({"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}})",
       SignalClass::throttle,
       Dimension::requests,
       34.5},
      {"Gemini: input tokens a minute",
       "gemini",
       429,
       kNoHeaders,
       R"({"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateContentPaidTierInputTokensPerModelPerMinute"}]}]}})",
       SignalClass::throttle,
       Dimension::tokens},
      {"Gemini: day, until midnight in California",
       "gemini",
       429,
       "date: Tue, 10 Feb 2026 07:30:00 GMT",
       R"({"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]}})",
       SignalClass::daily_cap,
       Dimension::requests,
       1800},
      {"Gemini: day, newer code",
       "gemini",
       429,
       "date: Tue, 10 Feb 2026 07:30:00 GMT",
       R"({"error":{"code":"quota_exceeded","message":"quota"}})",
       SignalClass::daily_cap,
       kNone,
       1800},
      {"Gemini: minute, newer code",
       "gemini",
       429,
       "date: Tue, 10 Feb 2026 07:30:00 GMT",
       R"({"error":{"code":"rate_limit_exceeded","message":"quota"}})",
       SignalClass::throttle},
      {"Gemini: money",
       "gemini",
       402,
       kNoHeaders,
       R"({"error":{"code":402,"message":"prepay","status":"FAILED_PRECONDITION"}})",
       SignalClass::out_of_money},
      {"Gemini: overloaded",
       "gemini",
       503,
       kNoHeaders,
       R"({"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}})",
       SignalClass::overload},
      {"Gemini: key, with 400",
       "gemini",
       400,
       kNoHeaders,
       R"({"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}})",
       SignalClass::auth},
      {"DashScope: RPM or RPS",
       "dashscope",
       429,
       kNoHeaders,
       R"({"code":"Throttling.RateQuota","message":"Requests rate limit exceeded, please try again later."})",
       SignalClass::throttle,
       Dimension::requests},
      {"DashScope: the same, OpenAI's form",
       "dashscope",
       429,
       kNoHeaders,
       R"({"error":{"code":"limit_requests","message":"You exceeded your current requests list.","type":"limit_requests"}})",
       SignalClass::throttle,
       Dimension::requests},
      {"DashScope: TPM or TPS",
       "dashscope",
       429,
       kNoHeaders,
       R"({"code":"Throttling.AllocationQuota","message":"Allocated quota exceeded"})",
       SignalClass::throttle,
       Dimension::tokens},
      {"DashScope: insufficient_quota is a token limit",
       "dashscope",
       429,
       kNoHeaders,
       R"({"error":{"code":"insufficient_quota","message":"You exceeded your current quota","type":"insufficient_quota"}})",
       SignalClass::throttle,
       Dimension::tokens},
      {"DashScope: growth",
       "dashscope",
       429,
       kNoHeaders,
       R"({"error":{"code":"limit_burst_rate","message":"Request rate increased too quickly."}})",
       SignalClass::ramp},
      {"DashScope: growth, native form",
       "dashscope",
       429,
       kNoHeaders,
       R"({"code":"Throttling.BurstRate","message":"Request rate increased too quickly."})",
       SignalClass::ramp},
      {"DashScope: free quota used up",
       "dashscope",
       403,
       kNoHeaders,
       R"({"code":"AllocationQuota.FreeTierOnly","message":"The free tier of the model has been exhausted."})",
       SignalClass::out_of_money},
      {"DeepSeek: concurrency",
       "deepseek",
       429,
       kNoHeaders,
       R"({"error":{"message":"Rate Limit Reached","type":"rate_limit_error"}})",
       SignalClass::concurrency,
       Dimension::concurrency},
      {"DeepSeek: overloaded",
       "deepseek",
       503,
       kNoHeaders,
       R"({"error":{"message":"busy"}})",
       SignalClass::overload},
      {"DeepSeek: balance",
       "deepseek",
       402,
       kNoHeaders,
       R"({"error":{"message":"Insufficient Balance"}})",
       SignalClass::out_of_money},
      {"GLM: own concurrency",
       "glm",
       429,
       kNoHeaders,
       R"({"error":{"code":"1302","message":"x"}})",
       SignalClass::concurrency,
       Dimension::concurrency},
      {"GLM: own frequency",
       "glm",
       429,
       kNoHeaders,
       R"({"error":{"code":"1303","message":"x"}})",
       SignalClass::throttle,
       Dimension::requests},
      {"GLM: a day's count",
       "glm",
       429,
       kNoHeaders,
       R"({"error":{"code":"1304","message":"x"}})",
       SignalClass::daily_cap},
      {"GLM: platform busy",
       "glm",
       429,
       kNoHeaders,
       R"({"error":{"code":"1305","message":"x"}})",
       SignalClass::overload},
      {"GLM: platform busy, model",
       "glm",
       429,
       kNoHeaders,
       R"({"error":{"code":"1312","message":"x"}})",
       SignalClass::overload},
      {"GLM: cap",
       "glm",
       429,
       kNoHeaders,
       R"({"error":{"code":"1308","message":"x"}})",
       SignalClass::daily_cap},
      {"GLM: cap of a week",
       "glm",
       429,
       kNoHeaders,
       R"({"error":{"code":"1310","message":"x"}})",
       SignalClass::daily_cap},
      {"GLM: cap with its reset, Beijing's time",
       "glm",
       429,
       "Date: Fri, 04 Sep 2026 10:00:00 GMT",
       R"({"error":{"code":"1308","message":"Usage limit reached for 5 hour. Your limit will reset at 2026-09-04 19:01:25"}})",
       SignalClass::daily_cap,
       Dimension::unknown,
       3685},
      {"GLM: the same in Chinese",
       "glm",
       429,
       "Date: Mon, 24 Aug 2026 23:00:00 GMT",
       R"({"error":{"code":"1308","message":"已达到 5 小时的使用上限。您的限额将在 2026-08-25 07:41:44 重置。"}})",
       SignalClass::daily_cap,
       Dimension::unknown,
       2504},
      {"GLM: arrears",
       "glm",
       429,
       kNoHeaders,
       R"({"error":{"code":"1113","message":"x"}})",
       SignalClass::out_of_money},
      {"Moonshot: engine overloaded",
       "moonshot",
       429,
       kNoHeaders,
       R"({"error":{"message":"The engine is currently overloaded, please try again later","type":"engine_overloaded_error"}})",
       SignalClass::overload},
      {"Moonshot: a limit",
       "moonshot",
       429,
       kNoHeaders,
       R"({"error":{"message":"Your account reached max RPM: 3, please try again after 1 seconds","type":"rate_limit_reached_error"}})",
       SignalClass::throttle,
       Dimension::requests,
       1},
      {"Moonshot: quota",
       "moonshot",
       429,
       kNoHeaders,
       R"({"error":{"message":"You exceeded your current token quota","type":"exceeded_current_quota_error"}})",
       SignalClass::out_of_money},
      {"Groq: a limit",
       "groq",
       429,
       "retry-after: 2.5",
       R"({"error":{"message":"Rate limit reached for model on tokens per minute (TPM): x","type":"tokens","code":"rate_limit_exceeded"}})",
       SignalClass::throttle,
       Dimension::tokens,
       2.5},
      {"Together: above your rate",
       "together",
       429,
       kNoHeaders,
       R"({"error":{"message":"You have reached the rate limit","type":"rate_limit"}})",
       SignalClass::throttle},
      {"Together: their capacity",
       "together",
       503,
       kNoHeaders,
       R"({"error":{"message":"Service unavailable"}})",
       SignalClass::overload},
      {"Fireworks: growing too fast",
       "fireworks",
       429,
       kNoHeaders,
       R"({"error":{"message":"rate limited"}})",
       SignalClass::ramp},
      {"Fireworks: overloaded", "fireworks", 503, kNoHeaders, "{}", SignalClass::overload},
      {"Bedrock: throttled, which quota it does not say",
       "bedrock",
       429,
       kNoHeaders,
       R"({"__type":"ThrottlingException","message":"Too many requests, please wait before trying again."})",
       SignalClass::throttle},
      {"Bedrock: not ready",
       "bedrock",
       429,
       kNoHeaders,
       R"({"__type":"ModelNotReadyException","message":"Model is not ready for inference."})",
       SignalClass::overload},
      {"OpenRouter: an error inside 200",
       "openrouter",
       200,
       kNoHeaders,
       R"({"error":{"code":429,"message":"Rate limit exceeded upstream"}})",
       SignalClass::throttle},
      {"OpenRouter: an error inside a stream",
       "openrouter",
       200,
       "content-type: text/event-stream",
       ": OPENROUTER PROCESSING\n\ndata: {\"error\":{\"code\":503,\"message\":\"no "
       "provider\"},\"choices\":[]}\n\n",
       SignalClass::overload},
      {"OpenRouter: money in flight comes back",
       "openrouter",
       402,
       "retry-after: 5",
       R"({"error":{"code":402,"message":"x","metadata":{"limit_source":"openrouter_in_flight_budget"}}})",
       SignalClass::throttle,
       kNone,
       5},
      {"OpenRouter: no credits",
       "openrouter",
       402,
       kNoHeaders,
       R"({"error":{"code":402,"message":"Insufficient credits"}})",
       SignalClass::out_of_money},
      {"IdealLab: a throttle disguised as 400",
       "idealab",
       400,
       kNoHeaders,
       R"({"success":false,"code":"MPE-429","message":"Throttling.RateQuota: requests throttled"})",
       SignalClass::throttle,
       Dimension::requests},
      {"IdealLab: tokens",
       "idealab",
       400,
       kNoHeaders,
       R"({"success":false,"code":"MPE-429","message":"Throttling.AllocationQuota"})",
       SignalClass::throttle,
       Dimension::tokens},
      {"IdealLab: platform",
       "idealab",
       429,
       kNoHeaders,
       R"({"success":false,"code":"PL-002","message":"TPM/RPM限流"})",
       SignalClass::throttle},
      {"IdealLab: dead key",
       "idealab",
       400,
       kNoHeaders,
       R"({"success":false,"code":"CE-003","message":"invalid key"})",
       SignalClass::auth},
      {"IdealLab: resource policy",
       "idealab",
       400,
       kNoHeaders,
       R"({"success":false,"code":"IRC-001","message":"resource policy"})",
       SignalClass::wrong_name},
      {"a date to wait for",
       "",
       429,
       "date: Tue, 10 Feb 2026 07:30:00 GMT\nretry-after: Tue, 10 Feb 2026 07:31:30 GMT",
       "{}",
       SignalClass::throttle,
       kNone,
       90},
      {"a bad gateway",
       "",
       502,
       kNoHeaders,
       "<html>502 Bad Gateway</html>",
       SignalClass::transient},
  };

  return all;
}

wire::Response response_of(const Case& c) {
  wire::Response response = response_of(c.status, c.body);
  std::string_view left = c.headers;
  while (!left.empty()) {
    const std::string_view line = left.substr(0, left.find('\n'));
    const std::size_t colon = line.find(": ");
    response.headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
    left.remove_prefix(std::min(left.size(), line.size() + 1));
  }
  return response;
}

TEST(Signals, every_known_answer_has_its_class) {
  for (const Case& c : cases()) {
    const provider::Dialect& dialect = c.provider == "anthropic" ? provider::anthropic()
                                       : c.provider == "gemini"  ? provider::gemini()
                                                                 : provider::openai();
    const auto decoded =
        dialect.decode(response_of(c), {.table = &shipped_signals(), .provider = c.provider});
    ASSERT_FALSE(decoded) << c.what;
    const Signal& signal = decoded.error();
    EXPECT_EQ(to_string(signal.kind), to_string(c.kind)) << c.what;
    EXPECT_EQ(to_string(signal.dimension), to_string(c.dimension)) << c.what;
    EXPECT_EQ(signal.wait ? base::seconds(*signal.wait) : -1, c.wait) << c.what;
    EXPECT_TRUE(signal.known) << c.what;
  }
}

TEST(Signals, every_provider_of_a_case_is_in_the_table) {
  for (const Case& c : cases()) {
    EXPECT_TRUE(c.provider.empty() || shipped_signals().find_provider(c.provider) != nullptr)
        << c.provider;
  }
}

TEST(Signals, what_nobody_knows_is_a_guess) {
  EXPECT_FALSE(signal_of_body(418, "short and stout").known);
  EXPECT_FALSE(signal_of_body(599, "x").known);
  EXPECT_FALSE(signal_of_body(200, R"({"error":"something went wrong"})").known);
  EXPECT_EQ(signal_of_body(418, "short and stout").message, "short and stout");
}

TEST(Signals, rows_of_a_file_go_before_the_shipped_ones) {
  const auto topology = parse_endpoints(R"(version: 1
signals:
  - {status: 400, code: [HOUSE-7, HOUSE-8], class: throttle, dimension: requests}
  - {provider: groq, status: 500+, text: maintenance, class: daily_cap, until: midnight_utc, billed: true}
models: {m: }
endpoints:
  e: {dialect: openai, base_url: "https://api.groq.com/openai/v1", routes: [m]}
)",
                                        "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  const SignalRules rules = topology->rules_of(0);
  EXPECT_EQ(rules.provider, "groq");
  EXPECT_EQ(classify(rules, {.status = 400, .code = "HOUSE-8"}).dimension, Dimension::requests);
  const Signal closed = classify(rules, {.status = 503, .message = "in Maintenance"});
  EXPECT_EQ(closed.kind, SignalClass::daily_cap);
  EXPECT_TRUE(closed.maybe_billed);
  EXPECT_EQ(classify(rules, {.status = 503}).kind, SignalClass::overload);
}

TEST(Signals, mistakes_in_rows_have_a_place) {
  const auto error = [](std::string_view row) {
    const auto topology =
        parse_endpoints("version: 1\nsignals: [" + std::string(row) +
                            "]\nmodels: {m: }\nendpoints:\n  e: {dialect: openai, "
                            "base_url: \"https://h/v1\", routes: [m]}\n",
                        "e.yaml");
    return topology ? "" : topology.error().message;
  };
  EXPECT_EQ(error("{status: 429, class: throttle}"), "");
  EXPECT_NE(error("{status: 4x9, class: throttle}").find("e.yaml:2:20: status: expected"),
            std::string::npos);
  EXPECT_NE(error("{class: throtle}").find("did you mean 'throttle'?"), std::string::npos);
  EXPECT_NE(error("{status: 429}").find("class"), std::string::npos);
  EXPECT_NE(error("{class: ramp, until: noon}").find("until: expected"), std::string::npos);
}

TEST(Hints, of_a_provider_that_counts_otherwise_are_ignored) {
  wire::Response response = response_of(200, with_message(R"({"content":"x"})"));
  response.headers.add("x-ratelimit-limit-requests", "14400");  // Groq: a day's
  response.headers.add("x-ratelimit-limit-tokens", "6000");
  const auto known = openai().decode(response, {.table = &shipped_signals(), .provider = "groq"});
  EXPECT_EQ(known->hints.limit_requests, std::nullopt);
  EXPECT_EQ(known->hints.limit_tokens, 6000);
  const auto other = openai().decode(response, {.table = &shipped_signals()});
  EXPECT_EQ(other->hints.limit_requests, 14400);
}

quota::LimitHints hints_from(std::string_view provider, const std::vector<wire::Header>& headers) {
  wire::Response response = response_of(200, with_message(R"({"content":"x"})"));
  for (const wire::Header& header : headers) {
    response.headers.add(header.name, header.value);
  }
  return openai().decode(response, {.table = &shipped_signals(), .provider = provider})->hints;
}

TEST(Hints, of_a_project_count_where_they_are_tighter) {
  std::vector<wire::Header> headers = {{"x-ratelimit-limit-tokens", "150000"},
                                       {"x-ratelimit-remaining-tokens", "149984"},
                                       {"x-ratelimit-reset-tokens", "6ms"},
                                       {"x-ratelimit-limit-project-tokens", "60000"},
                                       {"x-ratelimit-remaining-project-tokens", "0"},
                                       {"x-ratelimit-reset-project-tokens", "3s"}};
  const quota::LimitHints tighter = hints_from("openai", headers);
  EXPECT_EQ(tighter.limit_tokens, 60'000);
  EXPECT_EQ(tighter.remaining_tokens, 0);
  EXPECT_EQ(tighter.reset_tokens, std::chrono::seconds(3));
  headers[3].value = "200000";
  const quota::LimitHints wider = hints_from("openai", headers);
  EXPECT_EQ(wider.limit_tokens, 150'000);
  EXPECT_EQ(wider.remaining_tokens, 149'984);
  headers[3].value = "150000";  // equal: what is used up more
  EXPECT_EQ(hints_from("openai", headers).remaining_tokens, 0);
  headers[3].value = "-1";  // unknown
  EXPECT_EQ(hints_from("openai", headers).limit_tokens, 150'000);
  EXPECT_EQ(hints_from("openai", {headers[3], headers[4]}).limit_tokens, std::nullopt);
}

TEST(Hints, of_fireworks_are_tokens_a_second) {
  const quota::LimitHints hints = hints_from("fireworks",
                                             {{"X-Ratelimit-Limit-Tokens-Prompt", "60000"},
                                              {"X-Ratelimit-Limit-Tokens-Generated", "600"}});
  EXPECT_EQ(hints.limit_tokens, 3'600'000);
  EXPECT_EQ(hints.remaining_tokens, std::nullopt);
  EXPECT_EQ(hints.limit_requests, std::nullopt);
}

TEST(Providers, may_want_headers_with_every_request) {
  const auto sent_to = [](std::string_view host) {
    const provider::ProviderRow* row = shipped_signals().provider_at(host);
    wire::Headers headers;
    provider::add_provider_headers(row != nullptr ? row->name : "", headers);
    return std::string(headers.find("x-dashscope-wait-timeout").value_or("none"));
  };
  EXPECT_EQ(sent_to("dashscope.aliyuncs.com"), "10");
  EXPECT_EQ(sent_to("dashscope-intl.aliyuncs.com"), "10");
  EXPECT_EQ(sent_to("api.openai.com"), "none");
  EXPECT_EQ(sent_to("gateway.example"), "none");
}

TEST(Providers, with_headers_of_their_own_are_in_the_table) {
  for (const provider::LimitHeaders& fields : provider::limit_headers()) {
    EXPECT_NE(shipped_signals().find_provider(fields.provider), nullptr) << fields.provider;
  }
}

}  // namespace
}  // namespace sortie::spec
