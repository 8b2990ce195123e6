#include "sortie/aio/loop.h"
#include "sortie/engine/control.h"
#include "sortie/engine/engine.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/provider_sim.h"

#include "e2e/campaign_world.h"
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Campaigns that run beside each other in one process, in virtual time.

namespace sortie {
namespace {

using engine::ControlAction;
using engine::RunEnd;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kPerSecond = 10;  // requests that the only key lets through

constexpr const char* kEndpoints = R"(version: 1
models:
  sim-large: {family: sim, size_b: 72, price: {input: 5, output: 15}, sampling: {max_tokens: 600}}
  sim-small: {family: sim, size_b: 7, price: {input: 5, output: 15}, sampling: {max_tokens: 600}}
endpoints:
  a:
    dialect: openai
    base_url: http://127.0.0.1:1001/v1
    simulated: true
    keys: {key-1: "env:UNUSED"}
    routes: [sim-large, sim-small]
    limits: [{per: [key], requests_per_minute: 600, enforced_over: 1s}]
)";

std::string providers(const std::string& faults = "") {
  return R"(version: 1
seed: 3
providers:
  p:
    listen: 127.0.0.1:1001
    models:
      sim-large: {skill: 0.8, ttft_ms: {median: 200, sigma: 0.3}, ms_per_output_token: {median: 2, sigma: 0.2}, price_input: 5, price_output: 15}
      sim-small: {skill: 0.6, ttft_ms: {median: 200, sigma: 0.3}, ms_per_output_token: {median: 2, sigma: 0.2}, price_input: 5, price_output: 15}
    keys: {key-1: {key: key-1}}
    limits: [{per: [key], requests_per_minute: 600, shape: sliding, enforced_over: 1s, headers: false}]
)" + faults;
}

/// Seeds differ, so that no trial of one campaign is also one of the other.
std::string campaign(const std::string& name,
                     int instances,
                     const std::string& more = "",
                     const std::string& models = "sim-large") {
  return fmt::format(
      "version: 1\nname: {0}\nsuite: pilot/1\nseed: {1}\nmodels: [{2}]\nscenarios: [baseline]\n"
      "instances: {3}\n{4}",
      name,
      name.front() - 'a' + 7,
      models,
      instances,
      more);
}

/// No request above the declared limit, and none before its gate.
void expect_no_rejection(World& world, std::size_t campaigns) {
  for (std::size_t i = 0; i < campaigns; ++i) {
    EXPECT_EQ(world.count("SELECT count(*) FROM attempt_end WHERE cause <> 'answered'", i), 0);
  }
  ASSERT_FALSE(world.provider(0).limits().empty());
  for (const sim::PoolReport& pool : world.provider(0).limits()) {
    EXPECT_EQ(pool.refused, 0U) << pool.name;
    EXPECT_EQ(pool.early_arrivals, 0U) << pool.name;
  }
}

double turns(World& world, std::size_t campaign) {
  return static_cast<double>(world.count("SELECT count(*) FROM turn", campaign));
}

TEST(Campaigns, on_one_key_stay_within_its_limit_and_end_together) {
  World world(kEndpoints, {campaign("a", 20), campaign("b", 20)}, providers());
  const auto outcomes = world.run_together();
  ASSERT_EQ(outcomes[0].end, RunEnd::complete) << outcomes[0].message;
  ASSERT_EQ(outcomes[1].end, RunEnd::complete) << outcomes[1].message;
  expect_no_rejection(world, 2);
  world.expect_sound();
  world.expect_bill_agrees();
  const double first = base::seconds(std::min(outcomes[0].elapsed, outcomes[1].elapsed));
  const double last = base::seconds(std::max(outcomes[0].elapsed, outcomes[1].elapsed));
  EXPECT_GE(first, 0.95 * last);
  const double bound = (turns(world, 0) + turns(world, 1)) / kPerSecond;
  EXPECT_LE(last, 1.05 * bound) << "together as fast as one campaign of their size";
  // Each ledger says with whom, and how well all of them used the limits.
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    EXPECT_EQ(world.count(fmt::format("SELECT count(*) FROM event WHERE kind = 'run_started' AND "
                                      "detail ->> '$.beside[0]' = '{}'",
                                      i == 0 ? "b" : "a"),
                          i),
              1);
    ASSERT_TRUE(outcomes[i].status.speed.has_value());
    EXPECT_GE(outcomes[i].status.speed->fraction(), 0.9);
    EXPECT_LE(outcomes[i].status.speed->fraction(), 1.001);
    EXPECT_EQ(outcomes[i].status.elapsed, outcomes[i].elapsed);
  }
}

