#include "sortie/monitor/status_read.h"

#include "sortie/monitor/status_json.h"

#include <chrono>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Every member that is told differs from its default.
engine::RunStatus full() {
  engine::RunStatus status;
  status.run = "night";
  status.phase = engine::Phase::stopping;
  status.at = base::WallTime(std::chrono::microseconds(1'790'000'000'123'456));
  status.elapsed = seconds(75);
  status.time_left = {.earliest = seconds(50), .likely = seconds(60), .latest = seconds(90)};
  status.bound_left = seconds(40);
  status.models = {{.model = "m 测",
                    .simulated = true,
                    .planned = 100,
                    .scored = 40,
                    .succeeded = 30,
                    .reused = 4,
                    .lost = 2,
                    .running = 9,
                    .turns = 300,
                    .paused = true,
                    .share = 2.5}};
  status.scenarios = {
      {.model = "m 测",
       .scenario = "baseline",
       .cells = 3,
       .trials = {
           .planned = 60, .scored = 20, .succeeded = 15, .lost = 1, .running = 6, .in_flight = 5}}};
  status.routes = {{.route = "alpha/key-1/m",
                    .model = "m 测",
                    .domains = {"alpha/key-1"},
                    .usable = false,
                    .reason = "key rejected",
                    .in_flight = 5,
                    .answered = 290,
                    .failed = 3,
                    .throttled = 7,
                    .closed_for = milliseconds(2500),
                    .breaker_open = true,
                    .latency_p50 = milliseconds(840),
                    .latency_p95 = milliseconds(3200)}};
  status.limits = {
      {.domain = "alpha/key-1",
       .limit = {.kind = quota::LimitKind::tokens, .quota = 400'000, .window = seconds(60)},
       .used = 1234.5,
       .allowed = 390'000,
       .closed_for = seconds(1),
       .learned = true,
       .confidence = 0.8},
      {.domain = "alpha/key-1",
       .limit = {.kind = quota::LimitKind::concurrency, .quota = 20},
       .used = 5,
       .allowed = 20,
       .closed_for = {}}};
  status.shared_limits = {{.name = "a + b",
                           .members = {"a", "b"},
                           .is_over = true,
                           .is_remembered = true,
                           .subject = "key-1 and key-2",
                           .declaration = {"keys:"}}};
  status.budget = {.limits = {.cost = 5'000'000, .tokens = 9'000},
                   .spent = {.cost = 1, .tokens = 2},
                   .reserved = {.cost = 3, .tokens = 4},
                   .deadline = base::WallTime(seconds(1'800'000'000))};
  status.paused = true;
  status.draining = true;
  status.changes = {
      {.at = base::WallTime(seconds(5)), .author = "me", .reason = "quiet", .text = "paused"}};
  status.attempts = 301;
  status.turns = 300;
  status.in_flight = 5;
  status.in_flight_max = 64;
  status.open = 9;
  status.open_max = 10'000;
  status.waiting = 4;
  status.unfunded = 1;
  status.input_tokens = 1000;
  status.output_tokens = 500;
  status.cost_micro_usd = 77;
  status.problems = {{.at = base::WallTime(seconds(9)), .text = "a key was rejected"}};
  return status;
}

TEST(StatusFromJson, tells_again_what_it_was_told) {
  engine::RunStatus empty;
  empty.run = "empty";
  for (const engine::RunStatus& status : {full(), empty}) {
    const json::Value told = to_json(status);
    // Over the wire, where whole numbers lose their kind.
    const json::Value parsed = json::parse(json::to_text(told)).value();
    EXPECT_EQ(json::to_text(to_json(status_from_json(parsed).value())), json::to_text(told));
  }
}

TEST(StatusFromJson, survives_what_another_version_or_nobody_would_say) {
  EXPECT_FALSE(status_from_json(json::Value(nullptr)).has_value());
  EXPECT_FALSE(status_from_json(json::parse(R"({"run": "x"})").value()).has_value());
  const auto odd = status_from_json(
      json::parse(R"({"run": "x", "models": [1, null, {"planned": -5, "scored": 1e300}],
                      "routes": {}, "elapsed_seconds": 1e300, "budget": [],
                      "time_left": 3, "limits": [{"kind": "new"}], "at": "yesterday"})")
          .value());
  ASSERT_TRUE(odd.has_value());
  EXPECT_EQ(odd->models.size(), 3U);
  EXPECT_EQ(odd->models[2].planned, 0U);
  EXPECT_FALSE(odd->time_left.has_value());
}

}  // namespace
}  // namespace sortie::monitor
