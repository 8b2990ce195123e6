#include "sortie/engine/shared_limits.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sortie::engine {

namespace {

/// The members' keys and models; a pool that nothing is declared about is named like its route.
struct Parts {
  std::size_t endpoint = 0;
  std::set<std::size_t> keys;
  std::set<std::string> models;
};

Parts parts_of(const sched::SharedPool& shared, const spec::Topology& topology) {
  Parts parts;
  for (const spec::Route& route : topology.routes) {
    if (std::ranges::find(shared.members, route.name) != shared.members.end()) {
      parts.endpoint = route.endpoint;
      parts.keys.insert(route.key);
      parts.models.insert(topology.models[route.model].name);
    }
  }
  return parts;
}

std::vector<std::string> key_names(const Parts& parts, const spec::Endpoint& endpoint) {
  std::vector<std::string> names;
  for (const std::size_t key : parts.keys) {
    names.push_back(endpoint.keys[key].name);
  }
  return names;
}

bool have_one_account(const Parts& parts, const spec::Endpoint& endpoint) {
  const std::string& account = endpoint.keys[*parts.keys.begin()].account;
  return !account.empty() && std::ranges::all_of(parts.keys, [&](std::size_t key) {
    return endpoint.keys[key].account == account;
  });
}

std::string account_of(const Parts& parts, const spec::Endpoint& endpoint) {
  for (const std::size_t key : parts.keys) {
    if (!endpoint.keys[key].account.empty()) {
      return endpoint.keys[key].account;
    }
  }
  return endpoint.name + "-shared";
}

/// ", requests_per_minute: 600": what was learned, or a place to write it.
std::string limit_text(const sched::SharedPool& shared, std::span<const LimitUse> limits) {
  const auto found = std::ranges::find_if(limits, [&](const LimitUse& use) {
    return use.domain == shared.name && use.limit.kind != quota::LimitKind::concurrency;
  });
  if (found == limits.end()) {
    return "requests_per_minute: …";
  }
  const double a_minute = found->limit.quota * base::seconds(std::chrono::minutes(1)) /
                          base::seconds(found->limit.window);
  std::string text =
      fmt::format("{}_per_minute: {}", quota::to_string(found->limit.kind), std::llround(a_minute));
  if (found->limit.kind == quota::LimitKind::tokens) {
    text += fmt::format(", token_cost: {}", quota::to_string(found->limit.cost));
  }
  return text + ", learn: true";
}

}  // namespace

SharedLimit describe(const sched::SharedPool& shared,
                     const spec::Topology& topology,
                     std::span<const LimitUse> limits) {
  SharedLimit result;
  result.name = shared.name;
  result.members = shared.members;
  result.is_over = shared.is_over;
  result.is_remembered = shared.since == base::Instant();
  const Parts parts = parts_of(shared, topology);
  if (parts.keys.empty()) {
    return result;
  }
  const spec::Endpoint& endpoint = topology.endpoints[parts.endpoint];
  const std::vector<std::string> keys = key_names(parts, endpoint);
  const std::vector<std::string> models(parts.models.begin(), parts.models.end());
  const bool are_keys = keys.size() > 1;
  result.subject = fmt::format(
      "{} of {}{}",
      base::join(are_keys ? keys : models, are_keys || models.size() > 1 ? " and " : ""),
      endpoint.name,
      are_keys ? "" : fmt::format("/{}", keys.front()));
  if (are_keys && !have_one_account(parts, endpoint)) {
    result.declaration.emplace_back("keys:");
    for (const std::string& key : keys) {
      result.declaration.push_back(
          fmt::format("  {}: {{secret: …, account: {}}}", key, account_of(parts, endpoint)));
    }
  }
  result.declaration.emplace_back("limits:");
  result.declaration.push_back(fmt::format("  - {{per: [{}], {}, models: [{}], keys: [{}]}}",
                                           are_keys ? "account" : "key",
                                           limit_text(shared, limits),
                                           fmt::join(models, ", "),
                                           fmt::join(keys, ", ")));
  return result;
}

}  // namespace sortie::engine