TEST(Campaigns, of_unequal_size_end_together_too) {
  World world(
      kEndpoints, {campaign("a", 24, "", "sim-large, sim-small"), campaign("b", 6)}, providers());
  const auto outcomes = world.run_together();
  ASSERT_EQ(outcomes[0].end, RunEnd::complete);
  ASSERT_EQ(outcomes[1].end, RunEnd::complete);
  expect_no_rejection(world, 2);
  EXPECT_GE(base::seconds(outcomes[1].elapsed), 0.9 * base::seconds(outcomes[0].elapsed));
}

TEST(Campaigns, give_the_tables_that_each_gives_alone) {
  const std::vector<std::string> files{campaign("a", 5), campaign("b", 4, "", "sim-small")};
  World together(kEndpoints, files, providers());
  for (const auto& outcome : together.run_together()) {
    ASSERT_EQ(outcome.end, RunEnd::complete);
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    World alone(kEndpoints, files[i], providers());
    ASSERT_EQ(alone.run().end, RunEnd::complete);
    EXPECT_EQ(together.table(i), alone.table());
  }
}

/// Seconds until the small campaign beside a large one has ended, over what the key needs for its
/// requests alone; and until both have.
struct Race {
  double small = 0;
  double both = 0;
  double share = 0;  // of the key that the small one got while it ran
};

Race race(const std::string& more) {
  World world(kEndpoints, {campaign("a", 36), campaign("b", 4, more)}, providers());
  const auto outcomes = world.run_together();
  EXPECT_EQ(outcomes[0].end, RunEnd::complete);
  EXPECT_EQ(outcomes[1].end, RunEnd::complete);
  expect_no_rejection(world, 2);
  world.expect_sound();
  const double small = base::seconds(outcomes[1].elapsed);
  return {.small = small,
          .both = base::seconds(std::max(outcomes[0].elapsed, outcomes[1].elapsed)),
          .share = turns(world, 1) / kPerSecond / small};
}

TEST(Campaigns, a_small_one_with_a_guarantee_gets_its_share) {
  const Race plain = race("");
  EXPECT_GE(plain.small, 0.9 * plain.both) << "without one, all end together";
  const Race urgent = race("guaranteed: 0.4\n");
  // Its own last dialogues are few, and turns follow each other.
  EXPECT_GE(urgent.share, 0.3);
  EXPECT_LE(urgent.small, 0.4 * plain.small);
  EXPECT_LE(urgent.both, 1.03 * plain.both) << "nobody pays for it with idle limits";
}

/// Both are served in proportion to priority × work that is left: what is left of the one is to the
/// power of its priority what is left of the other, as fractions.
TEST(Campaigns, a_priority_puts_one_ahead) {
  const auto turns_of_b = [](const std::string& more) {
    World world(kEndpoints, {campaign("a", 16), campaign("b", 16, more)}, providers());
    std::vector<std::uint64_t> turns(2);
    const auto outcomes =
        world.run_together({}, [&](const World::Engines& engines, aio::Loop& loop) {
          loop.at(loop.now() + seconds(35), [&, engines] {
            turns = {engines[0]->status().turns, engines[1]->status().turns};
          });
        });
    EXPECT_EQ(outcomes[0].end, RunEnd::complete);
    EXPECT_EQ(outcomes[1].end, RunEnd::complete);
    expect_no_rejection(world, 2);
    return turns;
  };
  const std::vector<std::uint64_t> alike = turns_of_b("");
  EXPECT_NEAR(static_cast<double>(alike[0]), static_cast<double>(alike[1]), 35);
  // Some 460 turns each, of which 350 are done: 460·(x + x⁴) = 570 at x = 0.81.
  const std::vector<std::uint64_t> ahead = turns_of_b("priority: 4\n");
  EXPECT_NEAR(static_cast<double>(ahead[1]), 460 * (1 - 0.43), 40);
  EXPECT_NEAR(static_cast<double>(ahead[0]), 460 * (1 - 0.81), 40);
}

