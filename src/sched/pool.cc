#include "sortie/sched/pool.h"

#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/domain_limiter.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

namespace sortie::sched {

namespace {

constexpr base::Duration kSlotPatience = std::chrono::milliseconds(200);
constexpr base::Duration kExhaustedWithoutHint = std::chrono::hours(1);
// The window grows by one after this many good answers, and ten times itself: at most one refusal
// in a hundred.
constexpr std::size_t kGrowthAnswersMin = 100;
constexpr std::size_t kGrowthPerSlot = 10;

/// What a server asks for is a hint only if it is a wait.
std::optional<base::Duration> hint_in(const std::optional<base::Duration>& wait) {
  return wait && *wait > base::Duration::zero() ? wait : std::nullopt;
}

/// Of the tightest limit of requests that is paced one by one.
base::Duration spacing_of(const quota::DomainLimiter& limiter) {
  base::Duration spacing{};
  for (const quota::LimitStatus& limit : limiter.status(base::Instant()).limits) {
    const bool one_by_one = limit.limit.kind == quota::LimitKind::requests && limit.pace.burst < 2;
    if (one_by_one && limit.pace.rate > 0) {
      spacing = std::max(spacing, base::from_seconds(1 / limit.pace.rate));
    }
  }
  return spacing;
}

}  // namespace

Pool::Pool(quota::LimitDomain domain, quota::DomainOptions options)
    : limiter_(std::move(domain), options),
      departure_(spacing_of(limiter_)),
      backoff_({.law = Backoff::Law::doubling, .first_seconds = 1, .seconds_max = 60}) {}

base::Instant Pool::earliest(base::Instant now, const quota::RequestSize& size) const {
  if (window_ && limiter_.in_flight() >= *window_) {
    return quota::kUntilFreed;
  }
  return limiter_.earliest(now, size);
}

bool Pool::depends_on_size() const {
  const auto& limits = limiter_.domain().limits;
  return std::any_of(limits.begin(), limits.end(), [](const quota::Limit& limit) {
    return limit.kind == quota::LimitKind::tokens;
  });
}

void Pool::refused(base::Instant sent,
                   base::Instant now,
                   std::optional<base::Duration> wait,
                   double uniform) {
  if (const auto hint = hint_in(wait)) {
    close(now + quota::gate_wait(*hint, uniform));
  } else if (const auto own = backoff_.next(sent, now, uniform)) {
    close(now + *own);
  }
}

void Pool::crowded(base::Instant sent,
                   base::Instant now,
                   std::optional<base::Duration> wait,
                   double uniform) {
  const std::size_t now_in_flight = limiter_.in_flight();
  window_ = std::max<std::size_t>(1, std::min(now_in_flight, window_.value_or(now_in_flight)));
  successes_ = 0;
  if (hint_in(wait) || now_in_flight == 0) {
    refused(sent, now, wait, uniform);
  } else {
    close(now + kSlotPatience);
  }
}

void Pool::exhausted(base::Instant now, std::optional<base::Duration> wait, double uniform) {
  close(now + quota::gate_wait(hint_in(wait).value_or(kExhaustedWithoutHint), uniform));
  exhausted_until_ = closed_until_;
}

void Pool::close(base::Instant until) {
  closed_until_ = std::max(closed_until_, until);
  limiter_.gate(until);
}

void Pool::set_limit(const quota::Limit& limit, base::Instant now) {
  limiter_.set_override(limit, now);
  departure_.set_spacing(spacing_of(limiter_));
}

void Pool::lift_limit(quota::LimitKind kind, base::Instant now) {
  limiter_.lift_override(kind, now);
  departure_.set_spacing(spacing_of(limiter_));
}

void Pool::succeeded(base::Instant sent) {
  backoff_.succeeded(sent);
  if (!window_) {
    return;
  }
  successes_ += 1;
  if (successes_ >= std::max(kGrowthAnswersMin, kGrowthPerSlot * *window_)) {
    *window_ += 1;
    successes_ = 0;
  }
}

}  // namespace sortie::sched
