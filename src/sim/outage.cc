#include "sortie/sim/outage.h"

#include "sortie/base/time.h"
#include "sortie/sim/profile.h"
#include "sortie/wire/message.h"
#include "sortie/wire/patience.h"

#include <optional>
#include <string>
#include <utility>

namespace sortie::sim {

namespace {

using base::Duration;
using base::Instant;

// A century is as good as for ever.
constexpr double kForeverSeconds = 3.0e9;

MetOutage failing(std::string message) {
  return {.after = {}, .failure = wire::Failure{wire::FailureKind::connect, std::move(message)}};
}

/// Nothing happens until it ends or a limit passes.
MetOutage waiting(const Outage& outage,
                  Instant now,
                  const wire::Timeouts& timeouts,
                  const std::string& peer) {
  wire::Patience patience(timeouts, now);
  patience.connecting(now);
  const auto limit = patience.next_limit();
  if (limit && (!outage.until || *limit < *outage.until)) {
    return {.after = *limit - now, .failure = patience.passed(*limit, peer)};
  }
  return {.after = outage.until ? *outage.until - now : base::from_seconds(kForeverSeconds),
          .failure = {}};
}

}  // namespace

std::optional<Outage> outage_at(const ProviderProfile& profile, Instant now) {
  for (const FaultProfile& fault : profile.faults) {
    if (is_connection_fault(fault.kind) && Instant(fault.from) <= now &&
        (!fault.until || now < Instant(*fault.until))) {
      return Outage{.kind = fault.kind,
                    .until = fault.until ? std::optional(Instant(*fault.until)) : std::nullopt};
    }
  }
  return std::nullopt;
}

std::optional<Instant> next_outage_change(const ProviderProfile& profile, Instant now) {
  std::optional<Instant> next;
  const auto consider = [&](Duration at) {
    const Instant instant(at);
    if (instant > now && (!next || instant < *next)) {
      next = instant;
    }
  };
  for (const FaultProfile& fault : profile.faults) {
    if (is_connection_fault(fault.kind)) {
      consider(fault.from);
      if (fault.until) {
        consider(*fault.until);
      }
    }
  }
  return next;
}

std::optional<MetOutage> meet_outage(const ProviderProfile& profile,
                                     Instant now,
                                     const wire::Timeouts& timeouts,
                                     const std::string& peer) {
  const auto outage = outage_at(profile, now);
  if (!outage) {
    return std::nullopt;
  }
  switch (outage->kind) {
    case FaultKind::unresolved_name:
      return failing("could not resolve host: " + peer);
    case FaultKind::black_hole:
    case FaultKind::slow_handshake:
      return waiting(*outage, now, timeouts, peer);
    default:
      return failing("nobody listens at " + peer);
  }
}

}  // namespace sortie::sim
