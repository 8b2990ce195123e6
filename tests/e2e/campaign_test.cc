#include "sortie/aio/loop.h"
#include "sortie/analysis/cells.h"
#include "sortie/analysis/summary.h"
#include "sortie/base/json.h"
#include "sortie/base/log.h"
#include "sortie/base/scrubber.h"
#include "sortie/dialogue/rules.h"
#include "sortie/engine/engine.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/transport.h"
#include "sortie/spec/load.h"
#include "sortie/suite/suite.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Whole campaigns in virtual time: engine, scheduler, dialogues, ledger on disk and the simulated
// provider are the real ones; only the sockets and the clock are replaced. Hours pass in
// milliseconds and every run is the same.

namespace sortie {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModels = R"(version: 1
models:
  sim-large: {family: sim, size_b: 72, price: {input: 0.5, output: 1.5}}
endpoints:
)";

constexpr const char* kCampaign = R"(version: 1
name: test
suite: pilot/1
seed: 7
models: [sim-large]
scenarios: [baseline, reliability]
instances: 4
)";

/// One world: files in memory, a ledger in a folder, providers that outlive restarts of the engine.
class World {
 public:
  World(const std::string& endpoints, const std::string& campaign, const std::string& providers)
      : suite_(suite::Suite::pilot().value()), rules_(suite_), directory_(make_directory()) {
    topology_ = must(spec::parse_endpoints(endpoints, "endpoints.yaml"));
    campaign_ = must(spec::parse_campaign(campaign, "campaign.yaml", suite_, topology_));
    const sim::Profile profile = must(sim::parse_profile("providers.yaml", providers));
    for (const sim::ProviderProfile& provider : profile.providers) {
      providers_.push_back(
          std::make_unique<sim::SimulatedProvider>(provider, profile.seed, suite_));
    }
    for (const spec::Endpoint& endpoint : topology_.endpoints) {
      secrets_.emplace_back();
      for (const spec::Key& key : endpoint.keys) {
        secrets_.back().emplace_back(
            key.name);  // the simulator's keys are called like their aliases
      }
    }
  }

  World(const World&) = delete;
  World& operator=(const World&) = delete;

  ~World() { fs::remove_all(directory_); }

  struct Outcome {
    engine::RunEnd end = engine::RunEnd::failed;
    std::string message;
    base::Duration elapsed{};
    engine::RunStatus status;
  };

  /// Runs or continues the campaign. `disturb` is called with the engine and the loop after the
  /// start.
  Outcome run(engine::EngineOptions options = {},
              const std::function<void(engine::Engine&, aio::Loop&)>& disturb = {}) {
    const auto loop = aio::Loop::virtual_time();
    sim::SimTransport transport(*loop);
    for (const auto& provider : providers_) {
      transport.add(*provider);
    }
    engine::Engine* running = nullptr;
    auto ledger = must(ledger::Ledger::open(directory_.string(),
                                            {.mode = ledger::CommitMode::inline_},
                                            [&](base::Result<ledger::Sequence> outcome) {
                                              if (running != nullptr) {
                                                running->committed(std::move(outcome));
                                              }
                                            }));
    auto reader = must(ledger::Reader::open(directory_.string()));
    const auto log = base::Log::discard();
    const base::Scrubber scrubber;
    const engine::RunContext context{.suite = &suite_,
                                     .rules = &rules_,
                                     .topology = &topology_,
                                     .campaign = &campaign_,
                                     .secrets = &secrets_};
    engine::Engine engine(context,
                          {.loop = loop.get(),
                           .transport = &transport,
                           .ledger = ledger.get(),
                           .reader = reader.get(),
                           .log = log.get(),
                           .scrubber = &scrubber},
                          options,
                          must(engine::read_history(context, *reader, options.retry_losses)));
    running = &engine;
    Outcome outcome;
    const base::Instant begin = loop->now();
    bool ended = false;
    engine.start([&](engine::RunResult result) {
      ended = true;
      outcome.end = result.end;
      outcome.message = result.message;
      outcome.elapsed = loop->now() - begin;
      loop->stop();
    });
    if (disturb) {
      disturb(engine, *loop);
    }
    loop->run();
    EXPECT_TRUE(ended) << "the loop ran dry before the run ended";
    outcome.status = engine.status();
    return outcome;
  }

  /// The scored table as text: equal tables have equal bytes.
  std::string table() {
    auto reader = must(ledger::Reader::open(directory_.string()));
    return json::to_text(analysis::to_json(must(analysis::summarize(*reader))));
  }

  std::int64_t count(const std::string& sql) {
    auto reader = must(ledger::Reader::open(directory_.string()));
    return must(reader->count(sql));
  }

