#include "sortie/sched/pool.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/learning_law.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/rate_learner.h"
#include "sortie/quota/signal.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

namespace sortie::sched {

namespace {

constexpr base::Duration kSlotPatience = std::chrono::milliseconds(200);
constexpr base::Duration kExhaustedWithoutHint = std::chrono::hours(1);

/// What a server asks for is a hint only if it is a wait.
std::optional<base::Duration> hint_in(const std::optional<base::Duration>& wait) {
  return wait && *wait > base::Duration::zero() ? wait : std::nullopt;
}

/// Of the tightest limit of requests that is paced one by one.
base::Duration spacing_of(const quota::DomainLimiter& limiter) {
  base::Duration spacing{};
  for (const quota::LimitStatus& limit : limiter.status(base::Instant()).limits) {
    if (limit.limit.learn) {
      continue;  // its pace changes
    }
    const bool one_by_one = limit.limit.kind == quota::LimitKind::requests && limit.pace.burst < 2;
    if (one_by_one && limit.pace.rate > 0) {
      spacing = std::max(spacing, base::from_seconds(1 / limit.pace.rate));
    }
  }
  return spacing;
}

/// A ramp is only for pools on which nothing is declared.
quota::DomainOptions options_for(const quota::LimitDomain& domain, quota::DomainOptions options) {
  options.learning.begins_with_ramp = options.learning.begins_with_ramp && domain.limits.empty();
  return options;
}

}  // namespace

Pool::Pool(const quota::LimitDomain& domain, quota::DomainOptions options, Kind kind)
    : limiter_(domain, options_for(domain, options)),
      kind_(kind),
      declared_spacing_(spacing_of(limiter_)),
      departure_(declared_spacing_),
      backoff_({.law = Backoff::Law::doubling, .first_seconds = 1, .seconds_max = 60}) {}

base::Instant Pool::earliest(base::Instant now, const quota::RequestSize& size) const {
  return limiter_.earliest(now, size);
}

bool Pool::depends_on_size() const {
  const auto& limits = limiter_.domain().limits;
  return limiter_.learner().depends_on_size() ||
         std::any_of(limits.begin(), limits.end(), [](const quota::Limit& limit) {
           return limit.kind == quota::LimitKind::tokens;
         });
}

void Pool::back_off(base::Instant sent,
                    base::Instant now,
                    std::optional<base::Duration> wait,
                    double uniform) {
  if (const auto hint = hint_in(wait)) {
    close(now + quota::gate_wait(*hint, uniform));
  } else if (const auto own = backoff_.next(sent, now, uniform)) {
    close(now + *own);
  }
}

bool Pool::refused(const quota::Reservation& part,
                   quota::Dimension dimension,
                   base::Instant now,
                   std::optional<base::Duration> wait,
                   double uniform) {
  if (came_by_chance(part, dimension, now, wait)) {
    return false;
  }
  const bool is_long = wait && *wait >= quota::RateLaw{}.long_wait;
  if (kind_ == Kind::own || is_long) {
    back_off(part.at, now, wait, uniform);
  }
  return limiter_.learner().refused(
      now, part.learned, dimension, std::max(now, closed_until_), hint_in(wait).has_value());
}

bool Pool::came_by_chance(const quota::Reservation& part,
                          quota::Dimension dimension,
                          base::Instant now,
                          std::optional<base::Duration> wait) {
  const bool is_bare = dimension == quota::Dimension::unknown && !hint_in(wait);
  return is_bare && limiter_.learner().came_by_chance(now, part.learned);
}

bool Pool::refused_in_trial(const quota::Reservation& part,
                            quota::Dimension dimension,
                            base::Instant now,
                            std::optional<base::Duration> wait,
                            double uniform) {
  if (came_by_chance(part, dimension, now, wait)) {
    return false;
  }
  back_off(part.at, now, wait, uniform);
  return limiter_.learner().refused_in_trial(now, part.learned, std::max(now, closed_until_));
}

void Pool::crowded(const quota::Reservation& part,
                   base::Instant now,
                   std::optional<base::Duration> wait,
                   double uniform) {
  if (hint_in(wait) || limiter_.in_flight() == 0) {
    back_off(part.at, now, wait, uniform);
  } else {
    close(now + kSlotPatience);
  }
  limiter_.learner().refused(now, part.learned, quota::Dimension::concurrency, closed_until_);
}

void Pool::ramped(base::Instant now, base::Duration wait, double uniform) {
  close(now + quota::gate_wait(wait, uniform));
  limiter_.learner().too_fast(now);
}

void Pool::exhausted(base::Instant now, std::optional<base::Duration> wait, double uniform) {
  close(now + quota::gate_wait(hint_in(wait).value_or(kExhaustedWithoutHint), uniform));
  exhausted_until_ = closed_until_;
}

void Pool::close(base::Instant until) {
  closed_until_ = std::max(closed_until_, until);
  limiter_.gate(until);
}

void Pool::give_up() {
  CHECK(is_found());
  limiter_.learner().rest();
  limiter_.open_gate();
  closed_until_ = base::Instant::min();
}

void Pool::set_limit(const quota::Limit& limit, base::Instant now) {
  limiter_.set_override(limit, now);
  declared_spacing_ = spacing_of(limiter_);
}

void Pool::lift_limit(quota::LimitKind kind, base::Instant now) {
  limiter_.lift_override(kind, now);
  declared_spacing_ = spacing_of(limiter_);
}

void Pool::succeeded(base::Instant sent, base::Instant now) {
  backoff_.succeeded(sent);
  limiter_.learner().succeeded(now);
}

bool Pool::is_unknown() const {
  return limiter_.domain().limits.empty() && !limiter_.learner().knows_a_limit();
}

Departure& Pool::departure() {
  // Only a limit that was found spaces departures: a ramp follows the answers.
  const quota::RateLearner& requests = limiter_.learner().requests();
  const bool is_found = requests.phase() == quota::RateLearner::Phase::steady;
  const double pace = is_found ? requests.pace() : 0;
  const base::Duration learned = pace > 0 ? base::from_seconds(1 / pace) : base::Duration::zero();
  departure_.set_spacing(std::max(declared_spacing_, learned));
  return departure_;
}

}  // namespace sortie::sched
