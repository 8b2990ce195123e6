#include "sortie/app/key_memory.h"

#include "sortie/base/time.h"
#include "sortie/engine/shared_limits.h"
#include "sortie/engine/status.h"
#include "sortie/ledger/limit_store.h"
#include "sortie/quota/limit.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/load.h"
#include "sortie/wire/url.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

/// What has limits of its own: a domain, or a route that drains none. With the fingerprints of the
/// keys that use it.
struct LimitedPool {
  std::string name;
  std::set<std::string> keys;
};

std::vector<LimitedPool> pools_of(const spec::Topology& topology, const Secrets& secrets) {
  std::vector<LimitedPool> pools;
  for (const quota::LimitDomain& domain : topology.domains) {
    pools.push_back({.name = domain.name, .keys = {}});
  }
  for (const spec::Route& route : topology.routes) {
    const base::Secret& secret = secrets[route.endpoint][route.key];
    if (secret.empty()) {
      continue;
    }
    const std::string fingerprint = fingerprint_of(topology.endpoints[route.endpoint], secret);
    for (const std::size_t domain : route.domains) {
      pools[domain].keys.insert(fingerprint);
    }
    if (route.domains.empty()) {
      pools.push_back({.name = route.name, .keys = {fingerprint}});
    }
  }
  return pools;
}

/// Does the file whose parts these are declare this key of the merged topology?
bool declares(const spec::MergedPlaces& places, std::size_t endpoint, std::size_t key) {
  const auto found = std::ranges::find(places.endpoints, endpoint);
  if (found == places.endpoints.end()) {
    return false;
  }
  const auto& keys = places.keys[static_cast<std::size_t>(found - places.endpoints.begin())];
  return std::ranges::find(keys, key) != keys.end();
}

quota::Limit limit_of(const ledger::RememberedLimit& known) {
  quota::Limit limit;
  limit.quota = known.value;
  limit.window = base::from_seconds(known.window_seconds);
  limit.cost = quota::token_cost_from(known.cost).value_or(limit.cost);
  limit.kind = known.kind == "tokens"        ? quota::LimitKind::tokens
               : known.kind == "concurrency" ? quota::LimitKind::concurrency
                                             : quota::LimitKind::requests;
  return limit;
}

// Between the routes that share a limit, as the scheduler names them.
constexpr std::string_view kJoint = " + ";
constexpr base::Duration kShareForgotten = std::chrono::hours(24 * 30);
constexpr double kDaySeconds = 86400;

std::vector<std::string> members_of(std::string_view joint) {
  std::vector<std::string> members;
  while (!joint.empty()) {
    const std::size_t end = joint.find(kJoint);
    members.emplace_back(joint.substr(0, end));
    joint = end == std::string_view::npos ? std::string_view() : joint.substr(end + kJoint.size());
  }
  return members;
}

LimitedPool pool_named(std::string_view name, const std::vector<LimitedPool>& pools) {
  const auto pool = std::ranges::find(pools, name, &LimitedPool::name);
  return pool == pools.end() ? LimitedPool() : *pool;
}

/// The keys of all members; none if one of them is not there.
LimitedPool joint_pool(const std::string& name, const std::vector<LimitedPool>& pools) {
  LimitedPool joint{.name = name, .keys = {}};
  for (const std::string& member : members_of(name)) {
    const LimitedPool pool = pool_named(member, pools);
    if (pool.keys.empty()) {
      return {};
    }
    joint.keys.insert(pool.keys.begin(), pool.keys.end());
  }
  return joint;
}