  void expect_sound() {
    auto reader = must(ledger::Reader::open(directory_.string()));
    for (const ledger::Check& check : must(ledger::verify(*reader))) {
      EXPECT_TRUE(check.ok) << check.name << ": " << check.detail;
    }
  }

  /// Every request that the provider saw is an attempt, one to one, and ended attempts
  /// agree on tokens.
  void expect_bill_agrees() {
    auto reader = must(ledger::Reader::open(directory_.string()));
    std::map<std::string, std::pair<std::int64_t, std::int64_t>>
        attempts;  // identity → tokens; -1: unknown
    EXPECT_TRUE(reader
                    ->scan("SELECT lower(hex(t.key)) || '/' || a.turn || '/' || a.number, "
                           "e.input_tokens, e.output_tokens "
                           "FROM attempt AS a JOIN trial AS t ON t.id = a.trial "
                           "LEFT JOIN attempt_end AS e ON e.attempt = a.id",
                           [&](std::span<const ledger::Cell> row) {
                             const bool known = !std::holds_alternative<std::monostate>(row[1]);
                             EXPECT_TRUE(
                                 attempts
                                     .emplace(analysis::text_of(row[0]),
                                              known ? std::pair(analysis::int_of(row[1]),
                                                                analysis::int_of(row[2]))
                                                    : std::pair<std::int64_t, std::int64_t>(-1, -1))
                                     .second);
                             return true;
                           })
                    .has_value());
    std::set<std::string> seen;
    for (const auto& provider : providers_) {
      for (const sim::AuditEntry& entry : provider->audit().entries()) {
        const std::string identity = fmt::format(
            "{}/{}/{}", entry.identity.trial.hex(), entry.identity.turn, entry.identity.attempt);
        EXPECT_TRUE(seen.insert(identity).second) << identity << " was sent twice";
        const auto attempt = attempts.find(identity);
        ASSERT_NE(attempt, attempts.end()) << identity << " was sent and is no attempt";
        if (entry.decision == sim::Decision::answered && attempt->second.first > 0) {
          EXPECT_EQ(attempt->second.first, entry.input_tokens);
          EXPECT_EQ(attempt->second.second, entry.output_tokens);
        }
      }
    }
  }

  sim::SimulatedProvider& provider(std::size_t i) { return *providers_[i]; }

  spec::Campaign& campaign() { return campaign_; }

 private:
  template <class T>
  static T must(base::Result<T> result) {
    if (!result.has_value()) {
      ADD_FAILURE() << result.error().message;
      std::abort();
    }
    return std::move(result).value();
  }