TEST(Campaigns, killed_and_continued_ask_no_turn_twice_that_was_kept) {
  const std::vector<std::string> files{campaign("a", 6), campaign("b", 6)};
  World killed(kEndpoints, files, providers());
  for (int i = 0; i < 4; ++i) {
    const auto outcomes = killed.run_together({}, [&](const World::Engines&, aio::Loop& loop) {
      loop.at(loop.now() + milliseconds(7000 + 310 * i), [&loop] { loop.stop(); });
    });
    ASSERT_FALSE(outcomes[0].ended);
    ASSERT_FALSE(outcomes[1].ended);
  }
  // Stopped in good order, and one of them alone.
  for (const auto& outcome :
       killed.run_together({}, [](const World::Engines& engines, aio::Loop& loop) {
         loop.at(loop.now() + seconds(5), [engines] {
           engines[0]->request_stop();
           engines[1]->request_stop();
         });
       })) {
    ASSERT_EQ(outcome.end, RunEnd::interrupted) << outcome.message;
  }
  for (const auto& outcome : killed.run_together()) {
    ASSERT_EQ(outcome.end, RunEnd::complete) << outcome.message;
  }
  killed.expect_sound();
  killed.expect_bill_agrees();
  for (std::size_t i = 0; i < files.size(); ++i) {
    World alone(kEndpoints, files[i], providers());
    ASSERT_EQ(alone.run().end, RunEnd::complete);
    EXPECT_EQ(killed.table(i), alone.table());
    EXPECT_EQ(
        killed.count("SELECT count(*) FROM (SELECT trial, turn FROM attempt JOIN attempt_end ON "
                     "attempt = id WHERE cause = 'answered' GROUP BY 1, 2 HAVING count(*) > 1)",
                     i),
        0);
  }
}

TEST(Campaigns, one_that_is_paused_or_stopped_leaves_its_share_to_the_other) {
  for (const bool stops : {false, true}) {
    World world(kEndpoints, {campaign("a", 10), campaign("b", 10)}, providers());
    engine::EngineOptions options;
    options.patience = std::chrono::minutes(2);
    std::uint64_t at_pause = 0;
    const auto outcomes =
        world.run_together(options, [&](const World::Engines& engines, aio::Loop& loop) {
          loop.at(loop.now() + seconds(10), [&, engines] {
            if (stops) {
              engines[0]->request_stop();
            } else {
              EXPECT_TRUE(engines[0]->control(command(ControlAction::pause)).has_value());
            }
          });
          loop.at(loop.now() + seconds(15), [&, engines] {
            at_pause = engines[0]->status().attempts;
            EXPECT_EQ(engines[0]->status().in_flight, 0U);
            EXPECT_FALSE(engines[1]->status().paused);
          });
          loop.at(loop.now() + std::chrono::hours(1), [&, engines] {
            EXPECT_EQ(engines[0]->status().attempts, at_pause);
            EXPECT_EQ(engines[1]->status().phase, engine::Phase::finished);
            if (!stops) {
              EXPECT_TRUE(engines[0]->control(command(ControlAction::resume)).has_value());
            }
          });
        });
    EXPECT_EQ(outcomes[0].end, stops ? RunEnd::interrupted : RunEnd::complete);
    EXPECT_EQ(outcomes[1].end, RunEnd::complete);
    expect_no_rejection(world, stops ? 0 : 2);
    // After ten seconds of half the key it had all of it.
    EXPECT_LE(base::seconds(outcomes[1].elapsed), 1.15 * (turns(world, 1) / kPerSecond + 5));
    EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'control'", 1), 0);
    world.expect_sound();
  }
}

TEST(Campaigns, one_that_is_drained_ends_and_the_other_goes_on) {
  World world(kEndpoints, {campaign("a", 10), campaign("b", 10)}, providers());
  const auto outcomes = world.run_together({}, [](const World::Engines& engines, aio::Loop& loop) {
    loop.at(loop.now() + seconds(10), [engines] {
      EXPECT_TRUE(engines[0]->control(command(ControlAction::drain)).has_value());
    });
  });
  EXPECT_EQ(outcomes[0].end, RunEnd::drained) << outcomes[0].message;
  EXPECT_EQ(outcomes[1].end, RunEnd::complete) << outcomes[1].message;
  expect_no_rejection(world, 2);
}

