#include "sortie/aio/loop.h"
#include "sortie/engine/engine.h"

#include "e2e/campaign_world.h"
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Answers that come while they are made: what hangs is released within its limit, what thinks is
// never cut short, and a stream that is cancelled stays paid for.

namespace sortie {
namespace {

constexpr const char* kCampaign = R"(version: 1
name: test
suite: pilot/1
seed: 7
models: [sim]
scenarios: [baseline]
instances: 2
)";

std::string endpoints(std::string_view options, std::string_view sampling = "{max_tokens: 4096}") {
  return fmt::format(R"(version: 1
models:
  sim: {{price: {{input: 1, output: 2}}, sampling: {}}}
endpoints:
  pool:
    dialect: openai
    base_url: http://127.0.0.1:18801/v1
    simulated: true
    keys: {{key-1: env:K}}
    routes: [sim]
    {}
)",
                     sampling,
                     options);
}

std::string provider(std::string_view model, std::string_view faults = "[]") {
  return fmt::format(R"(version: 1
seed: 11
providers:
  pool:
    listen: 127.0.0.1:18801
    models:
      sim: {{skill: 0.8, {}}}
    keys: {{key-1: {{key: key-1}}}}
    faults: {}
)",
                     model,
                     faults);
}

struct Hang {
  std::string_view fault;
  std::string_view code;  // of the limit that passes
};

// Nothing is known of the routes yet: one limit for all silence, ten minutes for 4,096 tokens, from
// sending to the next token or, without a stream, to the end.
constexpr Hang kHangs[] = {
    {"{kind: stall, from_request: 3, until_request: 8}", "first_byte_timeout"},
    {"{kind: slow_head, every: 20s, from_request: 3, until_request: 8}", "first_byte_timeout"},
    {"{kind: head_stall, from_request: 3, until_request: 8}", "progress_timeout"},
    {"{kind: drip, every: 20s, from_request: 3, until_request: 8}", "progress_timeout"},
    {"{kind: comments, every: 10s, from_request: 3, until_request: 8}", "progress_timeout"},
};

void expect_released(World& world, std::string_view code, double seconds) {
  const std::string of_faults =
      fmt::format("FROM attempt_end WHERE cause = 'stall' AND code = '{}'", code);
  EXPECT_EQ(world.count("SELECT count(*) FROM attempt_end WHERE cause <> 'answered'"), 6) << code;
  ASSERT_EQ(world.count("SELECT count(*) " + of_faults), 6) << code;
  const double least = static_cast<double>(world.count("SELECT min(duration_us) " + of_faults));
  const double most = static_cast<double>(world.count("SELECT max(duration_us) " + of_faults));
  EXPECT_GE(least / 1e6, seconds) << code;
  EXPECT_LE(most / 1e6, seconds + 0.1) << code;
}

TEST(Streaming, what_hangs_is_released_within_its_limit_and_loses_no_trial) {
  for (const Hang& hang : kHangs) {
    for (const bool stream : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", hang.fault, stream ? "streamed" : "plain"));
      World world(endpoints(fmt::format("stream: {}", stream)),
                  kCampaign,
                  provider("ttft_ms: 200", fmt::format("[{}]", hang.fault)));
      const auto outcome = world.run();
      EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
      EXPECT_EQ(outcome.status.scored(), 10U);
      expect_released(world, hang.code, 600);
      world.expect_sound();
      world.expect_bill_agrees();
    }
  }
}

TEST(Streaming, a_limit_that_the_file_declares_is_the_one) {
  for (const std::string_view fault :
       {"{kind: drip, every: 20s, from_request: 3, until_request: 8}",
        "{kind: comments, every: 1s, from_request: 3, "
        "until_request: 8}"}) {
    World world(endpoints("stream: true\n    first_byte_timeout: 30s"),
                kCampaign,
                provider("ttft_ms: 200", fmt::format("[{}]", fault)));
    EXPECT_EQ(world.run().end, engine::RunEnd::complete);
    expect_released(world, "progress_timeout", 30);
  }
}

TEST(Streaming, a_route_that_shows_life_is_given_up_after_a_minute_of_silence) {
  // Its first answers think for two minutes with a sign of life every ten seconds.
  World world(
      endpoints("stream: true"),
      kCampaign,
      provider("ttft_ms: 120000", "[{kind: head_stall, from_request: 60, until_request: 65}]"));
  EXPECT_EQ(world.run().end, engine::RunEnd::complete);
  // The head leaves when the first token is due.
  expect_released(world, "first_byte_timeout", 60);
}

