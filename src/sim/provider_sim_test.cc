#include "sortie/sim/provider_sim.h"

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/secret.h"
#include "sortie/base/time.h"
#include "sortie/chat/message.h"
#include "sortie/sim/audit.h"
#include "sortie/sim/play.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/small_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sortie::sim {
namespace {

using base::Duration;
using base::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

Instant at(Duration since_start) {
  return Instant(since_start);
}

const wire::Headers kNoHeaders;

std::string attempt_of(std::size_t trial, int turn = 0, int attempt = 0) {
  return fmt::format(
      "{}/{}/{}", base::digest_of(fmt::format("trial {}", trial)).hex(), turn, attempt);
}

std::string error_code(const wire::Response& response) {
  const auto body = json::parse(response.body);
  if (!body || json::find(*body, "error") == nullptr) {
    return "no error object";
  }
  return std::string(json::get_string(*json::find(*body, "error"), "code").value_or("null"));
}

class Provider : public testing::Test {
 protected:
  ProviderProfile with_keys() const {
    ProviderProfile profile = one_model("m", Skill::of(1));
    profile.keys = {{.name = "key-1", .secret = base::Secret("s1"), .account = "a"},
                    {.name = "key-2", .secret = base::Secret("s2"), .account = {}}};
    return profile;
  }

  suite::Suite suite_ = small_suite();
};

TEST_F(Provider, answers_anybody_when_it_has_no_keys) {
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite_);
  const Reply reply = ask(provider, {.body = small_talk("m"), .key = {}, .attempt = {}}, at({}));
  const chat::Answer answer = decode(reply.response);
  EXPECT_FALSE(answer.text.empty());
  EXPECT_EQ(answer.served_model, "m");
  EXPECT_GT(answer.usage.input, 0);
  EXPECT_GT(answer.usage.output, 0);
}

TEST_F(Provider, knows_its_keys_and_refuses_others) {
  SimulatedProvider provider(with_keys(), 1, suite_);
  EXPECT_EQ(
      ask(provider, {.body = small_talk("m"), .key = "s2", .attempt = {}}, at({})).response.status,
      200);
  const Reply refused =
      ask(provider, {.body = small_talk("m"), .key = "wrong", .attempt = attempt_of(3, 4)}, at({}));
  EXPECT_EQ(refused.response.status, 401);
  EXPECT_EQ(provider.audit().entries()[1].identity.turn, 4U);
  EXPECT_EQ(error_code(refused.response), "invalid_api_key");
  EXPECT_EQ(
      ask(provider, {.body = small_talk("m"), .key = {}, .attempt = {}}, at({})).response.status,
      401);
  EXPECT_EQ(provider.audit().entries()[0].key, "key-2");
  EXPECT_EQ(provider.audit().entries()[1].decision, Decision::unauthorized);
}

TEST_F(Provider, refuses_unknown_models_and_unreadable_bodies) {
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite_);
  const Reply unknown = ask(provider, {.body = small_talk("n"), .key = {}, .attempt = {}}, at({}));
  EXPECT_EQ(unknown.response.status, 404);
  EXPECT_EQ(error_code(unknown.response), "model_not_found");
  EXPECT_EQ(ask(provider, {.body = "{", .key = {}, .attempt = {}}, at({})).response.status, 400);
}

TEST_F(Provider, latency_is_first_token_plus_tokens_and_depends_on_the_attempt) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.models[0].ttft_ms = {.median = 200, .sigma = 0};
  profile.models[0].ms_per_output_token = {.median = 10, .sigma = 0};
  SimulatedProvider provider(profile, 1, suite_);
  const Reply reply =
      ask(provider, {.body = small_talk("m"), .key = {}, .attempt = attempt_of(1)}, at({}));
  EXPECT_EQ(reply.delay, milliseconds(200 + 10 * decode(reply.response).usage.output));

  profile.models[0].ttft_ms.sigma = 0.5;
  SimulatedProvider varied(profile, 1, suite_);
  const auto delay = [&](int attempt) {
    return ask(varied,
               {.body = small_talk("m"), .key = {}, .attempt = attempt_of(1, 0, attempt)},
               at({}))
        .delay;
  };
  EXPECT_EQ(delay(0), delay(0));
  EXPECT_NE(delay(0), delay(1));
}

