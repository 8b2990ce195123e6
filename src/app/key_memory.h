#pragma once

#include "sortie/app/campaign_setup.h"
#include "sortie/base/error.h"
#include "sortie/base/secret.h"
#include "sortie/engine/status.h"
#include "sortie/ledger/limit_store.h"
#include "sortie/ledger/lock.h"
#include "sortie/quota/learner.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <string>
#include <vector>

// What is kept per key outside of runs: who uses it now, and what was learned of its limits.

namespace sortie::app {

/// [endpoint][key]; an empty secret: none.
using Secrets = std::vector<std::vector<base::Secret>>;

/// $XDG_STATE_HOME/sortie, or ~/.local/state/sortie.
[[nodiscard]] std::string state_directory();

/// Names a key wherever it is used. On this machine a key is a placeholder ("none", "EMPTY") that
/// many servers share: there the server's address belongs to it.
[[nodiscard]] std::string fingerprint_of(const spec::Endpoint& endpoint,
                                         const base::Secret& secret);

/// Refuses a key that stands under two names in different files of the set: each name has limits of
/// its own, so they would count twice. Error: both places.
[[nodiscard]] base::Status check_key_names(const CampaignSet& set);

/// Takes the lock of every key. Errors: locked, with who holds it and what to do.
[[nodiscard]] base::Result<std::vector<ledger::FileLock>> lock_keys(const spec::Topology& topology,
                                                                    const Secrets& secrets,
                                                                    const std::string& run,
                                                                    base::WallTime now);

/// What a run knows of limits when it ends.
struct KnownAtEnd {
  std::vector<engine::LimitUse> in_force;
  std::vector<engine::SharedLimit> shared;
};

/// Writes the learned ones of these limits, each under the keys that drain its domain; one that
/// keys turned out to share under each of them. When a shared one was proved stays as it is until a
/// run proves it again; one that was refuted is forgotten.
[[nodiscard]] base::Status remember_limits(const spec::Topology& topology,
                                           const Secrets& secrets,
                                           const KnownAtEnd& known,
                                           base::WallTime now);

/// Newest first; one per domain of `topology` and kind. Limits that keys share, named by their
/// routes with " + " between them, are among them while all their keys are still the same: for a
/// month, and with half the confidence for each day since they were proved, so that the scheduler
/// tries them again.
[[nodiscard]] base::Result<std::vector<ledger::RememberedLimit>> recall_limits(
    const spec::Topology& topology, const Secrets& secrets, base::WallTime now);

/// Those of them that keys share, in the words of the endpoints file, and when each was proved.
struct RememberedShare {
  engine::SharedLimit limit;
  base::WallTime at;
};

[[nodiscard]] std::vector<RememberedShare> shared_among(
    const std::vector<ledger::RememberedLimit>& remembered, const spec::Topology& topology);

/// As the scheduler takes them.
[[nodiscard]] std::vector<quota::PoolMemory> memory_of(
    const std::vector<ledger::RememberedLimit>& remembered);

/// The secrets that can be had without running a command: for a plan, which runs nothing. What
/// cannot be read stays empty.
[[nodiscard]] Secrets secrets_at_hand(const spec::Topology& topology);

/// Puts them where nothing of their kind is declared; a route without a domain gets one, and routes
/// that share a limit one together. How many were put.
std::size_t add_remembered(const std::vector<ledger::RememberedLimit>& remembered,
                           spec::Topology& topology);

}  // namespace sortie::app
