#include "e2e/campaign_world.h"
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

// The same campaign in every dialect, plain and streamed, with commands in text and with native
// functions: the scored table must not show which wire it went over. The simulator's dialects are
// written from the providers' documentation and share no code with the client's.

namespace sortie {
namespace {

struct Wire {
  std::string_view dialect;
  std::string_view base_url;
};

constexpr Wire kWires[] = {{"openai", "http://127.0.0.1:18801/v1"},
                           {"azure", "http://127.0.0.1:18801"},
                           {"azure_ai", "http://127.0.0.1:18801"},
                           {"anthropic", "http://127.0.0.1:18801"},
                           {"gemini", "http://127.0.0.1:18801"}};

std::string endpoints(const Wire& wire, bool stream) {
  return fmt::format(R"(version: 1
models:
  sim: {{family: sim, parameters: {{seed: false}}}}
endpoints:
  pool:
    dialect: {}
    base_url: {}
    simulated: true
    stream: {}
    keys: {{key-1: env:K, key-2: env:K}}
    routes: [sim]
    limits:
      - {{per: [key], requests_per_minute: 600, enforced_over: 1s}}
)",
                     wire.dialect,
                     wire.base_url,
                     stream);
}

std::string campaign(std::string_view protocol) {
  return fmt::format(R"(version: 1
name: dialects
suite: pilot/1
seed: 7
models: [sim]
scenarios: [baseline]
instances: 2
protocol: {}
)",
                     protocol);
}

std::string provider(std::string_view skill, std::string_view faults) {
  return fmt::format(R"(version: 1
seed: 11
providers:
  pool:
    listen: 127.0.0.1:18801
    models:
      sim: {{skill: {}, ttft_ms: {{median: 15000, sigma: 0.5}}, ms_per_output_token: 20}}
    keys: {{key-1: {{key: key-1}}, key-2: {{key: key-2}}}}
    limits:
      - {{name: rpm, requests_per_minute: 600, enforced_over: 1s, per: [key]}}
    faults: {}
)",
                     skill,
                     faults);
}

// Without forms that a dialect cannot carry: broken JSON as arguments exists in OpenAI's alone.
constexpr std::string_view kSkill =
    "{level: 0.7, format: {no_command: 0.05, code_fence: 0.05, unclosed_tag: 0.05}, "
    "reasoning: {tokens: {median: 60, sigma: 0.4}, place: field}}";

std::string table_of(const Wire& wire,
                     bool stream,
                     std::string_view protocol,
                     std::string_view faults = "[]") {
  World world(endpoints(wire, stream), campaign(protocol), provider(kSkill, faults));
  const World::Outcome outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << wire.dialect << ": " << outcome.message;
  EXPECT_EQ(world.count("SELECT count(*) FROM outcome WHERE outcome = 'scored'"), 10)
      << wire.dialect;
  // Anthropic does not count thoughts apart.
  EXPECT_EQ(world.count("SELECT sum(reasoning_tokens) FROM turn") > 0, wire.dialect != "anthropic");
  const std::int64_t failed =
      world.count("SELECT count(*) FROM attempt_end WHERE cause <> 'answered'");
  EXPECT_EQ(failed > 0, faults != "[]") << wire.dialect << (stream ? " streamed" : "");
  world.expect_sound();
  world.expect_bill_agrees();
  return world.table();
}

TEST(Dialects, score_the_same_over_every_wire) {
  for (const std::string_view protocol : {"text", "native"}) {
    const std::string expected = table_of(kWires[0], false, protocol);
    for (const Wire& wire : kWires) {
      for (const bool stream : {false, true}) {
        EXPECT_EQ(table_of(wire, stream, protocol), expected)
            << wire.dialect << ' ' << protocol << (stream ? " streamed" : " plain");
      }
    }
  }
}

TEST(Dialects, score_the_same_through_faults) {
  constexpr std::string_view kFaults =
      "[{kind: http_500, probability: 0.05}, {kind: http_503, probability: 0.03}, "
      "{kind: rate_limited, probability: 0.05, retry_after: 2s}, {kind: rate_limited_bare, "
      "probability: 0.03}, "
      "{kind: error_in_200, probability: 0.05}, {kind: truncated_body, probability: 0.05}, "
      "{kind: invalid_json, probability: 0.05}, {kind: reset, probability: 0.03}]";
  const std::string expected = table_of(kWires[0], false, "native");
  for (const Wire& wire : kWires) {
    for (const bool stream : {false, true}) {
      EXPECT_EQ(table_of(wire, stream, "native", kFaults), expected)
          << wire.dialect << (stream ? " streamed" : " plain");
    }
  }
}

TEST(Dialects, a_stream_that_shows_life_is_waited_for) {
  // Minutes of thinking before the first token, with signs of life every ten seconds.
  World world(endpoints(kWires[3], true),
              campaign("text"),
              fmt::format(R"(version: 1
seed: 11
providers:
  pool:
    listen: 127.0.0.1:18801
    models:
      sim: {{skill: {}, ttft_ms: 200000}}
    keys: {{key-1: {{key: key-1}}, key-2: {{key: key-2}}}}
)",
                          kSkill));
  EXPECT_EQ(world.run().end, engine::RunEnd::complete);
  EXPECT_EQ(world.count("SELECT count(*) FROM attempt_end WHERE cause = 'stall'"), 0);
}

}  // namespace
}  // namespace sortie