/// A shared limit is its keys', not their names': each of them must have it.
base::Result<bool> holds_for(const ledger::RememberedLimit& shared,
                             const std::vector<LimitedPool>& pools,
                             ledger::LimitStore& store,
                             base::WallTime now) {
  if (!(shared.confidence > 0) || now - shared.at >= kShareForgotten) {
    return false;
  }
  const std::set<std::string> keys = joint_pool(shared.domain, pools).keys;
  TRY_ASSIGN(const auto rows, store.recall(std::vector<std::string>(keys.begin(), keys.end())));
  std::set<std::string> having;
  for (const ledger::RememberedLimit& row : rows) {
    if (row.domain == shared.domain && row.confidence > 0) {
      having.insert(row.fingerprint);
    }
  }
  return !keys.empty() && having == keys;
}

/// Half for each day since the proof.
double trust_after(base::WallTime::duration age) {
  const double days = std::chrono::duration<double>(age).count() / kDaySeconds;
  return std::exp2(-std::max(0.0, days));
}

base::WallTime proved_at(const std::vector<ledger::RememberedLimit>& before,
                         const std::string& domain,
                         base::WallTime now) {
  const auto known = std::ranges::find(before, domain, &ledger::RememberedLimit::domain);
  return known == before.end() ? now : known->at;
}

/// Rows that replace what was remembered of them, and say nothing.
std::vector<ledger::RememberedLimit> refuted_shares(const std::vector<engine::SharedLimit>& shared,
                                                    const std::vector<LimitedPool>& pools,
                                                    base::WallTime now) {
  std::vector<ledger::RememberedLimit> rows;
  for (const engine::SharedLimit& limit : shared) {
    if (!limit.is_over) {
      continue;
    }
    for (const std::string& fingerprint : joint_pool(limit.name, pools).keys) {
      rows.push_back({.fingerprint = fingerprint,
                      .domain = limit.name,
                      .kind = std::string(quota::to_string(quota::LimitKind::requests)),
                      .cost = {},
                      .source = "learned",
                      .at = now});
    }
  }
  return rows;
}

}  // namespace

std::string state_directory() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') {
    return (std::filesystem::path(state) / "sortie").string();
  }
  const char* home = std::getenv("HOME");
  return (std::filesystem::path(home == nullptr ? "/" : home) / ".local/state/sortie").string();
}

std::string fingerprint_of(const spec::Endpoint& endpoint, const base::Secret& secret) {
  const auto url = wire::parse_url(endpoint.base_url);
  if (url.has_value() && wire::is_loopback(url->host)) {
    return base::Secret(url->authority() + "\n" + secret.reveal()).fingerprint();
  }
  return secret.fingerprint();
}

base::Status check_key_names(const CampaignSet& set) {
  struct Named {
    std::size_t endpoint = 0;
    std::size_t key = 0;
  };

  std::map<std::string, Named> first;  // by fingerprint
  for (const spec::MergedPlaces& places : set.places) {
    for (std::size_t i = 0; i < places.endpoints.size(); ++i) {
      const std::size_t e = places.endpoints[i];
      const spec::Endpoint& endpoint = set.topology.endpoints[e];
      for (const std::size_t k : places.keys[i]) {
        if (set.secrets[e][k].empty()) {
          continue;
        }
        const auto [known, is_new] = first.try_emplace(fingerprint_of(endpoint, set.secrets[e][k]),
                                                       Named{.endpoint = e, .key = k});
        const Named& before = known->second;
        if (is_new || declares(places, before.endpoint, before.key)) {
          continue;
        }
        const spec::Endpoint& other = set.topology.endpoints[before.endpoint];
        const spec::Position& here = endpoint.keys[k].secret.where;
        const spec::Position& there = other.keys[before.key].secret.where;
        return base::bad_input(
            fmt::format("{}:{}:{}: {}/{} is the key that {}:{}:{} calls {}/{}; under two names its "
                        "limits would count twice: call endpoint and key alike in both files",
                        here.file,
                        here.line,
                        here.column,
                        endpoint.name,
                        endpoint.keys[k].name,
                        there.file,
                        there.line,
                        there.column,
                        other.name,
                        other.keys[before.key].name));
      }
    }
  }
  return {};
}