TEST_F(Provider, max_tokens_cuts_the_answer) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.models[0].skill.verbosity = {.median = 500, .sigma = 0};
  SimulatedProvider provider(profile, 1, suite_);
  const std::string body =
      R"({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Talk."}]})";
  const chat::Answer answer =
      decode(ask(provider, {.body = body, .key = {}, .attempt = {}}, at({})).response);
  EXPECT_EQ(answer.finish, chat::FinishReason::length);
  EXPECT_EQ(answer.usage.output, 10);
  EXPECT_EQ(answer.text.size(), 40U);
}

TEST_F(Provider, its_token_count_is_its_own) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  const auto input = [&](double bias) {
    profile.token_bias = bias;
    SimulatedProvider provider(profile, 1, suite_);
    const std::string body = chat_body("m",
                                       {{.role = chat::Role::user,
                                         .text = std::string(4000, 'x'),
                                         .tool_calls = {},
                                         .tool_call_id = {}}});
    return decode(ask(provider, {.body = body, .key = {}, .attempt = {}}, at({})).response)
        .usage.input;
  };
  EXPECT_EQ(input(0), 1000 + 3 + 4);
  EXPECT_EQ(input(0.15), 1150 + 3 + 4);
}

TEST_F(Provider, a_rate_limit_answers_429_with_openai_headers) {
  ProviderProfile profile = with_keys();
  LimitProfile limit;
  limit.name = "rpm";
  limit.quota = 2;
  profile.limits = {limit};
  SimulatedProvider provider(profile, 1, suite_);
  const Asked asked = {.body = small_talk("m"), .key = "s1", .attempt = {}};
  const Reply first = ask(provider, asked, at(seconds(1)));
  EXPECT_EQ(first.response.headers.find("X-RateLimit-Limit-Requests"), "2");
  EXPECT_EQ(first.response.headers.find("x-ratelimit-remaining-requests"), "1");
  EXPECT_EQ(first.response.headers.find("x-ratelimit-reset-requests"), "1m0s");
  (void)ask(provider, asked, at(seconds(2)));
  const Reply third = ask(provider, asked, at(seconds(31)));
  EXPECT_EQ(third.response.status, 429);
  EXPECT_EQ(error_code(third.response), "rate_limit_exceeded");
  EXPECT_EQ(third.response.headers.find("retry-after"), "30");
  EXPECT_EQ(third.response.headers.find("retry-after-ms"), "30000");
  EXPECT_EQ(third.response.headers.find("x-ratelimit-remaining-requests"), "0");
  const AuditEntry& entry = provider.audit().entries().back();
  EXPECT_EQ(entry.decision, Decision::rate_limited);
  EXPECT_EQ(entry.reason, "rpm/key-1");
  EXPECT_EQ(entry.cost, 0);
  EXPECT_EQ(ask(provider, asked, at(seconds(61))).response.status, 200);
}

TEST_F(Provider, a_cancelled_request_frees_its_slot_and_stays_billed) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.models[0].price_output = 1;
  LimitProfile limit;
  limit.name = "slots";
  limit.dimension = Dimension::concurrency;
  limit.quota = 1;
  profile.limits = {limit};
  SimulatedProvider provider(profile, 1, suite_);
  const Asked asked = {.body = small_talk("m"), .key = {}, .attempt = {}};
  const Reply first = ask(provider, asked, at({}));
  EXPECT_EQ(provider.in_flight(), 1U);
  EXPECT_EQ(ask(provider, asked, at({})).response.status, 429);
  const double billed = provider.bill().cost;
  EXPECT_GT(billed, 0);
  provider.finished(first.id, at(seconds(1)), true);
  EXPECT_EQ(ask(provider, asked, at(seconds(1))).response.status, 200);
  EXPECT_EQ(provider.audit().entries().front().end, AuditEntry::End::disconnected);
  EXPECT_GT(provider.bill().cost, billed);
}

/// What the provider does when this fault is certain.
struct FaultCase {
  FaultKind kind;
  int status;  // 0: no answer
  Reply::Delivery delivery;
  std::string_view code;  // of the error object; empty: not looked at
};

