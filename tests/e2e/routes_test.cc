#include "sortie/aio/loop.h"
#include "sortie/analysis/summary.h"
#include "sortie/engine/engine.h"
#include "sortie/sim/audit.h"

#include "e2e/campaign_world.h"
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Where requests go when a deployment, a key or a gateway fails.

namespace sortie {
namespace {

std::string campaign(int instances) {
  return fmt::format(
      "version: 1\nname: test\nsuite: pilot/1\nseed: 7\nmodels: [chat]\nscenarios: [baseline]\n"
      "instances: {}\n",
      instances);
}

// --- Deployments

std::string deployments(std::string_view dialect, std::string_view path) {
  return fmt::format(R"(version: 1
models:
  chat: {{family: chat}}
endpoints:
  cloud:
    dialect: {}
    base_url: http://127.0.0.1:18801{}
    simulated: true
    keys: {{key-1: env:K}}
    routes:
      - {{model: chat, api_name: Chat-70B, served_as: [Chat-70B]}}
      - {{model: chat, api_name: Chat-70B-2, served_as: [Chat-70B]}}
      - {{model: chat, api_name: Chat-70B-3, served_as: [Chat-70B]}}
)",
                     dialect,
                     path);
}

constexpr const char* kCloud = R"(version: 1
seed: 11
providers:
  cloud:
    listen: 127.0.0.1:18801
    models:
      Chat-70B: {skill: 0.8, ttft_ms: 500}
      Chat-70B-2: {skill: 0.8, served_as: Chat-70B, ttft_ms: 500}
      Chat-70B-3: {skill: 0.8, served_as: Chat-70B, ttft_ms: 500}
    keys: {key-1: {key: key-1}}
    faults:
      - {kind: http_503, models: [Chat-70B], from_request: 10}
      - {kind: http_500, models: [Chat-70B-2], probability: 0.2}
)";

/// What each request named, by trial, turn and attempt, as the ledger has it.
std::map<std::string, std::string> names_in_ledger(World& world) {
  std::map<std::string, std::string> names;
  EXPECT_TRUE(world.reader()
                  ->scan("SELECT lower(hex(t.key)) || '/' || a.turn || '/' || a.number, a.api_name "
                         "FROM attempt AS a JOIN trial AS t ON t.id = a.trial",
                         [&](std::span<const ledger::Cell> row) {
                           names.emplace(analysis::text_of(row[0]), analysis::text_of(row[1]));
                           return true;
                         })
                  .has_value());
  return names;
}

/// The simulator refuses a request whose address and body name different deployments, and one that
/// names none of its own.
TEST(Deployments, a_request_that_fails_over_names_the_new_one_in_address_and_body) {
  for (const auto& [dialect, path] : {std::pair<std::string_view, std::string_view>{"azure", ""},
                                      {"azure_ai", ""},
                                      {"openai", "/v1"}}) {
    SCOPED_TRACE(dialect);
    World world(deployments(dialect, path), campaign(4), kCloud);
    const auto outcome = world.run();
    EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
    const std::map<std::string, std::string> names = names_in_ledger(world);
    std::map<std::pair<std::string, std::uint32_t>, std::set<std::string>> asked;  // of a turn
    for (const sim::AuditEntry& entry : world.provider(0).audit().entries()) {
      EXPECT_NE(entry.decision, sim::Decision::bad_request) << entry.reason;
      const std::string trial = entry.identity.trial.hex();
      const auto name =
          names.find(fmt::format("{}/{}/{}", trial, entry.identity.turn, entry.identity.attempt));
      ASSERT_NE(name, names.end());
      EXPECT_EQ(entry.model, name->second);
      asked[{trial, entry.identity.turn}].insert(entry.model);
    }
    const auto moved =
        std::ranges::count_if(asked, [](const auto& turn) { return turn.second.size() > 1; });
    EXPECT_GE(moved, 2);
    EXPECT_GT(world.count("SELECT count(*) FROM turn WHERE route LIKE '%Chat-70B-2%'"), 0);
    EXPECT_GT(world.count("SELECT count(*) FROM turn WHERE route LIKE '%Chat-70B-3%'"), 0);
    world.expect_sound();
    world.expect_bill_agrees();
  }
}

// --- Keys

struct DeadKey {
  std::string_view kind;
  int from_request;
};

/// As a cloud names them: three deployments of one model, each with a spelling of its own.
constexpr const char* kSpellings = R"(version: 1
seed: 11
providers:
  cloud:
    listen: 127.0.0.1:18801
    models:
      Chat-70B: {skill: 0.8, served_as: chat-70b, ttft_ms: 500}
      chat-70b-2: {skill: 0.8, served_as: Chat-70B, ttft_ms: 500}
      CHAT-70B-3: {skill: 0.8, served_as: CHAT-70B, ttft_ms: 500}
    keys: {key-1: {key: key-1}}
)";

constexpr const char* kSpelledEndpoints = R"(version: 1
models:
  chat: {family: chat}
endpoints:
  cloud:
    dialect: openai
    base_url: http://127.0.0.1:18801/v1
    simulated: true
    keys: {key-1: env:K}
    routes:
      - {model: chat, api_name: Chat-70B, served_as: [chat-70b, Chat-70B, CHAT-70B]}
      - {model: chat, api_name: chat-70b-2, served_as: [chat-70b, Chat-70B, CHAT-70B]}
      - {model: chat, api_name: CHAT-70B-3, served_as: [chat-70b, Chat-70B, CHAT-70B]}
)";

