#include "sortie/quota/rate_learner.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/quota/learning_law.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace sortie::quota {

namespace {

constexpr double kMinute = 60;
constexpr double kFirstRequests = 5;  // in the minute before a first refusal, which tell a rate
constexpr double kMeanWeight = 0.05;  // of a new request in the mean cost

}  // namespace

void RateLearner::set_rate(base::Instant now, double rate) {
  gcra_.set_pace(now, {.rate = rate, .burst = 1});
}

/// The same, from an empty bucket: what was sent ahead of the pace is forgiven.
void RateLearner::restart(base::Instant now, double rate) {
  gcra_ = Gcra({.rate = rate, .burst = 1});
  gcra_.sync(now, 0);
}

void RateLearner::start_ramp(base::Instant now, double rate, std::optional<double> ceiling) {
  phase_ = Phase::ramp;
  is_held_ = false;
  ceiling_ = ceiling;
  checked_ = checked_before_ = {.at = now, .total = clean_total()};
  restart(now, rate);
}

void RateLearner::start_at(base::Instant now, double rate, double share) {
  if (phase_ == Phase::watching) {
    checked_.at = std::max(now, checked_.at);
    checked_.total = clean_total();
  }
  phase_ = Phase::steady;
  is_held_ = false;
  limit_ = rate;
  progress_ = -std::cbrt((1 - share) / law_.curvature);
  restart(now, curve());
}

void RateLearner::stop() {
  phase_ = Phase::watching;
  is_held_ = false;
  limit_ = 0;
  gcra_ = Gcra({.rate = 0, .burst = 1});
}

void RateLearner::hold(base::Instant now, double rate) {
  CHECK(phase_ == Phase::steady && rate > 0);
  is_held_ = true;
  set_rate(now, rate);
}

/// One more episode that found the limit where it was.
void RateLearner::agree() {
  patience_ = std::min(law_.patience_max, patience_ * law_.patience_growth);
  confidence_ += (1 - confidence_) / 2;
}

void RateLearner::confirm(base::Instant now) {
  CHECK(phase_ == Phase::steady);
  agree();
  requests_at_blame_ = requests_;
  start_at(now, limit_, 1 - (1 - law_.cut) / std::sqrt(std::max(1.0, patience_)));
}

void RateLearner::let_go(base::Instant now) {
  if (is_held_) {
    is_held_ = false;
    set_rate(now, curve());
  }
}

double RateLearner::load() const {
  return checked_rate_ >= law_.busy_share * pace() ? pace() : checked_rate_;
}

RateLearner::SinceEpisode RateLearner::since_episode(base::Instant now) const {
  if (!episode_at_) {
    return {};
  }
  return {.seconds = base::seconds(now - episode_.at), .units = clean_total() - episode_.total};
}

double RateLearner::curve() const {
  return limit_ * (1 + law_.curvature * progress_ * progress_ * progress_);
}

base::Instant RateLearner::earliest(base::Instant now, double units) const {
  if (phase_ == Phase::watching) {
    return now;
  }
  return now + gcra_.wait(now, units).value_or(base::Duration::zero());
}

RateLearner::Ticket RateLearner::reserve(base::Instant now, double units) {
  check(now);
  const Ticket ticket{.at = now, .units = units, .total_before = sent_total_};
  gcra_.reserve(now, units);
  sent_at_ = now;
  sent_total_ += units;
  minute_.add(now, now, units);
  mean_units_ += (mean_units_ > 0 ? kMeanWeight : 1) * (units - mean_units_);
  age_counts(now);
  sent_late_ += 1;
  requests_ += 1;
  return ticket;
}

void RateLearner::settle(base::Instant now, const Ticket& ticket, double used) {
  gcra_.settle(now, ticket.units, used);
  sent_total_ += used - ticket.units;
  minute_.add(now, ticket.at, used - ticket.units);
}

base::Duration RateLearner::check_interval() const {
  const base::Duration step = phase_ == Phase::steady ? law_.check_every : law_.ramp_step;
  const double rate = pace();
  return rate > 0 ? std::max(step, base::from_seconds(law_.check_requests * mean_units_ / rate))
                  : step;
}

/// Closes an interval of the busy check when it is over. While only watching, what comes first, or
/// after a minute of silence, is measured anew: how long nobody asked tells nothing of what a
/// server lets through.
void RateLearner::check(base::Instant now) {
  const bool is_silent = !sent_at_ || base::seconds(now - *sent_at_) > kMinute;
  if (phase_ == Phase::watching && is_silent) {
    checked_ = checked_before_ = {.at = now, .total = clean_total()};
    checked_rate_ = 0;
    return;
  }
  if (now - checked_.at < check_interval()) {
    return;
  }
  const double elapsed = base::seconds(now - checked_.at);
  checked_rate_ = std::max(0.0, clean_total() - checked_.total) / elapsed;
  const bool is_busy = phase_ == Phase::watching || checked_rate_ >= law_.busy_share * pace();
  checked_before_ = checked_;
  checked_ = {.at = now, .total = clean_total()};
  if (is_busy && is_probing_ && !is_held_ && now >= frozen_until_) {
    grow(now, elapsed);
  }
}