TEST_F(Provider, every_fault_looks_like_the_real_one) {
  using enum Reply::Delivery;
  const FaultCase cases[] = {
      {FaultKind::http_500, 500, answer, "null"},
      {FaultKind::http_502_html, 502, answer, ""},
      {FaultKind::http_503, 503, answer, "server_is_overloaded"},
      {FaultKind::reset, 0, reset, ""},
      {FaultKind::stall, 0, stall, ""},
      {FaultKind::truncated_body, 200, truncated, ""},
      {FaultKind::invalid_json, 200, answer, ""},
      {FaultKind::error_in_200, 200, answer, "null"},
      {FaultKind::rate_limited, 429, answer, "rate_limit_exceeded"},
      {FaultKind::rate_limited_bare, 429, answer, "rate_limit_exceeded"},
      {FaultKind::insufficient_quota, 429, answer, "insufficient_quota"},
      {FaultKind::key_revoked, 401, answer, "invalid_api_key"},
      {FaultKind::context_full, 400, answer, "context_length_exceeded"},
  };
  for (const FaultCase& fault : cases) {
    ProviderProfile profile = one_model("m", Skill::of(1));
    profile.models[0].price_output = 1;
    profile.faults.push_back({});
    profile.faults[0].kind = fault.kind;
    SimulatedProvider provider(profile, 1, suite_);
    const Reply reply =
        ask(provider, {.body = small_talk("m"), .key = {}, .attempt = attempt_of(1)}, at({}));
    const AuditEntry& entry = provider.audit().entries().back();
    EXPECT_EQ(entry.status, fault.status) << to_string(fault.kind);
    EXPECT_EQ(reply.delivery, fault.delivery) << to_string(fault.kind);
    EXPECT_NE(entry.decision, Decision::answered) << to_string(fault.kind);
    EXPECT_FALSE(entry.reason.empty()) << to_string(fault.kind);
    if (!fault.code.empty()) {
      EXPECT_EQ(error_code(reply.response), fault.code) << to_string(fault.kind);
    }
    // Only an answer that was made, and then lost on its way, is billed.
    EXPECT_EQ(entry.cost > 0, fault.kind == FaultKind::truncated_body) << to_string(fault.kind);
  }
}

TEST_F(Provider, only_the_kind_rate_limited_says_when_to_come_back) {
  for (const auto& [kind, expected] :
       {std::pair(FaultKind::rate_limited, true), std::pair(FaultKind::rate_limited_bare, false)}) {
    ProviderProfile profile = one_model("m", Skill::of(1));
    profile.faults.push_back({});
    profile.faults[0].kind = kind;
    SimulatedProvider provider(profile, 1, suite_);
    const Reply reply = ask(provider, {.body = small_talk("m"), .key = {}, .attempt = {}}, at({}));
    EXPECT_EQ(reply.response.headers.find("retry-after").has_value(), expected);
  }
}

TEST_F(Provider, answers_changed_by_a_fault_stay_answers) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.faults.push_back({});
  const auto answer_with = [&](FaultKind kind) {
    profile.faults[0].kind = kind;
    SimulatedProvider provider(profile, 1, suite_);
    const Reply reply = ask(provider, {.body = small_talk("m"), .key = {}, .attempt = {}}, at({}));
    EXPECT_EQ(provider.audit().entries().back().reason, to_string(kind));
    return decode(reply.response);
  };
  EXPECT_EQ(answer_with(FaultKind::wrong_model).served_model, "some-other-model");
  EXPECT_TRUE(answer_with(FaultKind::empty_answer).text.empty());
  EXPECT_EQ(answer_with(FaultKind::content_filter).finish, chat::FinishReason::content_filter);
}

TEST_F(Provider, faults_begin_and_end_at_the_requests_they_name) {
  ProviderProfile profile = with_keys();
  profile.faults.push_back({});
  profile.faults[0].kind = FaultKind::key_revoked;
  profile.faults[0].keys = {"key-1"};
  profile.faults[0].from_request = 3;
  profile.faults[0].until_request = 4;
  SimulatedProvider provider(profile, 1, suite_);
  std::string statuses;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ask(provider, {.body = small_talk("m"), .key = "s2", .attempt = {}}, at({}))
                  .response.status,
              200);
    statuses +=
        fmt::format("{} ",
                    ask(provider, {.body = small_talk("m"), .key = "s1", .attempt = {}}, at({}))
                        .response.status);
  }
  EXPECT_EQ(statuses, "200 200 401 401 200 ");
}

