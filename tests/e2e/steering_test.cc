#include "sortie/aio/loop.h"
#include "sortie/engine/control.h"
#include "sortie/engine/engine.h"
#include "sortie/sim/provider_sim.h"

#include "e2e/campaign_world.h"
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

// Budgets, deadlines, control and the account of a run's time, in virtual time.

namespace sortie {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kProviders = R"(version: 1
seed: 3
providers:
  p:
    listen: 127.0.0.1:1001
    models:
      sim-large: {skill: 0.8, ttft_ms: {median: 200, sigma: 0.3}, ms_per_output_token: {median: 2, sigma: 0.2},
                  price_input: 5, price_output: 15}
    keys: {key-1: {key: key-1}, key-2: {key: key-2}, key-3: {key: key-3}}
)";

std::string endpoints(const std::string& keys, const std::string& limits) {
  return "version: 1\nmodels:\n  sim-large: {family: sim, price: {input: 5, output: 15}, sampling: "
         "{max_tokens: 600}}\nendpoints:\n  a:\n    dialect: openai\n    base_url: "
         "http://127.0.0.1:1001/v1\n    simulated: true\n    keys: {" +
         keys + "}\n    routes: [{model: sim-large, api_name: sim-large}]\n" + limits;
}

constexpr const char* kOneKey = "key-1: \"env:UNUSED\"";
constexpr const char* kThreeKeys =
    "key-1: \"env:UNUSED\", key-2: \"env:UNUSED\", key-3: \"env:UNUSED\"";
constexpr const char* kLimits =
    "    limits: [{per: [key], requests_per_minute: 600, enforced_over: 1s}]\n";
constexpr const char* kCampaign =
    "version: 1\nname: test\nsuite: pilot/1\nseed: 7\nmodels: [sim-large]\nscenarios: [baseline]\n"
    "instances: 12\n";

double bill(World& world) {
  double sum = 0;
  for (const sim::AuditEntry& entry : world.provider(0).audit().entries()) {
    sum += 1e-6 * (5 * static_cast<double>(entry.input_tokens) +
                   15 * static_cast<double>(entry.output_tokens));
  }
  return sum;
}

std::size_t sent(World& world) {
  return world.provider(0).audit().entries().size();
}

TEST(Budget, is_never_exceeded_over_stops_and_continuations_and_the_table_is_the_same) {
  World free(endpoints(kOneKey, ""), kCampaign, kProviders);
  ASSERT_EQ(free.run().end, engine::RunEnd::complete);
  World limited(endpoints(kOneKey, ""), kCampaign, kProviders);
  engine::EngineOptions options;
  const double whole = bill(free);
  double budget = whole / 5;
  int rounds = 0;
  while (true) {
    options.funds.cost = static_cast<std::int64_t>(budget * 1e6);
    options.scheduling.in_flight_max = 200;
    const auto outcome = limited.run(options);
    EXPECT_LE(bill(limited), budget);
    EXPECT_LE(outcome.status.budget.spent.cost, options.funds.cost);
    EXPECT_EQ(outcome.status.budget.reserved.cost, 0);
    if (outcome.end == engine::RunEnd::complete) {
      break;
    }
    ASSERT_EQ(outcome.end, engine::RunEnd::budget_used) << outcome.message;
    EXPECT_GT(bill(limited), 0.6 * budget);
    ASSERT_LT(++rounds, 20);
    budget += whole / 5;
  }
  EXPECT_GE(rounds, 4);
  EXPECT_EQ(limited.table(), free.table());
  limited.expect_sound();
  limited.expect_bill_agrees();
}

TEST(Budget, at_any_instant_covers_what_is_billed_and_what_is_set_aside) {
  World world(endpoints(kOneKey, ""), kCampaign, kProviders);
  engine::EngineOptions options;
  options.funds.cost = 1'500'000;
  options.scheduling.ramp = false;  // it is about the first seconds
  std::int64_t most = 0;
  world.run(options, [&](engine::Engine& engine, aio::Loop& loop) {
    for (int i = 1; i < 400; ++i) {
      loop.at(loop.now() + milliseconds(10 * i), [&engine, &most] {
        const engine::BudgetUse use = engine.status().budget;
        most = std::max(most, use.spent.cost + use.reserved.cost);
      });
    }
  });
  EXPECT_LE(most, 1'500'000);
  EXPECT_GT(most, 1'350'000);
}