double RateLearner::time_constant() const {
  const double requests_seconds = law_.recovery_requests * mean_units_ / std::max(1e-9, limit_);
  return std::max({base::seconds(law_.recovery_min),
                   requests_seconds,
                   law_.recovery_waits * wait_seconds_}) *
         patience_ * thrift_;
}

void RateLearner::grow(base::Instant now, double elapsed_seconds) {
  if (phase_ == Phase::ramp) {
    const double next = std::max(pace(), checked_rate_) * ramp_growth_;
    if (ceiling_ && next >= *ceiling_) {
      start_at(now, *ceiling_, 1);
    } else {
      restart(now, next);
    }
  } else if (phase_ == Phase::steady) {
    if (episode_at_ && now - *episode_at_ > law_.forgiven_after) {
      thrift_ = 1;
    }
    progress_ += elapsed_seconds / time_constant();
    has_recovered_ = has_recovered_ || progress_ >= 0;
    if (curve() > (1 + law_.agreement) * limit_) {
      patience_ = law_.patience_min;  // it is another limit, however often the old one was found
    }
    const double most = pace() * std::pow(law_.minute_growth_max, elapsed_seconds / kMinute);
    if (progress_ > 0 && curve() > most) {
      progress_ = std::cbrt((most / limit_ - 1) / law_.curvature);
    }
    set_rate(now, curve());
  }
}

double RateLearner::Delivered::reading() const {
  if (is_long_wait) {
    return last_minute;
  }
  return since_episode.value_or(std::max(last_step, ramp));
}

RateLearner::Delivered RateLearner::delivered_before(base::Instant now,
                                                     const Ticket& ticket,
                                                     base::Duration wait) const {
  Delivered result{.since_episode = std::nullopt,
                   .last_minute = delivered(now),
                   .last_step = checked_rate_,
                   .ramp = pace(),
                   .requests = 0,
                   .is_trusted = false,
                   .is_long_wait = wait >= law_.long_wait};
  if (const double ramped = base::seconds(ticket.at - checked_before_.at); ramped > 0) {
    const double units = ticket.total_before - refused_total_ - checked_before_.total;
    result.ramp = std::max(result.ramp, units / ramped);
  }
  const double seconds = base::seconds(ticket.at - episode_.at);
  const double units = ticket.total_before - refused_total_ - episode_.total;
  const double requests = mean_units_ > 0 ? units / mean_units_ : 0;
  if (episode_at_ && seconds > 0 && requests >= law_.check_requests) {
    result.requests = requests;
    result.since_episode = seconds < kMinute ? units / seconds : result.last_minute;
    const double open_seconds = base::seconds(ticket.at - opened_at_);
    result.is_trusted = seconds >= kMinute ? is_minute_enough(result.last_minute)
                                           : requests >= law_.trusted_requests &&
                                                 open_seconds >= law_.trusted_open * seconds;
  }
  return result;
}

std::optional<RateLearner::Delivered> RateLearner::refused(base::Instant now,
                                                           const Ticket& ticket,
                                                           base::Instant resume) {
  const base::Duration wait = std::max(base::Duration::zero(), resume - now);
  minute_.add(now, ticket.at, -ticket.units);
  const Delivered delivered = delivered_before(now, ticket, wait);
  const Mark here{.at = ticket.at, .total = ticket.total_before - refused_total_};
  refused_total_ += ticket.units;
  requests_ -= 1;
  count_refusal(now);
  checked_ = {.at = now + wait, .total = clean_total()};
  if (episode_at_ && ticket.at < *episode_at_) {
    return std::nullopt;
  }
  episode_ = here;
  episodes_ += 1;
  episode_at_ = now;
  opened_at_ = now + wait;
  wait_seconds_ = base::seconds(wait);
  return delivered;
}

void RateLearner::excused(base::Instant now, const Ticket& ticket) {
  minute_.add(now, ticket.at, -ticket.units);
  refused_total_ += ticket.units;
  requests_ -= 1;
  // It used the pace all the same.
  checked_.total -= ticket.units;
  checked_before_.total -= ticket.units;
}

/// So many requests went through in a minute that it tells a rate.
bool RateLearner::is_minute_enough(double per_second) const {
  return kMinute * per_second >= law_.trusted_requests * mean_units_;
}

/// Per second.
double RateLearner::ramp_begin() const {
  return law_.first_rate * mean_units_;
}

