#include "sortie/testbed/scenarios.h"

#include "sortie/sim/profile.h"
#include "sortie/testbed/scenario.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::testbed {

namespace {

using sim::Dimension;
using sim::LimitProfile;
using sim::Shape;
using sim::TokenCost;

constexpr std::array<double, 3> kUnequalRpm = {600, 300, 150};
// No request is larger: 24,000 tokens of input, 4,096 of output.
constexpr double kLargestRequest = 32'000;

std::string key_name(std::size_t number) {
  return fmt::format("key-{}", number + 1);
}

std::vector<KeySpec> keys(std::size_t count) {
  std::vector<KeySpec> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back({.name = key_name(i), .account = {}});
  }
  return result;
}

/// Requests a minute in a bucket that holds one second's.
LimitProfile rpm(double per_minute) {
  LimitProfile limit;
  limit.name = "rpm";
  limit.quota = per_minute;
  limit.shape = Shape::token_bucket;
  limit.burst = std::max(1.0, per_minute / 60);
  return limit;
}

/// Requests a minute, enforced over every second.
LimitProfile rpm_sliding(double per_minute) {
  LimitProfile limit;
  limit.name = "rpm";
  limit.quota = per_minute;
  limit.shape = Shape::sliding;
  limit.enforced_over = std::chrono::seconds(1);
  return limit;
}

/// Tokens a minute in a bucket that holds one second's, or one request of any size.
LimitProfile tpm(double per_minute, TokenCost cost) {
  LimitProfile limit;
  limit.name = "tpm";
  limit.dimension = Dimension::tokens;
  limit.quota = per_minute;
  limit.shape = Shape::token_bucket;
  limit.burst = std::max(kLargestRequest, per_minute / 60);
  limit.cost = cost;
  return limit;
}

LimitProfile slots(double count) {
  LimitProfile limit;
  limit.name = "slots";
  limit.dimension = Dimension::concurrency;
  limit.quota = count;
  return limit;
}

/// The limit for one key alone.
LimitProfile of_key(LimitProfile limit, std::size_t key) {
  limit.name += fmt::format("-{}", key + 1);
  limit.keys = {key_name(key)};
  return limit;
}

/// One model behind as many keys as there are limits, each with its own.
Scenario one_model(std::string name, std::string summary, std::vector<LimitProfile> limits) {
  Scenario scenario;
  scenario.name = std::move(name);
  scenario.summary = std::move(summary);
  scenario.keys = keys(limits.size());
  scenario.models = {{.name = "model", .work = {}, .keys = {}}};
  for (std::size_t key = 0; key < limits.size(); ++key) {
    scenario.limits.push_back(of_key(std::move(limits[key]), key));
  }
  return scenario;
}

std::vector<LimitProfile> unequal_rpm() {
  return {rpm(kUnequalRpm[0]), rpm(kUnequalRpm[1]), rpm(kUnequalRpm[2])};
}

std::vector<LimitProfile> unequal_tpm(double largest, TokenCost cost) {
  return {tpm(largest, cost), tpm(largest / 2, cost), tpm(largest / 4, cost)};
}

/// A, and what goes wrong in a bad hour.
Scenario faults() {
  Scenario scenario = one_model("faults",
                                "A with 0.2 % hung requests, two bursts of 500s and one of three "
                                "keys revoked at 30 %",
                                unequal_rpm());
  scenario.hung = 0.002;
  scenario.incidents = {
      {.kind = IncidentKind::server_errors, .key = {}, .from = 0.15, .until = 0.18, .factor = 1},
      {.kind = IncidentKind::key_revoked, .key = key_name(1), .from = 0.30},
      {.kind = IncidentKind::server_errors, .key = {}, .from = 0.60, .until = 0.65, .factor = 0.5},
  };
  return scenario;
}

std::vector<Scenario> standard() {
  std::vector<Scenario> result;
  result.push_back(one_model(
      "A", "requests a minute, keys 600 : 300 : 150, buckets of one second", unequal_rpm()));
  result.push_back(one_model("B",
                             "tokens a minute as really used, keys 4 : 2 : 1",
                             unequal_tpm(1'200'000, TokenCost::input_output)));
  result.push_back(one_model("C",
                             "tokens a minute counted as prompt + max_tokens, keys 4 : 2 : 1",
                             unequal_tpm(2'400'000, TokenCost::input_and_max_tokens)));
  result.push_back(
      one_model("D", "requests at once, keys 60 : 30 : 15", {slots(60), slots(30), slots(15)}));
  result.push_back(one_model("E", "A with 0.2 % hung requests", unequal_rpm()));
  result.back().hung = 0.002;
  result.push_back(
      one_model("F", "requests a minute, three equal keys of 350", {rpm(350), rpm(350), rpm(350)}));
  result.push_back(one_model(
      "G",
      "A enforced over every sliding second",
      {rpm_sliding(kUnequalRpm[0]), rpm_sliding(kUnequalRpm[1]), rpm_sliding(kUnequalRpm[2])}));
  result.push_back(faults());
  return result;
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = standard();
  return all;
}

const Scenario* find_scenario(std::string_view name) {
  for (const Scenario& scenario : scenarios()) {
    if (scenario.name == name) {
      return &scenario;
    }
  }
  return nullptr;
}

}  // namespace sortie::testbed