TEST(Deadline, gives_up_the_last_repeats_of_every_cell_and_no_whole_cell) {
  constexpr const char* kRepeats =
      "version: 1\nname: test\nsuite: pilot/1\nseed: 7\nmodels: [sim-large]\ninstances: 4\n"
      "scenarios: [{id: once, vary: {prompt: [optimal, cot]}}, {id: often, repeats: 6, vary: "
      "{prompt: [baseline]}}]\n";
  World world(endpoints(kThreeKeys, kLimits), kRepeats, kProviders);
  engine::EngineOptions options;
  // 160 trials of eight requests at 30 a second are about 43 s.
  options.deadline = base::ManualClock().wall() + seconds(32);
  const auto outcome = world.run(options);
  EXPECT_EQ(outcome.end, engine::RunEnd::deadline) << outcome.message;
  EXPECT_LE(outcome.elapsed, seconds(33));
  EXPECT_GE(world.count("SELECT count(*) FROM event WHERE kind = 'repeats_cut'"), 1);
  // The cells that have one repeat are complete.
  EXPECT_EQ(world.count("SELECT sum(planned - scored) FROM cell_summary WHERE planned = 20"), 0);
  const std::int64_t often = world.count("SELECT scored FROM cell_summary WHERE planned = 120");
  EXPECT_GE(often, 20);
  EXPECT_LT(often, 120);
  // Without the deadline the same run makes up for them.
  EXPECT_EQ(world.run().end, engine::RunEnd::complete);
}

TEST(Control, pause_sends_nothing_until_resume_and_the_patience_does_not_run_out) {
  World world(endpoints(kThreeKeys, kLimits), kCampaign, kProviders);
  engine::EngineOptions options;
  options.patience = std::chrono::minutes(1);
  std::size_t at_pause = 0;
  const auto outcome = world.run(options, [&](engine::Engine& engine, aio::Loop& loop) {
    loop.at(loop.now() + seconds(3), [&] {
      EXPECT_TRUE(engine.control(command(engine::ControlAction::pause)).has_value());
    });
    loop.at(loop.now() + seconds(8), [&] { at_pause = sent(world); });
    loop.at(loop.now() + std::chrono::hours(2), [&] {
      EXPECT_EQ(sent(world), at_pause);
      EXPECT_TRUE(engine.control(command(engine::ControlAction::resume)).has_value());
    });
  });
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_GT(at_pause, 10U);
  EXPECT_GT(sent(world), at_pause);
  EXPECT_EQ(
      world.count("SELECT count(*) FROM event WHERE kind = 'control' AND detail ->> 'author' = "
                  "'ada (uid 7)' AND detail ->> 'reason' = 'test'"),
      2);
  ASSERT_TRUE(outcome.status.speed.has_value());
  EXPECT_NEAR(
      outcome.status.speed->losses[static_cast<std::size_t>(engine::Loss::paused)], 7200 - 3, 2);
}

TEST(Control, a_limit_holds_from_then_on_and_is_lifted_again) {
  World world(endpoints(kOneKey, kLimits), kCampaign, kProviders);
  std::size_t begin = 0;
  std::size_t end = 0;
  const auto outcome = world.run({}, [&](engine::Engine& engine, aio::Loop& loop) {
    const std::string domain = engine.status().limits.front().domain;
    loop.at(loop.now() + seconds(5), [&engine, domain] {
      engine::ControlCommand limit = command(engine::ControlAction::limit, domain);
      limit.limits = {{.kind = quota::LimitKind::requests, .quota = 60}};
      limit.dry_run = true;
      const auto told = engine.control(limit);
      ASSERT_TRUE(told.has_value()) << told.error().message;
      EXPECT_EQ(told->size(), 1U);
      EXPECT_EQ(engine.status().limits.front().limit.quota, 600) << "a dry run has changed it";
      limit.dry_run = false;
      EXPECT_EQ(engine.control(limit).value(), *told);
      EXPECT_EQ(engine.status().limits.front().limit.quota, 60);
      EXPECT_TRUE(engine.control(limit)->empty()) << "it is so already";
    });
    loop.at(loop.now() + seconds(6), [&] { begin = sent(world); });
    loop.at(loop.now() + seconds(16), [&engine, &world, &end, domain] {
      end = sent(world);
      EXPECT_TRUE(engine.control(command(engine::ControlAction::unlimit, domain)).has_value());
      EXPECT_EQ(engine.status().limits.front().limit.quota, 600);
    });
  });
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_LE(end - begin, 11U);
  EXPECT_GE(end - begin, 8U);
}

TEST(Control, refuses_what_is_not_there_and_changes_nothing) {
  World world(endpoints(kOneKey, kLimits), kCampaign, kProviders);
  world.run({}, [&](engine::Engine& engine, aio::Loop& loop) {
    loop.at(loop.now() + seconds(1), [&engine] {
      using engine::ControlAction;
      for (const ControlAction action : {ControlAction::limit,
                                         ControlAction::unlimit,
                                         ControlAction::disable,
                                         ControlAction::enable,
                                         ControlAction::share,
                                         ControlAction::pause}) {
        const auto refused = engine.control(command(action, "nothing"));
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code, base::ErrorCode::invalid);
        EXPECT_NE(refused.error().message.find("'nothing'"), std::string::npos);
      }
    });
  });
  EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'control'"), 0);
}