TEST(Streaming, long_thinking_is_never_cut_short_whether_it_shows_life_or_not) {
  struct Thinking {
    std::string_view model;
    std::string_view sampling;
  };

  for (const Thinking& thinking : {
           // Silent for nine minutes, and for 20 where 16,384 tokens may take 27.
           Thinking{"ttft_ms: 540000, keep_alive: false", "{max_tokens: 4096}"},
           Thinking{"ttft_ms: 1200000, keep_alive: false", "{max_tokens: 16384}"},
           // Sometimes for seconds, sometimes for minutes.
           Thinking{"ttft_ms: {median: 20000, sigma: 1}, keep_alive: false", "{max_tokens: 4096}"},
           // With signs of life.
           Thinking{"ttft_ms: 540000", "{max_tokens: 4096}"},
           Thinking{"ttft_ms: {median: 20000, sigma: 1}", "{max_tokens: 4096}"},
           // Aloud for half an hour: no limit holds while tokens come.
           Thinking{"ttft_ms: 1000, ms_per_output_token: 4000, skill: {level: 0.8, reasoning: "
                    "{tokens: {median: 400, sigma: 0.1}, place: field}}",
                    "{max_tokens: 4096}"},
       }) {
    SCOPED_TRACE(thinking.model);
    std::string profile = provider(thinking.model);
    if (thinking.model.find("skill:") != std::string_view::npos) {
      profile.replace(profile.find("skill: 0.8, "), std::string_view("skill: 0.8, ").size(), "");
    }
    World world(endpoints("stream: true", thinking.sampling), kCampaign, profile);
    engine::EngineOptions options;
    options.trial_deadline = std::chrono::hours(48);
    const auto outcome = world.run(options);
    EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
    EXPECT_EQ(world.count("SELECT count(*) FROM attempt_end WHERE cause <> 'answered'"), 0);
    EXPECT_EQ(world.count("SELECT count(*) FROM attempt"),
              world.count("SELECT count(*) FROM turn"));
  }
}

TEST(Streaming, the_trials_deadline_bounds_what_streams_for_ever) {
  World world(
      endpoints("stream: true"), kCampaign, provider("ttft_ms: 1000, ms_per_output_token: 60000"));
  engine::EngineOptions options;
  options.trial_deadline = std::chrono::minutes(10);
  const auto outcome = world.run(options);
  EXPECT_EQ(outcome.end, engine::RunEnd::with_losses);
  EXPECT_GT(world.count("SELECT count(*) FROM outcome WHERE outcome = 'timeout'"), 0);
  EXPECT_LE(world.count("SELECT max(duration_us) FROM attempt_end"), 600'100'000);
}

/// Requests sent by then of a run whose answers take a second to the first token, and five more.
std::uint64_t sent_after(base::Duration time,
                         std::string_view route_options,
                         std::string_view model) {
  World world(endpoints(route_options),
              kCampaign,
              provider(fmt::format("ttft_ms: {{median: 1000, sigma: 0}}, ms_per_output_token: "
                                   "{{median: 100, sigma: 0}}{}",
                                   model)));
  std::uint64_t sent = 0;
  world.run({}, [&](engine::Engine& engine, aio::Loop& loop) {
    loop.at(loop.now() + time, [&] {
      sent = engine.status().attempts;
      EXPECT_EQ(engine.status().turns, 0U);
      engine.request_stop();
    });
  });
  return sent;
}

TEST(Streaming, a_new_route_is_tried_by_one_request_until_its_first_token) {
  using std::chrono::milliseconds;
  EXPECT_EQ(sent_after(milliseconds(900), "stream: true", ""), 1U);
  EXPECT_GT(sent_after(milliseconds(1900), "stream: true", ""), 2U);
  // What does not stream, and another model, prove nothing before the end.
  EXPECT_EQ(sent_after(milliseconds(1900), "stream: false", ""), 1U);
  EXPECT_EQ(sent_after(milliseconds(1900), "stream: true", ", served_as: other"), 1U);
}

TEST(Streaming, a_cancelled_stream_keeps_its_reserved_cost) {
  World world(
      endpoints("stream: true"), kCampaign, provider("ttft_ms: 1000, ms_per_output_token: 200"));
  const auto outcome = world.run({}, [](engine::Engine& engine, aio::Loop& loop) {
    loop.at(loop.now() + std::chrono::seconds(20), [&engine] { engine.request_stop(); });
  });
  EXPECT_EQ(outcome.end, engine::RunEnd::interrupted);
  constexpr const char* kCancelled =
      "SELECT count(*) FROM attempt AS a JOIN attempt_end AS e ON e.attempt = a.id WHERE e.cause = "
      "'cancelled' AND e.code = 'cancelled'";
  EXPECT_GT(world.count(kCancelled), 0);
  EXPECT_EQ(world.count(std::string(kCancelled) +
                        " AND e.billing_known = 0 AND e.cost = a.reserved_cost AND e.cost > 0"),
            world.count(kCancelled));
  EXPECT_EQ(world.run().end, engine::RunEnd::complete);
  EXPECT_EQ(world.provider(0).in_flight(), 0U);
  world.expect_sound();
  world.expect_bill_agrees();
}

}  // namespace
}  // namespace sortie