  static fs::path make_directory() {
    std::string pattern = (fs::path(testing::TempDir()) / "sortie-campaign-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    return pattern;
  }

  suite::Suite suite_;
  dialogue::Rules rules_;
  fs::path directory_;
  spec::Topology topology_;
  spec::Campaign campaign_;
  std::vector<std::unique_ptr<sim::SimulatedProvider>> providers_;
  std::vector<std::vector<base::Secret>> secrets_;
};

std::string endpoint(const std::string& name,
                     int port,
                     const std::string& keys,
                     const std::string& limits) {
  return fmt::format(
      "  {0}:\n    dialect: openai\n    base_url: http://127.0.0.1:{1}/v1\n    simulated: true\n   "
      " keys: {{{2}}}\n"
      "    routes:\n      - {{model: sim-large, api_name: sim-large}}\n{3}",
      name,
      port,
      keys,
      limits);
}

std::string provider(int port, const std::string& keys, const std::string& rest) {
  return fmt::format(
      "  p{0}:\n    listen: 127.0.0.1:{0}\n    models:\n      sim-large: {{skill: 0.8, ttft_ms: "
      "{{median: 200, sigma: 0.3}}, "
      "ms_per_output_token: {{median: 2, sigma: 0.2}}, price_input: 0.5, price_output: "
      "1.5}}\n{1}{2}",
      port,
      keys,
      rest);
}

constexpr const char* kOneKey = "    keys: {key-1: {key: key-1}}\n";
constexpr const char* kThreeKeys =
    "    keys: {key-1: {key: key-1}, key-2: {key: key-2}, key-3: {key: key-3}}\n";

World simple_world(const std::string& faults = "") {
  return {kModels + endpoint("a", 1001, "key-1: \"env:UNUSED\"", ""),
          kCampaign,
          "version: 1\nseed: 3\nproviders:\n" + provider(1001, kOneKey, faults)};
}

TEST(Campaign, runs_to_the_end_and_its_ledger_is_sound) {
  World world = simple_world();
  const auto outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_EQ(outcome.status.planned(), 80U);  // 4 cells × 5 types × 4 tasks
  EXPECT_EQ(outcome.status.scored(), 80U);
  EXPECT_EQ(world.count("SELECT count(*) FROM attempt"), world.count("SELECT count(*) FROM turn"));
  EXPECT_GT(world.count("SELECT count(*) FROM call"), 160);
  const std::int64_t successes = world.count("SELECT sum(success) FROM score");
  EXPECT_GT(successes, 8);
  EXPECT_LT(successes, 80);
  world.expect_sound();
  world.expect_bill_agrees();
}

TEST(Campaign, run_again_does_nothing) {
  World world = simple_world();
  world.run();
  const std::string table = world.table();
  const auto attempts = world.count("SELECT count(*) FROM attempt");
  EXPECT_EQ(world.run().end, engine::RunEnd::complete);
  EXPECT_EQ(world.count("SELECT count(*) FROM attempt"), attempts);
  EXPECT_EQ(world.table(), table);
}

TEST(Campaign, gives_the_same_table_at_one_and_at_two_hundred_requests_in_flight) {
  World one = simple_world();
  World many = simple_world();
  engine::EngineOptions options;
  options.scheduling.in_flight_max = 1;
  EXPECT_EQ(one.run(options).end, engine::RunEnd::complete);
  options.scheduling.in_flight_max = 200;
  EXPECT_EQ(many.run(options).end, engine::RunEnd::complete);
  EXPECT_EQ(one.table(), many.table());
}

TEST(Campaign, gives_the_same_table_under_faults) {
  World calm = simple_world();
  calm.run();
  World rough = simple_world(
      "    faults:\n"
      "      - {kind: http_500, probability: 0.05}\n      - {kind: reset, probability: 0.03}\n"
      "      - {kind: truncated_body, probability: 0.03}\n      - {kind: rate_limited, "
      "probability: 0.03}\n"
      "      - {kind: invalid_json, probability: 0.02}\n      - {kind: error_in_200, probability: "
      "0.02}\n");
  const auto outcome = rough.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_GT(rough.count("SELECT count(*) FROM attempt_end WHERE cause <> 'answered'"), 20);
  EXPECT_EQ(rough.table(), calm.table());
  rough.expect_sound();
  rough.expect_bill_agrees();
}

TEST(Campaign, stopped_and_continued_gives_the_same_table_and_asks_no_turn_twice) {
  World calm = simple_world();
  calm.run();
  World stopped = simple_world();
  std::int64_t stops = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const auto outcome = stopped.run({}, [&](engine::Engine& engine, aio::Loop& loop) {
      loop.at(loop.now() + std::chrono::milliseconds(700 + 37 * attempt),
              [&engine] { engine.request_stop(); });
    });
    if (outcome.end == engine::RunEnd::complete) {
      break;
    }
    ASSERT_EQ(outcome.end, engine::RunEnd::interrupted) << outcome.message;
    ++stops;
  }
  EXPECT_GE(stops, 3);
  EXPECT_EQ(stopped.table(), calm.table());
  EXPECT_EQ(
      stopped.count(
          "SELECT count(*) FROM (SELECT trial, turn FROM attempt JOIN attempt_end ON attempt = id "
          "WHERE cause = 'answered' GROUP BY 1, 2 HAVING count(*) > 1)"),
      0);
  stopped.expect_sound();
  stopped.expect_bill_agrees();
}

TEST(Campaign, three_keys_finish_within_a_tenth_of_what_their_limits_allow) {
  const std::string limits =
      "    limits:\n      - {per: [key], requests_per_minute: 600, enforced_over: 1s}\n";
  const std::string true_limits =
      "    limits:\n      - {per: [key], requests_per_minute: 600, shape: sliding, enforced_over: "
      "1s}\n";
  const auto seconds_with = [&](const std::string& keys) {
    World world(kModels + endpoint("a", 1001, keys, limits),
                "version: 1\nname: test\nsuite: pilot/1\nseed: 7\nmodels: [sim-large]\nscenarios: "
                "[baseline]\ninstances: 20\n",
                "version: 1\nseed: 3\nproviders:\n" + provider(1001, kThreeKeys, true_limits));
    const auto outcome = world.run();
    EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
    const auto attempts = static_cast<double>(world.count("SELECT count(*) FROM attempt"));
    EXPECT_EQ(world.count("SELECT count(*) FROM attempt_end WHERE cause = 'throttle'"), 0);
    world.expect_bill_agrees();
    return std::pair(base::seconds(outcome.elapsed), attempts);
  };
  const auto [three, attempts_three] =
      seconds_with("key-1: \"env:UNUSED\", key-2: \"env:UNUSED\", key-3: \"env:UNUSED\"");
  EXPECT_LE(three, 1.10 * attempts_three / 30);
  const auto [two, attempts_two] = seconds_with("key-1: \"env:UNUSED\", key-2: \"env:UNUSED\"");
  EXPECT_LE(two, 1.10 * attempts_two / 20);
}