base::Result<std::vector<ledger::FileLock>> lock_keys(const spec::Topology& topology,
                                                      const Secrets& secrets,
                                                      const std::string& run,
                                                      base::WallTime now) {
  const std::string directory = state_directory();
  std::vector<ledger::FileLock> locks;
  std::set<std::string> taken;  // a key may stand under two aliases
  for (std::size_t e = 0; e < topology.endpoints.size(); ++e) {
    const spec::Endpoint& endpoint = topology.endpoints[e];
    for (std::size_t k = 0; k < endpoint.keys.size(); ++k) {
      if (secrets[e][k].empty() || !taken.insert(fingerprint_of(endpoint, secrets[e][k])).second) {
        continue;
      }
      auto lock = ledger::lock_key(directory,
                                   fingerprint_of(endpoint, secrets[e][k]),
                                   fmt::format("{}/{}", endpoint.name, endpoint.keys[k].name),
                                   run,
                                   now);
      if (!lock.has_value()) {
        base::Error error = std::move(lock).error();
        if (error.code == base::ErrorCode::locked) {
          error.message +=
              "; two runs that do not know of each other exceed its limits. Run both in one "
              "process "
              "that shares them (stop that one, then: sortie run A B), wait for it, or give each a "
              "part of the limits and use --share-key";
        }
        return std::unexpected(std::move(error));
      }
      locks.push_back(std::move(*lock));
    }
  }
  return locks;
}

base::Status remember_limits(const spec::Topology& topology,
                             const Secrets& secrets,
                             const KnownAtEnd& known,
                             base::WallTime now) {
  const std::vector<LimitedPool> pools = pools_of(topology, secrets);
  TRY_ASSIGN(const auto before, recall_limits(topology, secrets, now));
  std::vector<ledger::RememberedLimit> limits;
  for (const engine::LimitUse& use : known.in_force) {
    const auto shared = std::ranges::find(known.shared, use.domain, &engine::SharedLimit::name);
    const bool is_shared = shared != known.shared.end();
    const LimitedPool pool =
        is_shared ? joint_pool(use.domain, pools) : pool_named(use.domain, pools);
    if (!use.learned || (is_shared && shared->is_over)) {
      continue;
    }
    for (const std::string& fingerprint : pool.keys) {
      limits.push_back(
          {.fingerprint = fingerprint,
           .domain = use.domain,
           .kind = std::string(quota::to_string(use.limit.kind)),
           .cost = use.limit.kind == quota::LimitKind::tokens
                       ? std::string(quota::to_string(use.limit.cost))
                       : std::string(),
           .source = "learned",
           .value = use.limit.quota,
           .window_seconds = base::seconds(use.limit.window),
           .confidence = is_shared ? 1 : use.confidence,
           .at = is_shared && shared->is_remembered ? proved_at(before, use.domain, now) : now});
    }
  }
  const std::vector<ledger::RememberedLimit> refuted = refuted_shares(known.shared, pools, now);
  limits.insert(limits.end(), refuted.begin(), refuted.end());
  if (limits.empty()) {
    return {};
  }
  TRY_ASSIGN(ledger::LimitStore store, ledger::LimitStore::open(state_directory()));
  return store.remember(limits);
}

base::Result<std::vector<ledger::RememberedLimit>> recall_limits(const spec::Topology& topology,
                                                                 const Secrets& secrets,
                                                                 base::WallTime now) {
  std::vector<ledger::RememberedLimit> result;
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(state_directory()) / "limits.db", error)) {
    return result;
  }
  TRY_ASSIGN(ledger::LimitStore store, ledger::LimitStore::open(state_directory()));
  const std::vector<LimitedPool> pools = pools_of(topology, secrets);
  std::set<std::pair<std::string, std::string>> seen;  // domain and kind
  for (const LimitedPool& pool : pools) {
    TRY_ASSIGN(const auto known,
               store.recall(std::vector<std::string>(pool.keys.begin(), pool.keys.end())));
    for (const ledger::RememberedLimit& limit : known) {
      const bool is_shared = limit.domain.find(kJoint) != std::string::npos;
      bool is_meant = limit.domain == pool.name;
      if (is_shared) {
        TRY_ASSIGN(is_meant, holds_for(limit, pools, store, now));
      }
      if (!is_meant) {
        continue;
      }
      if (seen.emplace(limit.domain, limit.kind).second) {
        result.push_back(limit);
        result.back().confidence *= is_shared ? trust_after(now - limit.at) : 1;
      }
    }
  }
  return result;
}

