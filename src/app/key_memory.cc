#include "sortie/app/key_memory.h"

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/wire/url.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

/// Fingerprints of the keys whose routes drain each domain.
std::vector<std::set<std::string>> keys_by_domain(const spec::Topology& topology,
                                                  const Secrets& secrets) {
  std::vector<std::set<std::string>> keys(topology.domains.size());
  for (const spec::Route& route : topology.routes) {
    const base::Secret& secret = secrets[route.endpoint][route.key];
    if (secret.empty()) {
      continue;
    }
    const std::string fingerprint = fingerprint_of(topology.endpoints[route.endpoint], secret);
    for (const std::size_t domain : route.domains) {
      keys[domain].insert(fingerprint);
    }
  }
  return keys;
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
              "; two runs that do not know of each other exceed its limits. Wait for that run, or "
              "give each a part of the limits and use --share-key";
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
                             const engine::RunStatus& status) {
  const std::vector<std::set<std::string>> keys = keys_by_domain(topology, secrets);
  std::vector<ledger::RememberedLimit> limits;
  for (const engine::LimitUse& use : status.limits) {
    const auto domain = std::ranges::find(topology.domains, use.domain, &quota::LimitDomain::name);
    if (!use.learned || domain == topology.domains.end()) {
      continue;
    }
    for (const std::string& fingerprint :
         keys[static_cast<std::size_t>(domain - topology.domains.begin())]) {
      limits.push_back({.fingerprint = fingerprint,
                        .domain = use.domain,
                        .kind = std::string(quota::to_string(use.limit.kind)),
                        .cost = use.limit.kind == quota::LimitKind::tokens
                                    ? std::string(quota::to_string(use.limit.cost))
                                    : std::string(),
                        .source = "learned",
                        .value = use.limit.quota,
                        .window_seconds = base::seconds(use.limit.window),
                        .confidence = use.confidence,
                        .at = status.at});
    }
  }
  if (limits.empty()) {
    return {};
  }
  TRY_ASSIGN(ledger::LimitStore store, ledger::LimitStore::open(state_directory()));
  return store.remember(limits);
}

base::Result<std::vector<ledger::RememberedLimit>> recall_limits(const spec::Topology& topology,
                                                                 const Secrets& secrets) {
  std::vector<ledger::RememberedLimit> result;
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(state_directory()) / "limits.db", error)) {
    return result;
  }
  const std::vector<std::set<std::string>> keys = keys_by_domain(topology, secrets);
  TRY_ASSIGN(ledger::LimitStore store, ledger::LimitStore::open(state_directory()));
  for (std::size_t i = 0; i < topology.domains.size(); ++i) {
    TRY_ASSIGN(const auto known,
               store.recall(std::vector<std::string>(keys[i].begin(), keys[i].end())));
    std::set<std::string> kinds;
    for (const ledger::RememberedLimit& limit : known) {
      if (limit.domain == topology.domains[i].name && kinds.insert(limit.kind).second) {
        result.push_back(limit);
      }
    }
  }
  return result;
}

}  // namespace sortie::app