TEST(Speed, losses_add_up_and_three_equal_keys_lose_nothing_to_placement) {
  World world(endpoints(kThreeKeys, kLimits), kCampaign, kProviders);
  const auto outcome = world.run();
  ASSERT_EQ(outcome.end, engine::RunEnd::complete);
  ASSERT_TRUE(outcome.status.speed.has_value());
  const engine::SpeedReport& speed = *outcome.status.speed;
  ASSERT_TRUE(speed.has_losses);
  EXPECT_EQ(speed.limit, "requests");
  EXPECT_NEAR(speed.bound_seconds, static_cast<double>(outcome.status.turns) / 30, 1e-6);
  EXPECT_NEAR(std::accumulate(speed.losses.begin(), speed.losses.end(), 0.0),
              speed.seconds - speed.bound_seconds,
              1e-9);
  for (const double loss : speed.losses) {
    EXPECT_GT(loss, -0.05);
  }
  EXPECT_NEAR(speed.losses[static_cast<std::size_t>(engine::Loss::placement)], 0, 0.05);
  EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'run_speed'"), 1);
}

TEST(Speed, of_limits_that_nobody_declared_is_an_estimate_whose_losses_add_up) {
  const std::string providers =
      std::string(kProviders) +
      "    limits: [{per: [key], requests_per_minute: 900, shape: token_bucket, burst: 15, "
      "headers: false}]\n";
  World world(endpoints(kThreeKeys, ""), kCampaign, providers);
  const auto outcome = world.run();
  ASSERT_EQ(outcome.end, engine::RunEnd::complete);
  ASSERT_TRUE(outcome.status.speed.has_value());
  const engine::SpeedReport& speed = *outcome.status.speed;
  ASSERT_TRUE(speed.has_losses);
  EXPECT_TRUE(speed.is_estimate);
  EXPECT_GT(speed.confidence, 0);
  EXPECT_LT(speed.confidence, 1);
  EXPECT_EQ(speed.limit, "requests");
  const double truth = static_cast<double>(outcome.status.turns) / 45;
  EXPECT_NEAR(speed.bound_seconds, truth, 0.1 * truth);
  EXPECT_LE(speed.fraction(), 1);
  EXPECT_NEAR(std::accumulate(speed.losses.begin(), speed.losses.end(), 0.0),
              speed.seconds - speed.bound_seconds,
              1e-9);
  EXPECT_GT(speed.losses[static_cast<std::size_t>(engine::Loss::ramp)], 0);
  EXPECT_GT(speed.losses[static_cast<std::size_t>(engine::Loss::retry)], 0);
  EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'run_speed' AND detail ->> "
                        "'$.estimated' = 1 AND detail ->> '$.confidence' < 1"),
            1);
}

TEST(BoundLeft, is_what_the_limits_in_force_allow_for_the_turns_to_come) {
  World world(endpoints(kThreeKeys, kLimits), kCampaign, kProviders);
  std::vector<engine::RunStatus> told;
  double grew = 0;
  const auto outcome = world.run({}, [&](engine::Engine& engine, aio::Loop& loop) {
    for (int tenth = 0; tenth < 100; ++tenth) {
      loop.at(loop.now() + milliseconds(100 * tenth), [&] { told.push_back(engine.status()); });
    }
    loop.at(loop.now() + seconds(10), [&] {
      const engine::RunStatus before = engine.status();
      engine::ControlCommand limit = command(engine::ControlAction::limit, before.limits[0].domain);
      limit.limits = {{.kind = quota::LimitKind::requests, .quota = 60}};
      ASSERT_TRUE(engine.control(limit).has_value());
      grew = base::seconds(*engine.status().bound_left) / base::seconds(*before.bound_left);
    });
  });
  ASSERT_EQ(outcome.end, engine::RunEnd::complete);
  std::size_t counted = 0;
  for (const engine::RunStatus& status : told) {
    ASSERT_EQ(status.time_left.has_value(), status.bound_left.has_value());
    if (!status.bound_left.has_value()) {
      continue;
    }
    ++counted;
    EXPECT_LE(*status.bound_left, status.time_left->likely);
    // Sixty dialogues, most of them open: how long they are is a rough estimate.
    const double truth =
        static_cast<double>(outcome.status.turns - status.turns - status.in_flight) / 30;
    EXPECT_NEAR(base::seconds(*status.bound_left), truth, 0.4 * truth + 1);
  }
  EXPECT_GT(counted, 20U);
  // Of three equal keys one keeps a tenth of its limit. The likely time may be the smaller one.
  EXPECT_GT(grew, 1.05);
  EXPECT_LT(grew, 3 / 2.1 + 0.01);
}

}  // namespace
}  // namespace sortie
