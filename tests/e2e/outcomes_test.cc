#include "sortie/engine/engine.h"

#include "e2e/campaign_world.h"
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

// What a model did is a result, whatever it is: an answer without a word, one that was cut or
// filtered, a refusal, a prompt that is too long. Each is a turn, is scored, and is asked once.

namespace sortie {
namespace {

std::string endpoints(std::string_view dialect, bool stream, bool from_reasoning) {
  const bool has_path = dialect == "openai";
  return fmt::format(R"(version: 1
models:
  sim: {{family: sim, commands_from_reasoning: {}, parameters: {{seed: false}}}}
endpoints:
  pool:
    dialect: {}
    base_url: http://127.0.0.1:18801{}
    simulated: true
    stream: {}
    keys: {{key-1: env:K}}
    routes: [sim]
)",
                     from_reasoning,
                     dialect,
                     has_path ? "/v1" : "",
                     stream);
}

constexpr const char* kCampaign = R"(version: 1
name: test
suite: pilot/1
seed: 7
models: [sim]
scenarios: [baseline]
instances: 2
)";

std::string provider(std::string_view skill, std::string_view faults) {
  return fmt::format(R"(version: 1
seed: 11
providers:
  pool:
    listen: 127.0.0.1:18801
    models:
      sim: {{skill: {}, ttft_ms: 300}}
    keys: {{key-1: {{key: key-1}}}}
    faults: {}
)",
                     skill,
                     faults);
}

struct Kind {
  std::string_view fault;
  std::string_view flag;    // of the score
  std::string_view finish;  // of the turn
};

constexpr Kind kKinds[] = {{"empty_answer", "empty", "stop"},
                           {"truncated_answer", "truncated", "length"},
                           {"content_filter", "filtered", "content_filter"},
                           {"refusal", "refused", ""},
                           {"context_full", "context_full", "context_full"}};

/// Every planned trial is scored, and every turn was asked for exactly once.
void expect_asked_once(World& world, std::int64_t trials) {
  EXPECT_EQ(world.count("SELECT count(*) FROM outcome WHERE outcome = 'scored'"), trials);
  EXPECT_EQ(world.count("SELECT count(*) FROM outcome"), trials);
  EXPECT_EQ(world.count("SELECT count(*) FROM score"), trials);
  EXPECT_EQ(world.count("SELECT count(*) FROM attempt_end WHERE cause <> 'answered'"), 0);
  EXPECT_EQ(world.count("SELECT count(*) FROM attempt"), world.count("SELECT count(*) FROM turn"));
  EXPECT_EQ(world.count("SELECT max(number) FROM attempt"), 0);
  world.expect_sound();
  world.expect_bill_agrees();
}

TEST(Outcomes, whatever_a_model_answers_is_scored_and_asked_once) {
  for (const Kind& kind : kKinds) {
    std::string tables[2];
    for (const bool stream : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", kind.fault, stream ? "streamed" : "plain"));
      World world(endpoints("openai", stream, false),
                  kCampaign,
                  provider("0.9", fmt::format("[{{kind: {}, probability: 0.06}}]", kind.fault)));
      engine::EngineOptions options;
      options.scheduling.in_flight_max = stream ? 1 : 50;
      const auto outcome = world.run(options);
      EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
      expect_asked_once(world, 10);
      EXPECT_GT(world.count(fmt::format("SELECT count(*) FROM score WHERE {}", kind.flag)), 0);
      EXPECT_LT(world.count(fmt::format("SELECT count(*) FROM score WHERE {}", kind.flag)), 10);
      if (!kind.finish.empty()) {
        EXPECT_GT(
            world.count(fmt::format("SELECT count(*) FROM turn WHERE finish = '{}'", kind.finish)),
            0);
      }
      tables[stream ? 1 : 0] = world.table();
    }
    // Nothing was drawn again where it came otherwise, or in another order.
    EXPECT_EQ(tables[0], tables[1]) << kind.fault;
  }
}

TEST(Outcomes, an_answer_of_thoughts_alone_is_recorded_as_such) {
  constexpr std::string_view kThinker =
      "{level: 1, reasoning: {tokens: {median: 60, sigma: 0.3}, place: field, command_inside: 1}}";
  for (const std::string_view dialect : {"openai", "azure_ai", "anthropic", "gemini"}) {
    for (const bool from_reasoning : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", dialect, from_reasoning));
      World world(endpoints(dialect, true, from_reasoning), kCampaign, provider(kThinker, "[]"));
      EXPECT_EQ(world.run().end, engine::RunEnd::complete);
      expect_asked_once(world, 10);
      constexpr const char* kText = "coalesce(message_text(answer) ->> '$.text', '')";
      constexpr const char* kReasoning = "coalesce(message_text(answer) ->> '$.reasoning', '')";
      EXPECT_GT(world.count(fmt::format(
                    "SELECT count(*) FROM turn WHERE {} NOT LIKE '%tool_call%' AND {} <> ''",
                    kText,
                    kReasoning)),
                0);
      // Whether a command among thoughts runs is the campaign's decision, and part of the trial.
      EXPECT_EQ(world.count("SELECT count(*) FROM call") > 0, from_reasoning);
      EXPECT_EQ(world.count("SELECT sum(success) FROM score") > 0, from_reasoning);
    }
  }
}

}  // namespace
}  // namespace sortie