TEST(Campaign, two_equal_routes_share_the_work) {
  World world(kModels + endpoint("a", 1001, "key-1: \"env:UNUSED\"", "") +
                  endpoint("b", 1002, "key-1: \"env:UNUSED\"", ""),
              kCampaign,
              "version: 1\nseed: 3\nproviders:\n" + provider(1001, kOneKey, "") +
                  provider(1002, kOneKey, ""));
  EXPECT_EQ(world.run().end, engine::RunEnd::complete);
  const std::int64_t all = world.count("SELECT count(*) FROM attempt");
  const std::int64_t a = world.count("SELECT count(*) FROM attempt WHERE route LIKE 'a/%'");
  EXPECT_GT(a, all / 4);
  EXPECT_LT(a, all * 3 / 4);
}

TEST(Campaign, a_wrong_model_never_becomes_a_turn_and_another_route_answers) {
  World world(
      kModels + endpoint("a", 1001, "key-1: \"env:UNUSED\"", "") +
          endpoint("b", 1002, "key-1: \"env:UNUSED\"", ""),
      kCampaign,
      "version: 1\nseed: 3\nproviders:\n" +
          provider(1001, kOneKey, "    faults:\n      - {kind: wrong_model, from_request: 5}\n") +
          provider(1002, kOneKey, ""));
  const auto outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_GE(world.count("SELECT count(*) FROM attempt_end WHERE cause = 'wrong_model'"), 1);
  EXPECT_EQ(world.count("SELECT count(*) FROM turn WHERE served_model = 'some-other-model'"), 0);
  EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'route_disabled'"), 1);
  world.expect_sound();
}

TEST(Campaign, a_wrong_model_without_another_route_ends_the_trial_unscored) {
  World world = simple_world("    faults:\n      - {kind: wrong_model, from_request: 20}\n");
  const auto outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::with_losses);
  EXPECT_GE(world.count("SELECT count(*) FROM outcome WHERE outcome = 'wrong_model'"), 1);
  EXPECT_EQ(
      world.count(
          "SELECT count(*) FROM score JOIN outcome USING (trial) WHERE outcome = 'wrong_model'"),
      0);
  world.expect_sound();
}

TEST(Campaign, losses_get_another_budget_when_asked) {
  World world = simple_world(
      "    faults:\n      - {kind: wrong_model, from_request: 20, until_request: 60}\n");
  EXPECT_EQ(world.run().end, engine::RunEnd::with_losses);
  const auto lost = world.count("SELECT count(*) FROM outcome WHERE outcome = 'wrong_model'");
  EXPECT_GE(lost, 1);
  engine::EngineOptions options;
  options.retry_losses = true;
  for (int i = 0; i < 60 && world.run(options).end != engine::RunEnd::complete; ++i) {
  }
  World calm = simple_world();
  calm.run();
  EXPECT_EQ(world.table(), calm.table());
  EXPECT_GE(world.count("SELECT count(*) FROM outcome WHERE outcome = 'wrong_model'"),
            lost);  // history is kept
  world.expect_sound();
}

TEST(Campaign, a_dead_key_costs_one_request_and_its_work_moves) {
  World world(
      kModels + endpoint("a", 1001, "key-1: \"env:UNUSED\", key-2: \"env:UNUSED\"", ""),
      kCampaign,
      "version: 1\nseed: 3\nproviders:\n" +
          provider(1001, kThreeKeys, "    faults:\n      - {kind: key_revoked, keys: [key-2]}\n"));
  const auto outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_LE(world.count("SELECT count(*) FROM attempt_end WHERE cause = 'auth'"), 2);
}

TEST(Campaign, an_empty_world_ends_when_patience_does) {
  World world(kModels + endpoint("a", 1999, "key-1: \"env:UNUSED\"", ""),
              kCampaign,
              "version: 1\nseed: 3\nproviders:\n" + provider(1001, kOneKey, ""));
  const auto outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::with_losses);
  EXPECT_EQ(world.count("SELECT count(*) FROM turn"), 0);
  EXPECT_EQ(world.count("SELECT count(*) FROM score"), 0);
}

}  // namespace
}  // namespace sortie
