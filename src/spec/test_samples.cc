#include "sortie/spec/test_samples.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::spec::samples {

namespace {

constexpr int kEligible = 24;

std::string task_text(suite::TaskType type, int number) {
  json::Object texts;
  for (const suite::Difficulty difficulty : suite::kDifficulties) {
    texts[suite::to_string(difficulty)] =
        fmt::format("task {} {}", suite::to_string(difficulty), number);
  }
  const auto parsed = json::parse(fmt::format(R"([
    {{"tool": "file_operations_reader", "arguments": {{"path": "data/file_{}.csv"}}, "reason": "r"}},
    {{"tool": "data_processing_parser", "arguments": {{"source": {{"$step": 0}}, "format": "csv"}}, "reason": "r"}},
    {{"tool": "data_processing_aggregator", "arguments": {{"source": {{"$step": 1}}, "group_by": "region",
      "function": "sum", "field": "amount"}}, "reason": "r"}},
    {{"tool": "computation_analyzer", "arguments": {{"source": {{"$step": 2}}, "focus": "trend"}}, "reason": "r"}}])",
                                              number));
  CHECK(parsed.has_value());
  const auto order = json::parse("[[0, 1], [1, 2], [2, 3]]");
  const auto goal = json::parse(fmt::format(R"([
    {{"tool": "file_operations_reader", "values": {{"path": "data/file_{}.csv"}}, "inputs": []}},
    {{"tool": "data_processing_parser", "values": {{"format": "csv"}}, "inputs": [0]}},
    {{"tool": "data_processing_aggregator", "values": {{"group_by": "region", "function": "sum", "field": "amount"}},
      "inputs": [1]}},
    {{"tool": "computation_analyzer", "values": {{"focus": "trend"}}, "inputs": [2]}}])",
                                            number));
  CHECK(order.has_value() && goal.has_value());
  return json::to_text(json::Object{{"id", fmt::format("{}-{:03}", suite::to_string(type), number)},
                                    {"type", suite::to_string(type)},
                                    {"texts", texts},
                                    {"plan", *parsed},
                                    {"order", *order},
                                    {"goal", *goal},
                                    {"eligible", number != kEligible}});
}

}  // namespace

suite::Suite suite_of_samples() {
  suite::Suite suite("pilot/1", suite::ToolCatalog::pilot());
  for (const suite::TaskType type : suite::kTaskTypes) {
    std::string tasks;
    for (int number = 0; number <= kEligible; ++number) {
      tasks += (number == 0 ? "" : ",") + task_text(type, number);
    }
    const auto added =
        suite.add_tasks("samples", fmt::format(R"({{"suite": "pilot/1", "tasks": [{}]}})", tasks));
    CHECK(added.has_value());
  }
  return suite;
}

std::string_view endpoints_text() {
  return R"(version: 1
models:
  sim-large: {family: sim, size_b: 72}
  sim-small: {family: sim, size_b: 3}
  sim-closed: {family: closed}
endpoints:
  alpha:
    dialect: openai
    base_url: http://127.0.0.1:18801/v1
    simulated: true
    keys: {key-1: env:KEY_1, key-2: env:KEY_2}
    routes: [sim-large, sim-small, sim-closed]
)";
}

Topology topology() {
  auto topology = parse_endpoints(endpoints_text(), "e.yaml");
  CHECK(topology.has_value());
  return std::move(*topology);
}

std::string endpoints_error(std::string_view text) {
  const auto topology = parse_endpoints(text, "e.yaml");
  return topology ? "" : topology.error().message;
}

std::string campaign_error(std::string_view text) {
  const auto campaign = parse_campaign(text, "c.yaml", suite_of_samples(), topology());
  return campaign ? "" : campaign.error().message;
}

}  // namespace sortie::spec::samples
