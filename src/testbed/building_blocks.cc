#include "sortie/testbed/building_blocks.h"

#include "sortie/sim/profile.h"
#include "sortie/testbed/scenario.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::testbed {

using sim::Dimension;
using sim::LimitProfile;
using sim::Shape;
using sim::TokenCost;

namespace {

// No request is larger: 24,000 tokens of input, 4,096 of output.
constexpr double kLargestRequest = 32'000;

}  // namespace

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

/// The limit for all keys of one account together.
LimitProfile of_account(LimitProfile limit) {
  limit.per_key = false;
  limit.per_account = true;
  return limit;
}

LimitProfile of_key_and_model(LimitProfile limit) {
  limit.per_model = true;
  return limit;
}

}  // namespace sortie::testbed
