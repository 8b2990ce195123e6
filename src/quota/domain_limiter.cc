#include "sortie/quota/domain_limiter.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/rate_limiter.h"
#include "sortie/quota/signal.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace sortie::quota {

namespace {

// A hint of more than a year is a mistake of the server; it also keeps sums inside the range of an
// Instant.
constexpr base::Duration kGateMax = std::chrono::hours(24 * 365);

std::size_t slots_of(double quota) {
  // A person may write any number; more slots than sockets exist are no limit at all.
  return static_cast<std::size_t>(std::clamp(std::floor(quota), 0.0, 1e9));
}

LearnedLimit expected(const Limit& limit, double share) {
  const bool is_rate = limit.kind != LimitKind::concurrency;
  return {.kind = limit.kind,
          .value = share * limit.quota / (is_rate ? base::seconds(limit.window) : 1),
          .cost = limit.cost,
          .source = LimitSource::declared,
          .confidence = 0.5};
}

// A window nearer to a day than to a minute (geometrically) is no limit to pace by.
constexpr double kWindowSecondsMax = 2280;

/// Units a second of a limit that headers name. What is used is given back until the reset, so that
/// both tell the window; without them it is a minute. Nullopt: not a limit of minutes.
std::optional<double> stated_rate(double limit,
                                  std::optional<double> remaining,
                                  std::optional<base::Duration> reset) {
  constexpr double kMinute = 60;
  if (remaining && reset && *remaining < limit && *remaining >= 0) {
    const double window = limit * base::seconds(*reset) / (limit - *remaining);
    if (window > kWindowSecondsMax) {
      return std::nullopt;
    }
  }
  return limit / kMinute;
}

}  // namespace

/// How long a server that has nothing left refuses, from when it said so. A reset is the time until
/// all is there again; what comes back evenly (a bucket, a sliding window) has `next` units much
/// earlier. A window that gives everything back at once refuses what comes before, and says until
/// when.
std::optional<base::Duration> DomainLimiter::stated_wait(const Stated& stated, double next) {
  const bool is_over = stated.remaining && *stated.remaining >= 0 && *stated.remaining < 1;
  if (!is_over || !stated.reset) {
    return std::nullopt;
  }
  if (!stated.limit || !(*stated.limit > 0)) {
    return stated.reset;
  }
  return base::from_seconds(base::seconds(*stated.reset) * std::min(1.0, next / *stated.limit));
}

base::Duration gate_wait(base::Duration wait, double uniform) {
  const base::Duration known = std::clamp(wait, base::Duration::zero(), kGateMax);
  return known + base::from_seconds(base::seconds(known) * 0.05 * uniform);
}

DomainLimiter::DomainLimiter(LimitDomain domain, DomainOptions options)
    : options_(options), domain_(std::move(domain)), learner_(options.learning) {
  std::erase_if(domain_.limits, [&](const Limit& limit) {
    if (limit.learn) {
      learner_.expect({}, expected(limit, options.share));
    }
    return limit.learn;
  });
  for (Limit& limit : domain_.limits) {
    limit.quota *= options.share;
    if (limit.kind == LimitKind::concurrency) {
      slots_.emplace_back(slots_of(limit.quota));
    } else {
      rates_.push_back({.limiter = RateLimiter(limit, options.jitter_seconds)});
      learner_.declared(limit);
    }
  }
  declared_ = domain_.limits;
}

/// What the provider settles it may count as more than is expected from the first moment on.
double DomainLimiter::shortfall_of(const Rate& rate, double units) const {
  const Limit& limit = rate.limiter.limit();
  const bool settles = limit.kind == LimitKind::tokens && is_settled(limit.cost);
  return settles ? rate.unsettled.shortfall(units, in_flight_ + 1) : 0;
}

base::Instant DomainLimiter::earliest(base::Instant now, const RequestSize& size) const {
  base::Instant at = learner_.earliest(now, size);
  if (gate_) {
    at = std::max(at, *gate_);
  }
  for (const Rate& rate : rates_) {
    if (rate.in_force) {
      const double units = cost_of(rate.limiter.limit(), size);
      at = std::max(at, rate.limiter.earliest(now, units, shortfall_of(rate, units)));
    }
  }
  for (const ConcurrencyCounter& slots : slots_) {
    at = std::max(at, slots.earliest(now));
  }
  return at;
}