TEST_F(Provider, fault_rates_are_those_declared_and_depend_on_the_attempt) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.faults.push_back({});
  profile.faults[0].probability = 0.2;
  SimulatedProvider provider(profile, 1, suite_);
  int failed = 0;
  int differ = 0;
  constexpr int kTrials = 2000;
  for (int i = 0; i < kTrials; ++i) {
    const auto status = [&](int attempt) {
      return ask(provider,
                 {.body = small_talk("m"),
                  .key = {},
                  .attempt = attempt_of(static_cast<std::size_t>(i), 0, attempt)},
                 at({}))
          .response.status;
    };
    const int first = status(0);
    failed += first == 500 ? 1 : 0;
    differ += first != status(1) ? 1 : 0;
  }
  // 400 expected; four standard deviations are 72.
  EXPECT_NEAR(failed, 400, 72);
  EXPECT_GT(differ, 500);
}

TEST_F(Provider, content_faults_are_the_same_on_every_attempt) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.faults.push_back({});
  profile.faults[0].kind = FaultKind::empty_answer;
  profile.faults[0].probability = 0.3;
  SimulatedProvider provider(profile, 1, suite_);
  int empty = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    const auto text = [&](int attempt) {
      return decode(ask(provider,
                        {.body = small_talk("m"), .key = {}, .attempt = attempt_of(i, 0, attempt)},
                        at({}))
                        .response)
          .text;
    };
    const std::string first = text(0);
    empty += first.empty() ? 1 : 0;
    EXPECT_EQ(first, text(7));
  }
  EXPECT_GT(empty, 30);
  EXPECT_LT(empty, 90);
}

TEST_F(Provider, without_the_header_the_messages_stand_in) {
  ProviderProfile profile = one_model("m", Skill::of(0.5));
  profile.faults.push_back({});
  profile.faults[0].probability = 0.5;
  SimulatedProvider provider(profile, 1, suite_);
  std::map<int, int> statuses;
  for (int i = 0; i < 50; ++i) {
    ++statuses[ask(provider, {.body = small_talk("m"), .key = {}, .attempt = {}}, at({}))
                   .response.status];
  }
  // The same request again is a new attempt of the same turn, so that a fault does not stick to it.
  EXPECT_GT(statuses[200], 10);
  EXPECT_GT(statuses[500], 10);
  const auto& entries = provider.audit().entries();
  EXPECT_EQ(entries.front().identity.trial, entries.back().identity.trial);
  EXPECT_EQ(entries.back().identity.attempt, 49U);
  EXPECT_FALSE(entries.back().identity.from_header);
}

TEST_F(Provider, the_bill_is_the_sum_of_the_audit) {
  ProviderProfile profile = with_keys();
  profile.models[0].price_input = 0.5;
  profile.models[0].price_output = 1.5;
  profile.faults.push_back({});
  profile.faults[0].probability = 0.3;
  SimulatedProvider provider(profile, 1, suite_);
  for (std::size_t i = 0; i < 100; ++i) {
    (void)ask(provider,
              {.body = small_talk("m"), .key = i % 3 == 0 ? "s1" : "s2", .attempt = attempt_of(i)},
              at({}));
  }
  double cost = 0;
  std::uint64_t answered = 0;
  for (const AuditEntry& entry : provider.audit().entries()) {
    cost += entry.cost;
    answered += entry.decision == Decision::answered ? 1U : 0U;
    EXPECT_DOUBLE_EQ(entry.cost,
                     (0.5 * static_cast<double>(entry.input_tokens) +
                      1.5 * static_cast<double>(entry.output_tokens)) /
                         1e6);
  }
  EXPECT_EQ(provider.bill().requests, 100U);
  EXPECT_EQ(provider.bill().billed, answered);
  EXPECT_LT(answered, 90U);
  EXPECT_NEAR(provider.bill().cost, cost, 1e-12);
  EXPECT_NEAR(provider.bill_by_key().at("key-1").cost + provider.bill_by_key().at("key-2").cost,
              cost,
              1e-12);
}

