#include "sortie/spec/limits.h"

#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

enum class Per : std::uint8_t { endpoint, account, key, model, route };

constexpr std::array<std::string_view, 5> kPerNames = {
    "endpoint", "account", "key", "model", "route"};

std::string_view to_string(Per per) {
  return kPerNames[static_cast<std::size_t>(per)];
}

/// One item of `limits:`.
struct Rule {
  Mark mark;
  std::set<Per> per;
  std::vector<quota::Limit> limits;
  std::set<std::string> models;  // empty: all
  std::set<std::string> keys;
};

struct Window {
  std::string_view name;
  base::Duration length;
};

constexpr std::array kWindows = {Window{"second", std::chrono::seconds(1)},
                                 Window{"minute", std::chrono::minutes(1)},
                                 Window{"hour", std::chrono::hours(1)},
                                 Window{"day", std::chrono::hours(24)}};
constexpr std::size_t kLimitsMax = 200;
constexpr double kQuotaMax = 1e15;
constexpr std::int64_t kConcurrencyMax = 1'000'000;

std::set<Per> read_per(const Node* node, Problems& problems) {
  std::set<Per> per;
  if (node == nullptr) {
    return per;
  }
  for (const Name& name : read_names(*node, "per", problems)) {
    const auto* const found = std::ranges::find(kPerNames, name.text);
    if (found == kPerNames.end()) {
      report_unknown(
          "per", name, std::vector<std::string>(kPerNames.begin(), kPerNames.end()), problems);
    } else {
      per.insert(static_cast<Per>(found - kPerNames.begin()));
    }
  }
  return per;
}

/// Appends the limits of one kind, "requests" or "tokens". Returns whether there was any.
bool read_rates(Mapping& mapping, quota::LimitKind kind, std::vector<quota::Limit>& limits) {
  bool any = false;
  for (const Window& window : kWindows) {
    const std::string key = fmt::format("{}_per_{}", quota::to_string(kind), window.name);
    const bool present = mapping.get(key) != nullptr;
    const auto quota = mapping.number(key, {.min = 0, .max = kQuotaMax, .above_min = true});
    any = any || present;
    if (quota) {
      limits.push_back({.kind = kind, .quota = *quota, .window = window.length});
    }
  }
  return any;
}

void read_enforced_over(Mapping& mapping, std::vector<quota::Limit>& limits, Problems& problems) {
  const std::optional<base::Duration> enforced_over = mapping.duration("enforced_over");
  if (!enforced_over) {
    return;
  }
  const Mark mark = mapping.mark_of("enforced_over");
  bool any = false;
  for (quota::Limit& limit : limits) {
    if (limit.kind == quota::LimitKind::concurrency) {
      continue;
    }
    any = true;
    limit.enforced_over = *enforced_over;
    if (*enforced_over > limit.window) {
      problems.add(mark,
                   fmt::format("enforced_over: {} is longer than the limit's own time of {}",
                               base::human(*enforced_over),
                               base::human(limit.window)));
    }
  }
  if (!any) {
    problems.add(mark, "enforced_over: needs a limit of requests or tokens beside it");
  }
}

/// Of one limit, since requests and tokens have buckets of different sizes.
void read_bucket(Mapping& mapping, std::vector<quota::Limit>& limits, Problems& problems) {
  const bool is_there = mapping.get("bucket") != nullptr;
  const auto bucket = mapping.number("bucket", {.min = 1, .max = kQuotaMax});
  if (!is_there) {
    return;
  }
  const Mark mark = mapping.mark_of("bucket");
  std::vector<quota::Limit*> rates;
  for (quota::Limit& limit : limits) {
    if (limit.kind != quota::LimitKind::concurrency) {
      rates.push_back(&limit);
    }
  }
  if (rates.size() != 1) {
    problems.add(mark, "bucket: needs exactly one limit of requests or tokens beside it");
    return;
  }
  if (rates[0]->enforced_over > base::Duration::zero()) {
    problems.add(mark,
                 "bucket: what a token bucket lets through in a shorter time is what it holds; "
                 "leave out either bucket or enforced_over");
  }
  rates[0]->bucket = bucket.value_or(0);
}