Reservation DomainLimiter::reserve(base::Instant now, const RequestSize& size) {
  CHECK(!gate_ || *gate_ <= now);
  Reservation reservation{.at = now, .units = {}, .learned = learner_.reserve(now, size)};
  reservation.units.reserve(rates_.size());
  for (Rate& rate : rates_) {
    const double units = rate.in_force ? cost_of(rate.limiter.limit(), size) : -1;
    if (rate.in_force) {
      rate.limiter.reserve(now, units, shortfall_of(rate, units));
    }
    reservation.units.push_back(units);
  }
  for (ConcurrencyCounter& slots : slots_) {
    slots.acquire(now);
  }
  ++in_flight_;
  return reservation;
}

void DomainLimiter::settle(base::Instant now, Reservation& reservation, const RequestSize& used) {
  if (std::exchange(reservation.settled, true)) {
    return;
  }
  learner_.settle(now, reservation.learned, used);
  // Limits that came later were not asked.
  for (std::size_t i = 0; i < reservation.units.size(); ++i) {
    RateLimiter& rate = rates_[i].limiter;
    const Limit& limit = rate.limit();
    const bool was_asked = reservation.units[i] >= 0;
    if (was_asked && limit.kind == LimitKind::tokens && is_settled(limit.cost)) {
      const double cost = cost_of(limit, used);
      rate.settle(now, reservation.at, reservation.units[i], cost);
      rates_[i].unsettled.settled(base::seconds(now - reservation.at), reservation.units[i], cost);
    }
  }
}

void DomainLimiter::release(base::Instant now, Reservation& reservation, base::Duration grace) {
  if (std::exchange(reservation.released, true)) {
    return;
  }
  CHECK(in_flight_ > 0);
  --in_flight_;
  const base::Duration hold = std::clamp(grace, base::Duration::zero(), kGateMax);
  learner_.release(now, now + hold);
  for (ConcurrencyCounter& slots : slots_) {
    slots.release_at(now, now + hold);
  }
}

void DomainLimiter::cancel(base::Instant now, Reservation& reservation) {
  if (reservation.settled || reservation.released) {
    return;
  }
  reservation.settled = true;
  for (std::size_t i = 0; i < reservation.units.size(); ++i) {
    if (reservation.units[i] >= 0) {
      rates_[i].limiter.settle(now, reservation.at, reservation.units[i], 0);
    }
  }
  learner_.cancel(now, reservation.learned);
  release(now, reservation);
}

base::Instant DomainLimiter::later(base::Instant now, base::Duration wait) {
  return now + std::clamp(wait, base::Duration::zero(), kGateMax);
}

void DomainLimiter::gate(base::Instant until) {
  gate_ = gate_ ? std::max(*gate_, until) : until;
}

bool DomainLimiter::declares(LimitKind kind) const {
  return std::ranges::any_of(domain_.limits,
                             [&](const Limit& limit) { return limit.kind == kind; });
}

void DomainLimiter::learn_stated(base::Instant now, LimitKind kind, const Stated& stated) {
  if (!stated.limit || !(*stated.limit > 0)) {
    return;
  }
  if (const auto rate = stated_rate(*stated.limit, stated.remaining, stated.reset)) {
    learner_.told(now, kind, *rate);
  }
}

void DomainLimiter::observe_kind(base::Instant now,
                                 LimitKind kind,
                                 const Stated& stated,
                                 const Reservation& answered) {
  if (declares(kind)) {
    return;
  }
  learn_stated(now, kind, stated);
  const double next = kind == LimitKind::tokens ? learner_.tokens().mean_units() : 1;
  if (const auto wait = stated_wait(stated, next)) {
    const base::Instant until = later(answered.at, *wait);
    if (until > now) {
      gate(until);
    }
  }
}

void DomainLimiter::observe(base::Instant now,
                            const LimitHints& hints,
                            const Reservation& answered) {
  observe_kind(now,
               LimitKind::requests,
               {.limit = hints.limit_requests,
                .remaining = hints.remaining_requests,
                .reset = hints.reset_requests},
               answered);
  observe_kind(now,
               LimitKind::tokens,
               {.limit = hints.limit_tokens,
                .remaining = hints.remaining_tokens,
                .reset = hints.reset_tokens},
               answered);
}

