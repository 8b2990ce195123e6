#include "sortie/quota/route_admission.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace sortie::quota {

namespace {

/// A server's numbers are about one limit. Where a domain of the route declares that kind, they are
/// about that.
LimitHints of_undeclared(const LimitHints& hints, RouteDomains domains) {
  const auto is_declared = [&](LimitKind kind) {
    return std::ranges::any_of(domains,
                               [&](const DomainLimiter* domain) { return domain->declares(kind); });
  };
  LimitHints result = hints;
  if (is_declared(LimitKind::requests)) {
    result.limit_requests = result.remaining_requests = std::nullopt;
    result.reset_requests = std::nullopt;
  }
  if (is_declared(LimitKind::tokens)) {
    result.limit_tokens = result.remaining_tokens = std::nullopt;
    result.reset_tokens = std::nullopt;
  }
  return result;
}

}  // namespace

base::Instant earliest(base::Instant now, RouteDomains domains, const RequestSize& size) {
  base::Instant at = now;
  for (const DomainLimiter* domain : domains) {
    at = std::max(at, domain->earliest(now, size));
  }
  return at;
}

std::optional<RouteReservation> admit(base::Instant now,
                                      RouteDomains domains,
                                      const RequestSize& size) {
  if (earliest(now, domains, size) > now) {
    return std::nullopt;
  }
  RouteReservation reservation;
  reservation.parts.reserve(domains.size());
  for (DomainLimiter* domain : domains) {
    reservation.parts.push_back(domain->reserve(now, size));
  }
  return reservation;
}

void settle(base::Instant now,
            RouteDomains domains,
            RouteReservation& reservation,
            const RequestSize& used) {
  CHECK(domains.size() == reservation.parts.size());
  for (std::size_t i = 0; i < domains.size(); ++i) {
    domains[i]->settle(now, reservation.parts[i], used);
  }
}

void release(base::Instant now,
             RouteDomains domains,
             RouteReservation& reservation,
             base::Duration grace) {
  CHECK(domains.size() == reservation.parts.size());
  for (std::size_t i = 0; i < domains.size(); ++i) {
    domains[i]->release(now, reservation.parts[i], grace);
  }
}

void cancel(base::Instant now, RouteDomains domains, RouteReservation& reservation) {
  CHECK(domains.size() == reservation.parts.size());
  for (std::size_t i = 0; i < domains.size(); ++i) {
    domains[i]->cancel(now, reservation.parts[i]);
  }
}

void observe(base::Instant now,
             RouteDomains domains,
             const LimitHints& hints,
             const RouteReservation& answered) {
  CHECK(domains.size() == answered.parts.size());
  const LimitHints news = of_undeclared(hints, domains);
  for (std::size_t i = 0; i < domains.size(); ++i) {
    domains[i]->observe(now, news, answered.parts[i]);
  }
}

}  // namespace sortie::quota