void read_token_cost(Mapping& mapping,
                     bool has_tokens,
                     std::vector<quota::Limit>& limits,
                     Problems& problems) {
  const Node* node = mapping.get("token_cost");
  if (node == nullptr) {
    return;
  }
  if (!has_tokens) {
    problems.add(mapping.mark_of("token_cost"), "token_cost: needs a limit of tokens beside it");
  }
  const std::optional<std::string> name = read_text(*node, "token_cost", problems);
  if (!name) {
    return;
  }
  const std::optional<quota::TokenCost> cost = quota::token_cost_from(*name);
  if (!cost) {
    const std::vector<std::string> known = {
        "input", "output", "input_plus_output", "input_plus_max", "max_of_max_and_input"};
    report_unknown("token_cost", {.text = *name, .mark = node->mark}, known, problems);
    return;
  }
  for (quota::Limit& limit : limits) {
    limit.cost = limit.kind == quota::LimitKind::tokens ? *cost : limit.cost;
  }
}

std::set<std::string> read_filter(const Node* node,
                                  std::string_view label,
                                  const std::vector<std::string>& known,
                                  Problems& problems) {
  std::set<std::string> filter;
  if (node == nullptr) {
    return filter;
  }
  for (Name& name : read_names(*node, label, problems)) {
    if (std::ranges::find(known, name.text) == known.end()) {
      report_unknown(label == "models" ? "model" : "key", name, known, problems);
    } else {
      filter.insert(std::move(name.text));
    }
  }
  return filter;
}

Rule read_rule(const Node& node,
               const Endpoint& endpoint,
               const Topology& topology,
               Problems& problems) {
  Rule rule;
  rule.mark = node.mark;
  Mapping mapping(node, "limit", problems);
  rule.per = read_per(mapping.require("per"), problems);
  const bool has_requests = read_rates(mapping, quota::LimitKind::requests, rule.limits);
  const bool has_tokens = read_rates(mapping, quota::LimitKind::tokens, rule.limits);
  const bool has_concurrency = mapping.get("concurrency") != nullptr;
  if (const auto concurrency = mapping.integer("concurrency", 1, kConcurrencyMax)) {
    rule.limits.push_back(
        {.kind = quota::LimitKind::concurrency, .quota = static_cast<double>(*concurrency)});
  }
  if (node.kind == Node::Kind::mapping && !has_requests && !has_tokens && !has_concurrency) {
    problems.add(
        node.mark,
        "limit: says no limit; expected requests_per_minute, tokens_per_minute, concurrency, …");
  }
  read_enforced_over(mapping, rule.limits, problems);
  read_bucket(mapping, rule.limits, problems);
  read_token_cost(mapping, has_tokens, rule.limits, problems);
  if (mapping.boolean("learn").value_or(false)) {
    for (quota::Limit& limit : rule.limits) {
      limit.learn = true;
    }
  }
  std::vector<std::string> models;
  for (const Model& model : topology.models) {
    models.push_back(model.name);
  }
  std::vector<std::string> keys;
  for (const Key& key : endpoint.keys) {
    keys.push_back(key.name);
  }
  rule.models = read_filter(mapping.get("models"), "models", models, problems);
  rule.keys = read_filter(mapping.get("keys"), "keys", keys, problems);
  mapping.finish();
  return rule;
}

/// The domain that a route drains under a rule: what makes it one pool, and what people call it.
struct DomainOf {
  std::string identity;
  std::string name;
};

std::string value_of(Per per,
                     const Route& route,
                     const Endpoint& endpoint,
                     const Topology& topology) {
  const Key& key = endpoint.keys[route.key];
  switch (per) {
    case Per::endpoint:
      return "";
    case Per::account:
      return key.account.empty() ? key.name : key.account;
    case Per::key:
      return key.name;
    case Per::model:
      return topology.models[route.model].name;
    case Per::route:
      return route.name.substr(endpoint.name.size() + 1);
  }
  return "";
}

