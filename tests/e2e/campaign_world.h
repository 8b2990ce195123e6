#pragma once

#include "sortie/aio/loop.h"
#include "sortie/analysis/cells.h"
#include "sortie/analysis/summary.h"
#include "sortie/base/json.h"
#include "sortie/base/log.h"
#include "sortie/base/scrubber.h"
#include "sortie/dialogue/rules.h"
#include "sortie/engine/control.h"
#include "sortie/engine/dispatcher.h"
#include "sortie/engine/engine.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/transport.h"
#include "sortie/spec/load.h"
#include "sortie/suite/suite.h"

#include <cstddef>
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

/// What a person asks of a running campaign.
inline engine::ControlCommand command(engine::ControlAction action,
                                      const std::string& target = {}) {
  engine::ControlCommand result;
  result.action = action;
  result.target = target;
  result.author = "ada (uid 7)";
  result.reason = "test";
  return result;
}

/// One world: files in memory, a ledger in a folder per campaign, providers that outlive restarts
/// of the engines.
class World {
 public:
  World(const std::string& endpoints, const std::string& campaign, const std::string& providers)
      : World(endpoints, std::vector{campaign}, providers) {}

  /// Campaigns that run beside each other, with run_together().
  World(const std::string& endpoints,
        const std::vector<std::string>& campaigns,
        const std::string& providers)
      : suite_(suite::Suite::pilot().value()), rules_(suite_) {
    topology_ = must(spec::parse_endpoints(endpoints, "endpoints.yaml"));
    for (const std::string& campaign : campaigns) {
      campaigns_.push_back(
          must(spec::parse_campaign(campaign, "campaign.yaml", suite_, topology_)));
      directories_.push_back(make_directory());
    }
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

  ~World() {
    for (const fs::path& directory : directories_) {
      fs::remove_all(directory);
    }
  }

  struct Outcome {
    engine::RunEnd end = engine::RunEnd::failed;
    std::string message;
    base::Duration elapsed{};
    engine::RunStatus status;
    bool ended = false;  // false: it was killed
  };

  using Engines = std::vector<engine::Engine*>;

  /// Runs or continues the campaign. `disturb` is called with the engine and the loop after the
  /// start.
  Outcome run(const engine::EngineOptions& options = {},
              const std::function<void(engine::Engine&, aio::Loop&)>& disturb = {}) {
    const auto loop = aio::Loop::virtual_time();
    std::vector<Outcome> outcomes =
        play(*loop, nullptr, options, [&](const Engines& engines, aio::Loop& of_all) {
          if (disturb) {
            disturb(*engines.front(), of_all);
          }
        });
    EXPECT_TRUE(outcomes.front().ended) << "the loop ran dry before the run ended";
    return std::move(outcomes.front());
  }

  /// The same for all campaigns, in one process. A loop that `disturb` stops is a process that was
  /// killed.
  std::vector<Outcome> run_together(
      const engine::EngineOptions& options = {},
      const std::function<void(const Engines&, aio::Loop&)>& disturb = {},
      const engine::FundLimits& funds = {}) {
    const auto loop = aio::Loop::virtual_time();
    engine::Dispatcher dispatcher(
        topology_,
        *loop,
        {.scheduling = options.scheduling, .open_max = options.open_max, .funds = funds});
    return play(*loop, &dispatcher, options, disturb);
  }

  /// The scored table as text: equal tables have equal bytes.
  std::string table(std::size_t campaign = 0) {
    return json::to_text(analysis::to_json(must(analysis::summarize(*reader(campaign)))));
  }

  std::unique_ptr<ledger::Reader> reader(std::size_t campaign = 0) {
    return must(ledger::Reader::open(directories_[campaign].string()));
  }

  std::int64_t count(const std::string& sql, std::size_t campaign = 0) {
    return must(reader(campaign)->count(sql));
  }

  void expect_sound() {
    for (std::size_t i = 0; i < directories_.size(); ++i) {
      for (const ledger::Check& check : must(ledger::verify(*reader(i)))) {
        EXPECT_TRUE(check.ok) << check.name << ": " << check.detail;
      }
    }
  }

  /// Every request that the provider saw is an attempt, one to one, and ended attempts
  /// agree on tokens.
  void expect_bill_agrees() {
    std::map<std::string, std::pair<std::int64_t, std::int64_t>>
        attempts;  // identity → tokens; -1: unknown
    for (std::size_t i = 0; i < directories_.size(); ++i) {
      add_attempts(i, attempts);
    }
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

  spec::Campaign& campaign() { return campaigns_.front(); }

 private:
  /// What one campaign needs in one process.
  struct Seat {
    std::unique_ptr<ledger::Ledger> ledger;
    std::unique_ptr<ledger::Reader> reader;
    std::unique_ptr<engine::Engine> engine;
  };

  std::vector<Outcome> play(aio::Loop& loop,
                            engine::Dispatcher* dispatcher,
                            const engine::EngineOptions& options,
                            const std::function<void(const Engines&, aio::Loop&)>& disturb) {
    sim::SimTransport transport(loop);
    for (const auto& provider : providers_) {
      transport.add(*provider);
    }
    const auto log = base::Log::discard();
    const base::Scrubber scrubber;
    std::vector<Seat> seats(campaigns_.size());
    Engines engines;
    for (std::size_t i = 0; i < seats.size(); ++i) {
      Seat& seat = seats[i];
      seat.ledger = must(ledger::Ledger::open(directories_[i].string(),
                                              {.mode = ledger::CommitMode::inline_},
                                              [&seat](base::Result<ledger::Sequence> outcome) {
                                                if (seat.engine != nullptr) {
                                                  seat.engine->committed(std::move(outcome));
                                                }
                                              }));
      seat.reader = reader(i);
      const engine::RunContext context{.suite = &suite_,
                                       .rules = &rules_,
                                       .topology = &topology_,
                                       .campaign = &campaigns_[i],
                                       .secrets = &secrets_};
      seat.engine = std::make_unique<engine::Engine>(
          context,
          engine::EngineParts{.loop = &loop,
                              .dispatcher = dispatcher,
                              .transport = &transport,
                              .ledger = seat.ledger.get(),
                              .reader = seat.reader.get(),
                              .log = log.get(),
                              .scrubber = &scrubber},
          options,
          must(engine::read_history(context, *seat.reader, options.retry_losses)));
      engines.push_back(seat.engine.get());
    }
    std::vector<Outcome> outcomes(seats.size());
    const base::Instant begin = loop.now();
    std::size_t running = seats.size();
    for (std::size_t i = 0; i < seats.size(); ++i) {
      engines[i]->start([&, i](engine::RunResult result) {
        outcomes[i] = {.end = result.end,
                       .message = result.message,
                       .elapsed = loop.now() - begin,
                       .status = {},
                       .ended = true};
        if (--running == 0) {
          loop.stop();
        }
      });
    }
    if (disturb) {
      disturb(engines, loop);
    }
    loop.run();
    for (std::size_t i = 0; i < seats.size(); ++i) {
      outcomes[i].status = engines[i]->status();
    }
    for (Seat& seat : seats) {
      seat.engine.reset();  // before what its ledger says last
    }
    return outcomes;
  }

  void add_attempts(std::size_t campaign,
                    std::map<std::string, std::pair<std::int64_t, std::int64_t>>& attempts) {
    EXPECT_TRUE(reader(campaign)
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
  }

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
  std::vector<fs::path> directories_;
  spec::Topology topology_;
  std::vector<spec::Campaign> campaigns_;
  std::vector<std::unique_ptr<sim::SimulatedProvider>> providers_;
  std::vector<std::vector<base::Secret>> secrets_;
};

}  // namespace sortie
