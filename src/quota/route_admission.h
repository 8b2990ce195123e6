#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/domain_limiter.h"

#include <optional>
#include <span>
#include <vector>

// Admission on a route, which drains several limit domains at once: all of them or none, and nobody
// holds a part while waiting for the rest. The domains of a route are distinct; the span is the
// same in every call for one reservation.

namespace sortie::quota {

using RouteDomains = std::span<DomainLimiter* const>;

struct RouteReservation {
  std::vector<Reservation> parts;  // in the order of the route's domains
};

/// The first instant ≥ now at which every domain admits the request; kUntilFreed while that depends
/// on a release.
[[nodiscard]] base::Instant earliest(base::Instant now,
                                     RouteDomains domains,
                                     const RequestSize& size);

/// Reserves in every domain if all admit the request at `now`; otherwise nothing is changed.
[[nodiscard]] std::optional<RouteReservation> admit(base::Instant now,
                                                    RouteDomains domains,
                                                    const RequestSize& size);

/// The same calls as of DomainLimiter, on every part.
void settle(base::Instant now,
            RouteDomains domains,
            RouteReservation& reservation,
            const RequestSize& used);
void release(base::Instant now,
             RouteDomains domains,
             RouteReservation& reservation,
             base::Duration grace = {});
void cancel(base::Instant now, RouteDomains domains, RouteReservation& reservation);

/// The same; kinds of limits that one of the domains declares are no news to the others either.
void observe(base::Instant now,
             RouteDomains domains,
             const LimitHints& hints,
             const RouteReservation& answered);

}  // namespace sortie::quota