TEST(Deployments, and_spellings_of_one_model_are_one_row_of_every_table) {
  World world(kSpelledEndpoints, campaign(6), kSpellings);
  const World::Outcome outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_EQ(world.count("SELECT count(DISTINCT api_name) FROM attempt"), 3);
  EXPECT_EQ(world.count("SELECT count(DISTINCT served_model) FROM turn"), 3);
  EXPECT_EQ(world.count("SELECT count(DISTINCT requested_model) FROM attempt"), 1);
  EXPECT_EQ(world.count("SELECT count(DISTINCT model) FROM cell"), 1);
  EXPECT_EQ(world.count("SELECT count(*) FROM trial_result WHERE model = 'chat'"),
            world.count("SELECT count(*) FROM trial"));
  // What a dialogue is counted under does not say who answered it: several did.
  EXPECT_GT(world.count("SELECT count(*) FROM (SELECT trial FROM turn GROUP BY trial HAVING "
                        "count(DISTINCT served_model) > 1)"),
            0);
  const auto summary = analysis::summarize(*world.reader());
  ASSERT_TRUE(summary.has_value());
  for (const analysis::GroupSummary& group : summary->groups) {
    EXPECT_EQ(group.model, "chat");
  }
  world.expect_sound();
}

TEST(Keys, a_key_that_dies_costs_two_requests_after_its_first_refusal_and_its_work_moves) {
  for (const DeadKey& dead : {DeadKey{"key_revoked", 1},
                              DeadKey{"key_revoked", 40},
                              DeadKey{"insufficient_quota", 1},
                              DeadKey{"insufficient_quota", 40}}) {
    SCOPED_TRACE(fmt::format("{} from request {}", dead.kind, dead.from_request));
    World world(R"(version: 1
models: {chat: {family: chat}}
endpoints:
  pool:
    dialect: openai
    base_url: http://127.0.0.1:18801/v1
    simulated: true
    keys: {key-1: env:K, key-2: env:K, key-3: env:K}
    routes: [chat]
)",
                campaign(6),
                fmt::format(R"(version: 1
seed: 3
providers:
  pool:
    listen: 127.0.0.1:18801
    models:
      chat: {{skill: 0.8, ttft_ms: {{median: 800, sigma: 0.5}}}}
    keys: {{key-1: {{key: key-1}}, key-2: {{key: key-2}}, key-3: {{key: key-3}}}}
    faults: [{{kind: {}, keys: [key-2], from_request: {}}}]
)",
                            dead.kind,
                            dead.from_request));
    const auto outcome = world.run();
    EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
    std::vector<base::Instant> arrivals;  // of the key's requests
    std::optional<base::Instant> refused;
    for (const sim::AuditEntry& entry : world.provider(0).audit().entries()) {
      if (entry.key == "key-2") {
        arrivals.push_back(entry.arrival);
        if (entry.decision != sim::Decision::answered && !refused) {
          refused = entry.arrival + std::chrono::milliseconds(5);  // until the refusal is back
        }
      }
    }
    ASSERT_TRUE(refused.has_value());
    EXPECT_LE(std::ranges::count_if(arrivals, [&](base::Instant at) { return at > *refused; }), 2);
    // Every turn that it refused was answered over another key.
    constexpr const char* kRefused =
        "SELECT count(DISTINCT a.trial || '/' || a.turn) FROM attempt AS a JOIN attempt_end AS e "
        "ON "
        "e.attempt = a.id WHERE e.cause IN ('auth', 'out_of_money')";
    EXPECT_GT(world.count(kRefused), 0);
    EXPECT_EQ(world.count(std::string(kRefused) +
                          " AND EXISTS (SELECT 1 FROM turn AS t WHERE t.trial = a.trial AND t.turn "
                          "= a.turn AND t.route NOT LIKE '%key-2%')"),
              world.count(kRefused));
    world.expect_sound();
    world.expect_bill_agrees();
  }
}

// --- Gateways

std::string gateway(std::string_view model, std::string_view fault) {
  return fmt::format(
      "version: 1\nseed: 3\nproviders:\n  pool:\n    listen: 127.0.0.1:18801\n    models: {{chat: "
      "{{skill: 0.8, {}}}}}\n    keys: {{key-1: {{key: key-1}}}}\n    faults: [{}]\n",
      model,
      fault);
}

constexpr const char* kGateway = R"(version: 1
models: {chat: {family: chat}}
endpoints:
  pool:
    dialect: openai
    base_url: http://127.0.0.1:18801/v1
    simulated: true
    keys: {key-1: env:K}
    routes: [chat]
)";

TEST(Patience, is_not_used_up_by_a_request_that_a_gateway_answers_late) {
  World world(
      kGateway, campaign(1), gateway("ttft_ms: 120000", "{kind: http_504, until_request: 3}"));
  engine::EngineOptions options;
  options.patience = std::chrono::minutes(1);
  options.scheduling.in_flight_max = 1;
  const auto outcome = world.run(options);
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_EQ(world.count("SELECT count(*) FROM attempt_end WHERE status = 504"), 3);
}

TEST(Patience, ends_where_a_gateway_says_nothing_but_that_its_server_is_down) {
  World world(kGateway, campaign(1), gateway("ttft_ms: 100", "{kind: http_503}"));
  engine::EngineOptions options;
  options.patience = std::chrono::minutes(5);
  const auto outcome = world.run(options);
  EXPECT_EQ(outcome.end, engine::RunEnd::with_losses);
  EXPECT_LE(outcome.elapsed, std::chrono::minutes(20));
}

}  // namespace
}  // namespace sortie