TEST(Campaigns, a_limit_holds_for_all_and_stands_in_each_ledger) {
  World world(kEndpoints, {campaign("a", 5), campaign("b", 5)}, providers());
  std::size_t begin = 0;
  std::size_t end = 0;
  const auto sent = [&world] { return world.provider(0).audit().entries().size(); };
  const auto outcomes = world.run_together({}, [&](const World::Engines& engines, aio::Loop& loop) {
    const std::string domain = engines[0]->status().limits.front().domain;
    loop.at(loop.now() + seconds(5), [engines, domain] {
      engine::ControlCommand limit = command(ControlAction::limit, domain);
      limit.limits = {{.kind = quota::LimitKind::requests, .quota = 60}};
      EXPECT_TRUE(engines[0]->control(limit).has_value());
      EXPECT_EQ(engines[1]->status().limits.front().limit.quota, 60);
      EXPECT_EQ(engines[1]->status().changes.size(), 1U);
    });
    loop.at(loop.now() + seconds(6), [&] { begin = sent(); });
    loop.at(loop.now() + seconds(16), [&, engines, domain] {
      end = sent();
      EXPECT_TRUE(engines[1]->control(command(ControlAction::unlimit, domain)).has_value());
    });
  });
  EXPECT_EQ(outcomes[0].end, RunEnd::complete);
  EXPECT_EQ(outcomes[1].end, RunEnd::complete);
  EXPECT_LE(end - begin, 11U);
  EXPECT_GE(end - begin, 8U);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'control'", i), 2);
    EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'control' AND detail ->> "
                          "'through' IS NOT NULL",
                          i),
              1);
  }
}

TEST(Campaigns, have_a_budget_together_beside_that_of_each) {
  const std::vector<std::string> files{campaign("a", 8), campaign("b", 8)};
  World free(kEndpoints, files, providers());
  std::int64_t whole = 0;
  for (const auto& outcome : free.run_together()) {
    ASSERT_EQ(outcome.end, RunEnd::complete);
    whole += outcome.status.budget.spent.cost;
  }
  World world(kEndpoints, files, providers());
  std::int64_t most = 0;
  const std::int64_t budget = whole / 2;
  const auto outcomes =
      world.run_together({},
                         [&](const World::Engines& engines, aio::Loop& loop) {
                           for (int i = 1; i < 4000; ++i) {
                             loop.at(loop.now() + milliseconds(25 * i), [&, engines] {
                               std::int64_t sum = 0;
                               for (const engine::Engine* engine : engines) {
                                 const engine::BudgetUse use = engine->status().budget;
                                 sum += use.spent.cost + use.reserved.cost;
                               }
                               most = std::max(most, sum);
                             });
                           }
                         },
                         {.cost = budget, .tokens = std::nullopt});
  EXPECT_EQ(outcomes[0].end, RunEnd::budget_used) << outcomes[0].message;
  EXPECT_EQ(outcomes[1].end, RunEnd::budget_used) << outcomes[1].message;
  EXPECT_NE(outcomes[0].message.find("of all campaigns together"), std::string::npos);
  EXPECT_LE(most, budget);
  const std::int64_t spent =
      outcomes[0].status.budget.spent.cost + outcomes[1].status.budget.spent.cost;
  EXPECT_GE(spent, budget * 8 / 10);
  EXPECT_LE(spent, budget);
  // More of it: both go on.
  for (const auto& outcome : world.run_together({}, {}, {.cost = 2 * whole, .tokens = {}})) {
    EXPECT_EQ(outcome.end, RunEnd::complete) << outcome.message;
  }
}

TEST(Campaigns, give_up_a_dead_route_each_for_itself) {
  const std::string both = std::string(kEndpoints) +
                           "  dead:\n    dialect: openai\n    base_url: http://127.0.0.1:1999/v1\n"
                           "    simulated: true\n    routes: [sim-only-there]\n";
  std::string endpoints = both;
  endpoints.insert(endpoints.find("endpoints:"),
                   "  sim-only-there: {family: sim, price: {input: 5, output: 15}}\n");
  World world(endpoints, {campaign("a", 4, "", "sim-only-there"), campaign("b", 60)}, providers());
  engine::EngineOptions options;
  options.patience = std::chrono::minutes(1);
  const auto outcomes = world.run_together(options);
  EXPECT_EQ(outcomes[0].end, RunEnd::with_losses) << outcomes[0].message;
  EXPECT_EQ(world.count("SELECT count(*) FROM turn", 0), 0);
  EXPECT_EQ(outcomes[1].end, RunEnd::complete) << outcomes[1].message;
  EXPECT_LE(base::seconds(outcomes[1].elapsed), 1.1 * turns(world, 1) / kPerSecond)
      << "not held up";
  EXPECT_LT(outcomes[0].elapsed, outcomes[1].elapsed);
}

}  // namespace
}  // namespace sortie
