#pragma once

#include "sortie/base/time.h"
#include "sortie/sim/profile.h"
#include "sortie/wire/message.h"

#include <optional>
#include <string>

namespace sortie::sim {

/// A fault of connections that lasts. Instants count from the provider's start.
struct Outage {
  FaultKind kind = FaultKind::connection_refused;
  std::optional<base::Instant> until;  // empty: for ever
};

/// The first of the profile's faults of connections that lasts at `now`.
[[nodiscard]] std::optional<Outage> outage_at(const ProviderProfile& profile, base::Instant now);

/// When outage_at() may say something else next.
[[nodiscard]] std::optional<base::Instant> next_outage_change(const ProviderProfile& profile,
                                                              base::Instant now);

/// What an outage does to who connects.
struct MetOutage {
  base::Duration after{};
  std::optional<wire::Failure> failure;  // empty: it is connected then
};

/// The same for a client with these limits that connects at `now`; nullopt: there is none. `peer`
/// names the provider in messages. Retries of the client's system are taken to come at once when an
/// outage ends.
[[nodiscard]] std::optional<MetOutage> meet_outage(const ProviderProfile& profile,
                                                   base::Instant now,
                                                   const wire::Timeouts& timeouts,
                                                   const std::string& peer);

}  // namespace sortie::sim