void DomainLimiter::add_learned(base::Instant now, DomainStatus& status) const {
  constexpr double kMinute = 60;
  for (const LearnedLimit& learned : learner_.limits()) {
    LimitStatus shown{.limit = {.kind = learned.kind,
                                .quota = learned.value,
                                .cost = learned.cost,
                                .learn = true},
                      .used = 0,
                      .allowed = learned.value,
                      .pace = {},
                      .source = learned.source,
                      .confidence = learned.confidence};
    if (learned.kind == LimitKind::concurrency) {
      shown.used = static_cast<double>(learner_.window().in_flight(now));
    } else {
      const RateLearner& rate =
          learned.kind == LimitKind::requests ? learner_.requests() : learner_.tokens();
      shown.limit.quota = kMinute * learned.value;
      shown.used = kMinute * rate.delivered(now);
      shown.allowed = kMinute * rate.pace();
      shown.pace = {.rate = rate.pace(), .burst = 1};
    }
    status.limits.push_back(shown);
  }
}

DomainStatus DomainLimiter::status(base::Instant now) const {
  DomainStatus status{.name = domain_.name, .in_flight = in_flight_, .gate = {}, .limits = {}};
  if (gate_ && *gate_ > now) {
    status.gate = gate_;
  }
  auto rate = rates_.begin();
  auto slots = slots_.begin();
  for (const Limit& limit : domain_.limits) {
    if (limit.kind == LimitKind::concurrency) {
      status.limits.push_back({.limit = limit,
                               .used = static_cast<double>(slots->in_flight(now)),
                               .allowed = static_cast<double>(slots->slots()),
                               .pace = {}});
      ++slots;
    } else {
      rate = std::find_if(rate, rates_.end(), [](const Rate& one) { return one.in_force; });
      const RateLimiter& limiter = rate->limiter;
      status.limits.push_back({.limit = limit,
                               .used = limiter.used_in_window(now),
                               .allowed = limiter.pace().rate * base::seconds(limit.window),
                               .pace = limiter.pace()});
      ++rate;
    }
  }
  add_learned(now, status);
  status.refused_by_chance = learner_.chance().share();
  return status;
}

// --- A person's limits ---

void DomainLimiter::set_override(const Limit& limit, base::Instant now) {
  lift_override(limit.kind, now);
  overrides_.push_back(limit);
  if (limit.kind == LimitKind::concurrency) {
    if (slots_.empty()) {
      slots_.emplace_back(0, in_flight_);
    }
    for (ConcurrencyCounter& slots : slots_) {
      slots.set_slots(slots_of(limit.quota));
    }
  } else {
    put_in_force(limit.kind, false, now);
    rates_.push_back({.limiter = RateLimiter(limit, options_.jitter_seconds), .is_override = true});
    rates_.back().limiter.sync(now, 0);
  }
  list_limits();
}

void DomainLimiter::lift_override(LimitKind kind, base::Instant now) {
  const auto is_meant = [&](const Limit& limit) { return limit.kind == kind; };
  if (std::erase_if(overrides_, is_meant) == 0) {
    return;
  }
  if (kind == LimitKind::concurrency) {
    auto declared = std::find_if(declared_.begin(), declared_.end(), is_meant);
    for (ConcurrencyCounter& slots : slots_) {
      // Without a declared limit, a counter without one.
      const double quota =
          declared == declared_.end() ? std::numeric_limits<double>::infinity() : declared->quota;
      slots.set_slots(slots_of(quota));
      if (declared != declared_.end()) {
        declared = std::find_if(declared + 1, declared_.end(), is_meant);
      }
    }
  } else {
    put_in_force(kind, true, now);
  }
  list_limits();
}

/// The declared rate limits of that kind; its overrides are over in any case.
void DomainLimiter::put_in_force(LimitKind kind, bool in_force, base::Instant now) {
  for (Rate& rate : rates_) {
    if (rate.limiter.limit().kind != kind) {
      continue;
    }
    rate.in_force = in_force && !rate.is_override;
    if (rate.in_force) {
      rate.limiter.sync(now, 0);
    }
  }
}

/// In the order of the limiters: declared ones, then overrides.
void DomainLimiter::list_limits() {
  const auto is_replaced = [&](const Limit& limit) {
    return std::any_of(overrides_.begin(), overrides_.end(), [&](const Limit& other) {
      return other.kind == limit.kind;
    });
  };
  domain_.limits.clear();
  for (const Limit& limit : declared_) {
    if (!is_replaced(limit)) {
      domain_.limits.push_back(limit);
    }
  }
  domain_.limits.insert(domain_.limits.end(), overrides_.begin(), overrides_.end());
}

}  // namespace sortie::quota
