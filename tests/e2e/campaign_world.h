#pragma once

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

// A whole campaign in virtual time, for tests: engine, scheduler, dialogues, ledger on disk and the
// simulated provider are the real ones; only the sockets and the clock are replaced. Hours pass in
// milliseconds and every run is the same.

namespace sortie {

namespace fs = std::filesystem;

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

  std::unique_ptr<ledger::Reader> reader() {
    return must(ledger::Reader::open(directory_.string()));
  }

  std::int64_t count(const std::string& sql) { return must(reader()->count(sql)); }

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

}  // namespace sortie