/// The same where nothing was known until now.
double RateLearner::found_first(const Delivered& delivered) const {
  if (delivered.is_long_wait) {
    return delivered.last_minute > 0 ? delivered.last_minute : ramp_begin();
  }
  const double rate = std::max(delivered.last_step, delivered.ramp);
  if (declared_ > 0) {
    return std::max(rate, law_.cut_max * declared_);
  }
  // What so few requests found is no slower than a ramp begins: below, a rate takes long to mend.
  const bool is_measured = kMinute * delivered.last_minute >= kFirstRequests * mean_units_;
  return is_measured ? rate : std::max(rate, ramp_begin());
}

/// Of a pace above the believed limit: the limit, or what was delivered of late, if that was more.
/// A window of more than a minute may have had room for that only once.
double RateLearner::passed(const Delivered& delivered) const {
  if (delivered.is_long_wait) {
    return limit_;
  }
  const double lately = delivered.is_trusted
                            ? std::max(delivered.since_episode.value_or(0), delivered.last_minute)
                            : delivered.last_minute;
  return std::clamp(lately, std::min(limit_, pace()), pace());
}

/// What the limit must be, given what was delivered until it refused.
double RateLearner::found(const Delivered& delivered) const {
  if (phase_ == Phase::watching) {
    return found_first(delivered);
  }
  if (phase_ == Phase::ramp) {
    // About what was sent when it was refused; that may be far more than a long window allows.
    const double rate =
        delivered.is_long_wait ? std::min(delivered.last_minute, delivered.ramp) : delivered.ramp;
    return rate > 0 ? rate : ramp_begin();  // nothing was answered that could tell one
  }
  if (progress_ >= 0) {
    // Between what passed and what did not.
    return std::sqrt(passed(delivered) * pace());
  }
  // Below what was believed: so it is what was delivered, the more so the longer that was measured.
  const double lately = std::max(delivered.since_episode.value_or(pace()), delivered.last_minute);
  const double floor = law_.cut_max * pace();
  if (lately < floor && delivered.is_trusted) {
    return lately;
  }
  // A bucket filled up while it was closed, a window forgot: the one lets through what was
  // delivered in all the time, the other what was sent while it was open. A window that is still
  // full of what was sent faster refuses however slow we are, and lets through what it did.
  return std::clamp(std::sqrt(lately * pace()), floor, std::max(pace(), std::min(limit_, lately)));
}

/// Counts the episodes that cuts did not put further apart.
bool RateLearner::is_in_vain() {
  const double clean = requests_ - std::exchange(requests_at_blame_, requests_);
  if (phase_ != Phase::steady || clean >= law_.vain_requests) {
    vain_ = 0;
    return false;
  }
  if (vain_ == 0) {
    rate_before_vain_ = limit_;
  }
  vain_ = std::min(vain_ + 1, law_.vain_episodes);
  return vain_ == law_.vain_episodes && limit_ <= law_.vain_share * rate_before_vain_;
}

void RateLearner::blame(base::Instant now, const Delivered& delivered) {
  if (is_in_vain()) {
    start_at(now, rate_before_vain_, 1);
    return;
  }
  const double rate = found(delivered);
  const bool was_known = phase_ == Phase::steady;
  const double change = was_known ? std::abs(std::log(rate / limit_)) : 1;
  if (change <= law_.agreement) {
    agree();
  } else if (change > 3 * law_.agreement) {
    patience_ = law_.patience_min;
    confidence_ = law_.first_confidence;
  }
  if (has_recovered_ && refused_late_ > law_.refusals_max * sent_late_ && refused_late_ > 2) {
    thrift_ = std::min(law_.thrift_max, thrift_ * law_.patience_growth);
  }
  start_at(now, rate, 1 - (1 - law_.cut) / std::sqrt(std::max(1.0, patience_)));
}

void RateLearner::too_fast(base::Instant now) {
  if (now < frozen_until_) {
    return;
  }
  frozen_until_ = now + law_.ramp_freeze;
  ramp_growth_ = 1 + (ramp_growth_ - 1) / 2;
  if (phase_ == Phase::ramp) {
    set_rate(now, law_.ramp_cut * pace());
  } else if (phase_ == Phase::steady) {
    const double share = std::min(1.0, law_.ramp_cut * pace() / limit_);
    progress_ = -std::cbrt((1 - share) / law_.curvature);
    set_rate(now, curve());
  }
}

void RateLearner::age_counts(base::Instant now) {
  const double seconds = base::seconds(now - counted_at_);
  const double kept = std::exp(-seconds / base::seconds(law_.refusals_over));
  sent_late_ *= kept;
  refused_late_ *= kept;
  counted_at_ = now;
}

void RateLearner::count_refusal(base::Instant now) {
  age_counts(now);
  refused_late_ += 1;
}

std::optional<double> RateLearner::limit() const {
  return phase_ == Phase::steady ? std::optional(limit_) : std::nullopt;
}

}  // namespace sortie::quota