DomainOf domain_of(const Rule& rule,
                   const Route& route,
                   const Endpoint& endpoint,
                   const Topology& topology) {
  DomainOf domain;
  std::vector<std::string> parts;
  for (const Per per : rule.per) {
    const std::string value = value_of(per, route, endpoint, topology);
    const bool own_account = per == Per::account && endpoint.keys[route.key].account.empty();
    domain.identity += fmt::format("{}{}={}\n", to_string(per), own_account ? " of" : "", value);
    if (per != Per::endpoint) {
      parts.push_back(value);
    }
  }
  // A restriction of what the domain is counted per anyway selects domains but does not make other
  // ones.
  const bool per_model = rule.per.contains(Per::model) || rule.per.contains(Per::route);
  const bool per_key = rule.per.contains(Per::key) || rule.per.contains(Per::route);
  std::vector<std::string> only;
  if (!per_model) {
    only.insert(only.end(), rule.models.begin(), rule.models.end());
  }
  domain.identity += fmt::format("models={}\n", base::join(only, ","));
  const std::size_t models_only = only.size();
  if (!per_key) {
    only.insert(only.end(), rule.keys.begin(), rule.keys.end());
  }
  domain.identity +=
      fmt::format("keys={}\n", base::join(std::span(only).subspan(models_only), ","));
  domain.name = endpoint.name;
  if (!parts.empty()) {
    domain.name += "/" + base::join(parts, "×");
  }
  if (!only.empty()) {
    domain.name += " [" + base::join(only, "+") + "]";
  }
  return domain;
}

/// Names are how people tell domains apart; two kinds of `per` can yield the same one.
std::string unique_name(std::string name, const Rule& rule, const Topology& topology) {
  if (std::ranges::find(topology.domains, name, &quota::LimitDomain::name) ==
      topology.domains.end()) {
    return name;
  }
  std::vector<std::string> per;
  for (const Per item : rule.per) {
    per.emplace_back(to_string(item));
  }
  return fmt::format("{} (per {})", name, base::join(per, ", "));
}

/// Identity of a domain → its position in Topology::domains.
using KnownDomains = std::map<std::string, std::size_t>;

void apply(const Rule& rule,
           std::size_t endpoint,
           KnownDomains& known,
           Topology& topology,
           Problems& problems) {
  const Endpoint& owner = topology.endpoints[endpoint];
  std::set<std::size_t> drained;
  for (Route& route : topology.routes) {
    const bool passes =
        route.endpoint == endpoint &&
        (rule.models.empty() || rule.models.contains(topology.models[route.model].name)) &&
        (rule.keys.empty() || rule.keys.contains(owner.keys[route.key].name));
    if (!passes) {
      continue;
    }
    DomainOf domain = domain_of(rule, route, owner, topology);
    const auto [position, is_new] =
        known.emplace(std::move(domain.identity), topology.domains.size());
    if (is_new) {
      topology.domains.push_back(
          {.name = unique_name(std::move(domain.name), rule, topology), .limits = {}});
    }
    drained.insert(position->second);
    if (std::ranges::find(route.domains, position->second) == route.domains.end()) {
      route.domains.push_back(position->second);
      std::ranges::sort(route.domains);
    }
  }
  if (drained.empty()) {
    problems.add(rule.mark,
                 fmt::format("limit: endpoint '{}' has no route that this limits", owner.name));
  }
  for (const std::size_t position : drained) {
    std::vector<quota::Limit>& limits = topology.domains[position].limits;
    limits.insert(limits.end(), rule.limits.begin(), rule.limits.end());
  }
}

}  // namespace

void read_limits(const Node& node, std::size_t endpoint, Topology& topology, Problems& problems) {
  if (node.kind != Node::Kind::list) {
    problems.add(node.mark, fmt::format("limits: expected a list, found {}", kind_name(node)));
    return;
  }
  if (node.items.size() > kLimitsMax) {
    problems.add(node.mark, fmt::format("limits: more than {} of one endpoint", kLimitsMax));
    return;
  }
  KnownDomains known;
  for (const Node& item : node.items) {
    const bool fine_before = !problems.any();
    const Rule rule = read_rule(item, topology.endpoints[endpoint], topology, problems);
    // With problems before, "has no route" would often be only their consequence.
    if (fine_before && !problems.any()) {
      apply(rule, endpoint, known, topology, problems);
    }
  }
}

}  // namespace sortie::spec