std::vector<RememberedShare> shared_among(const std::vector<ledger::RememberedLimit>& remembered,
                                          const spec::Topology& topology) {
  std::vector<RememberedShare> result;
  for (const ledger::RememberedLimit& known : remembered) {
    if (known.domain.find(kJoint) == std::string::npos) {
      continue;
    }
    const engine::LimitUse use{
        .domain = known.domain, .limit = limit_of(known), .closed_for = {}, .learned = true};
    const sched::SharedPool shared{
        .name = known.domain, .members = members_of(known.domain), .since = {}};
    result.push_back(
        {.limit = engine::describe(shared, topology, std::span(&use, 1)), .at = known.at});
  }
  return result;
}

std::vector<quota::PoolMemory> memory_of(const std::vector<ledger::RememberedLimit>& remembered) {
  std::vector<quota::PoolMemory> memory;
  for (const ledger::RememberedLimit& known : remembered) {
    const quota::Limit limit = limit_of(known);
    const bool is_rate = limit.kind != quota::LimitKind::concurrency;
    quota::LearnedLimit learned{
        .kind = limit.kind,
        .value = is_rate ? limit.quota / base::seconds(limit.window) : limit.quota,
        .cost = limit.cost,
        .confidence = known.confidence};
    auto pool = std::ranges::find(memory, known.domain, &quota::PoolMemory::pool);
    if (pool == memory.end()) {
      pool = memory.insert(memory.end(), {.pool = known.domain, .limits = {}});
    }
    pool->limits.push_back(learned);
  }
  return memory;
}

Secrets secrets_at_hand(const spec::Topology& topology) {
  Secrets secrets;
  for (const spec::Endpoint& endpoint : topology.endpoints) {
    secrets.emplace_back(endpoint.keys.size());
    for (std::size_t k = 0; k < endpoint.keys.size(); ++k) {
      const spec::SecretRef& reference = endpoint.keys[k].secret;
      if (reference.kind != spec::SecretRef::Kind::env &&
          reference.kind != spec::SecretRef::Kind::file) {
        continue;
      }
      if (auto secret = spec::resolve_secret(reference, topology.file)) {
        secrets.back()[k] = std::move(*secret);
      }
    }
  }
  return secrets;
}

std::size_t add_remembered(const std::vector<ledger::RememberedLimit>& remembered,
                           spec::Topology& topology) {
  std::size_t added = 0;
  for (const ledger::RememberedLimit& known : remembered) {
    const quota::Limit limit = limit_of(known);
    auto domain = std::ranges::find(topology.domains, known.domain, &quota::LimitDomain::name);
    if (domain == topology.domains.end()) {
      const std::vector<std::string> members = members_of(known.domain);
      bool is_used = false;
      for (spec::Route& route : topology.routes) {
        if (std::ranges::find(members, route.name) != members.end()) {
          route.domains.push_back(topology.domains.size());
          is_used = true;
        }
      }
      if (!is_used) {
        continue;
      }
      topology.domains.push_back({.name = known.domain, .limits = {}});
      domain = topology.domains.end() - 1;
    }
    const bool declared = std::ranges::any_of(
        domain->limits, [&](const quota::Limit& other) { return other.kind == limit.kind; });
    if (!declared) {
      domain->limits.push_back(limit);
      ++added;
    }
  }
  return added;
}

}  // namespace sortie::app