TEST_F(Provider, shows_audit_bill_and_models_to_whoever_asks) {
  SimulatedProvider provider(with_keys(), 1, suite_);
  (void)ask(
      provider, {.body = small_talk("m"), .key = "s1", .attempt = attempt_of(5, 2, 1)}, at({}));
  const auto get = [&](std::string_view target) {
    const Reply reply = provider.handle(
        {.method = wire::Method::get, .target = target, .headers = kNoHeaders, .body = {}}, at({}));
    EXPECT_EQ(reply.id, 0U);
    return json::parse(reply.response.body).value();
  };
  const json::Value audit = get("/sim/audit");
  const json::Array& requests = *json::get_array(audit, "requests");
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(json::get_string(requests[0], "key"), "key-1");
  EXPECT_EQ(json::get_int(requests[0], "turn"), 2);
  EXPECT_EQ(json::get_int(requests[0], "attempt"), 1);
  EXPECT_EQ(json::get_string(requests[0], "decision"), "answered");
  EXPECT_EQ(json::get_int(*json::find(get("/sim/bill"), "total"), "requests"), 1);
  EXPECT_EQ(json::get_string(json::get_array(get("/v1/models"), "data")->front(), "id"), "m");
  EXPECT_EQ(provider
                .handle({.method = wire::Method::get,
                         .target = "/nothing",
                         .headers = kNoHeaders,
                         .body = {}},
                        at({}))
                .response.status,
            404);
  EXPECT_EQ(provider.bill().requests, 1U);
}

TEST_F(Provider, never_shows_a_key) {
  SimulatedProvider provider(with_keys(), 1, suite_);
  (void)ask(provider, {.body = small_talk("m"), .key = "s1", .attempt = {}}, at({}));
  const Reply refused =
      ask(provider, {.body = small_talk("m"), .key = "sk-wrong", .attempt = {}}, at({}));
  EXPECT_EQ(refused.response.body.find("sk-wrong"), std::string::npos);
  EXPECT_EQ(provider.audit_json().find("sk-wrong"), std::string::npos);
  EXPECT_EQ(provider.audit_json().find("\"s1\""), std::string::npos);
}

TEST_F(Provider, the_audit_file_has_a_line_before_the_answer_leaves) {
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("sim-audit-{}.jsonl", ::getpid()))
          .string();
  std::filesystem::remove(path);
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite_);
  ASSERT_TRUE(provider.audit().append_to(path).has_value());
  const Reply reply = ask(provider, {.body = small_talk("m"), .key = {}, .attempt = {}}, at({}));
  const auto lines = [&] {
    std::ifstream file(path);
    std::vector<json::Value> out;
    for (std::string line; std::getline(file, line);) {
      out.push_back(json::parse(line).value());
    }
    return out;
  };
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(json::get_string(lines()[0], "provider"), "test");
  EXPECT_EQ(json::get_int(lines()[0], "id"), 1);
  provider.finished(reply.id, at(seconds(1)), true);
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_EQ(json::get_string(lines()[1], "end"), "disconnected");
  EXPECT_FALSE(provider.audit().write_failed());
  std::filesystem::remove(path);
}

TEST_F(Provider, an_audit_file_that_cannot_be_opened_is_an_error) {
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite_);
  EXPECT_FALSE(provider.audit().append_to("/nonexistent/audit.jsonl").has_value());
}

TEST_F(Provider, the_audit_in_memory_is_bounded) {
  SimulatedProvider provider(one_model("m", Skill::of(1)), 1, suite_, {.audit_entries_max = 10});
  for (int i = 0; i < 25; ++i) {
    const Reply reply = ask(provider, {.body = small_talk("m"), .key = {}, .attempt = {}}, at({}));
    provider.finished(reply.id, at({}), false);
  }
  EXPECT_EQ(provider.audit().entries().size(), 10U);
  EXPECT_EQ(provider.audit().dropped(), 15U);
  EXPECT_EQ(provider.audit().entries().back().end, AuditEntry::End::sent);
  EXPECT_EQ(provider.bill().requests, 25U);
}

}  // namespace
}  // namespace sortie::sim
