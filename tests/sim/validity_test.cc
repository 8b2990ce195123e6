#include "sortie/analysis/summary.h"
#include "sortie/engine/engine.h"
#include "sortie/ledger/reader.h"
#include "sortie/spec/load.h"

#include "e2e/campaign_world.h"
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Numbers that stay true when the provider is not: throttling, losses, substituted models, and
// answers that are no answers. Whole campaigns in virtual time.

namespace sortie {
namespace {

constexpr std::string_view kCampaign =
    "version: 1\nname: test\nsuite: pilot/1\nseed: 7\nmodels: [acme-7b]\n"
    "scenarios: [baseline, reliability]\ninstances: 4\n";

constexpr std::string_view kModels =
    "version: 1\nmodels:\n  acme-7b: {size_b: 7}\n  acme-72b: {size_b: 72}\nendpoints:\n";

std::string endpoint(std::string_view name, int port, std::string_view route) {
  return fmt::format(
      "  {0}:\n    dialect: openai\n    base_url: http://127.0.0.1:{1}/v1\n    simulated: true\n"
      "    keys: {{key-1: \"env:UNUSED\"}}\n    routes: [{2}]\n",
      name,
      port,
      route);
}

/// A provider of one model; `model` holds its fields beside the latency.
std::string provider(int port, std::string_view model, std::string_view faults) {
  return fmt::format(
      "  p{0}:\n    listen: 127.0.0.1:{0}\n    keys: {{key-1: {{key: key-1}}}}\n"
      "    models:\n      acme-7b: {{{1}, ttft_ms: {{median: 200, sigma: 0.3}}}}\n{2}",
      port,
      model,
      faults);
}

World world_of(std::string_view faults, std::string_view model = "skill: 0.8") {
  return {std::string(kModels) + endpoint("a", 1001, "acme-7b"),
          std::string(kCampaign),
          "version: 1\nseed: 3\nproviders:\n" + provider(1001, model, faults)};
}

TEST(Validity, a_profile_with_88_percent_throttled_requests_gets_the_same_table) {
  World calm = world_of("");
  calm.run();
  World throttled =
      world_of("    faults:\n      - {kind: rate_limited, probability: 0.88, retry_after: 50ms}\n");
  const auto outcome = throttled.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  const std::int64_t attempts = throttled.count("SELECT count(*) FROM attempt_end");
  const std::int64_t refused =
      throttled.count("SELECT count(*) FROM attempt_end WHERE cause = 'throttle'");
  fmt::print("throttled: {} of {} requests\n", refused, attempts);
  EXPECT_GE(100 * refused, 85 * attempts);
  EXPECT_EQ(throttled.table(), calm.table());
  EXPECT_EQ(throttled.count("SELECT count(*) FROM outcome WHERE outcome <> 'scored'"), 0);
  throttled.expect_sound();
}

TEST(Validity, a_72b_cannot_be_sent_for_a_7b) {
  for (const char* route :
       {"{model: acme-7b, api_name: acme-72b}", "{model: acme-7b, api_name: other-72b-instruct}"}) {
    const auto topology =
        spec::parse_endpoints(std::string(kModels) + endpoint("a", 1001, route), "endpoints.yaml");
    ASSERT_FALSE(topology.has_value()) << route;
    EXPECT_TRUE(topology.error().message.starts_with("endpoints.yaml:11:"))
        << topology.error().message;
    EXPECT_NE(topology.error().message.find("' for 'acme-7b'"), std::string::npos);
  }
}

TEST(Validity, a_7b_that_answers_as_a_72b_is_taken_out_and_never_scored) {
  World calm = world_of("");
  calm.run();
  World world = {
      std::string(kModels) + endpoint("a", 1001, "acme-7b") + endpoint("b", 1002, "acme-7b"),
      std::string(kCampaign),
      "version: 1\nseed: 3\nproviders:\n" +
          provider(1001, "skill: perfect, served_as: acme-72b", "") +
          provider(1002, "skill: 0.8", "")};
  const auto outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_GE(world.count("SELECT count(*) FROM attempt_end WHERE cause = 'wrong_model'"), 1);
  EXPECT_EQ(world.count("SELECT count(*) FROM turn WHERE served_model <> 'acme-7b'"), 0);
  EXPECT_EQ(world.count("SELECT count(*) FROM event WHERE kind = 'route_disabled'"), 1);
  EXPECT_EQ(world.table(), calm.table());
  World alone = world_of("", "skill: perfect, served_as: acme-72b");
  EXPECT_EQ(alone.run().end, engine::RunEnd::with_losses);
  EXPECT_EQ(alone.count("SELECT count(*) FROM score"), 0);
  EXPECT_EQ(alone.count("SELECT count(*) FROM turn"), 0);
}

analysis::Summary summary_of(World& world) {
  return analysis::summarize(*world.reader()).value();
}

TEST(Validity, the_bounds_of_a_campaign_that_loses_long_dialogues_hold_the_undisturbed_rate) {
  const std::string_view skill = "skill: 0.5";
  World calm = world_of("", skill);
  calm.run();
  World lossy = world_of("    faults:\n      - {kind: http_500, probability: 0.85}\n", skill);
  EXPECT_EQ(lossy.run().end, engine::RunEnd::with_losses);
  const analysis::Summary truth = summary_of(calm);
  const analysis::Summary seen = summary_of(lossy);
  ASSERT_EQ(seen.cells.size(), truth.cells.size());
  std::uint64_t lost = 0;
  for (std::size_t i = 0; i < seen.cells.size(); ++i) {
    const analysis::CellSummary& cell = seen.cells[i];
    ASSERT_EQ(cell.factors.id, truth.cells[i].factors.id);
    lost += cell.lost_total();
    const stats::Interval bounds = analysis::loss_bounds(cell.tally, cell.lost_total());
    const double undisturbed = truth.cells[i].tally.success_rate();
    fmt::print("lost {} of {}: {:.3f} in [{:.3f}, {:.3f}], seen {:.3f}\n",
               cell.lost_total(),
               cell.planned,
               undisturbed,
               bounds.low,
               bounds.high,
               cell.tally.success_rate());
    EXPECT_LE(bounds.low, undisturbed);
    EXPECT_GE(bounds.high, undisturbed);
    EXPECT_EQ(cell.tally.scored + cell.lost_total(), cell.planned);
  }
  EXPECT_GE(lost, 5U);
  // Losses are not neutral: the dialogues that are lost are the longer ones.
  const double all = static_cast<double>(calm.count("SELECT sum(turns) FROM score")) /
                     static_cast<double>(calm.count("SELECT count(*) FROM score"));
  const double kept = static_cast<double>(lossy.count("SELECT sum(turns) FROM score")) /
                      static_cast<double>(lossy.count("SELECT count(*) FROM score"));
  EXPECT_LT(kept, all);
  lossy.expect_sound();
}

TEST(Validity, answers_that_are_none_are_turns_with_a_flag_and_are_never_asked_again) {
  const std::string_view faults =
      "    faults:\n      - {kind: empty_answer, probability: 0.05}\n"
      "      - {kind: refusal, probability: 0.04}\n"
      "      - {kind: truncated_answer, probability: 0.04}\n"
      "      - {kind: content_filter, probability: 0.02}\n"
      "      - {kind: context_full, probability: 0.02}\n";
  World world = world_of(faults);
  const auto outcome = world.run();
  EXPECT_EQ(outcome.end, engine::RunEnd::complete) << outcome.message;
  EXPECT_EQ(world.count("SELECT count(*) FROM score"), 80);
  EXPECT_EQ(world.count("SELECT count(*) FROM attempt"), world.count("SELECT count(*) FROM turn"));
  for (const char* flag : {"empty", "refused", "truncated", "filtered", "context_full"}) {
    EXPECT_GE(world.count(fmt::format("SELECT sum({}) FROM score", flag)), 2) << flag;
  }
  EXPECT_EQ(world.count("SELECT count(*) FROM outcome WHERE outcome <> 'scored'"), 0);
  for (const char* end : {"filtered", "context_full"}) {
    EXPECT_EQ(world.count(fmt::format("SELECT sum({}) FROM score", end)),
              world.count(fmt::format("SELECT count(*) FROM outcome WHERE end_reason = '{}'", end)))
        << end;
  }
  // The same answers whatever the order of the requests.
  World one = world_of(faults);
  engine::EngineOptions options;
  options.scheduling.in_flight_max = 1;
  one.run(options);
  EXPECT_EQ(one.table(), world.table());
  world.expect_sound();
  world.expect_bill_agrees();
}

}  // namespace
}  // namespace sortie
