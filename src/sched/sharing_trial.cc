#include "sortie/sched/sharing_trial.h"

#include "sortie/base/time.h"
#include "sortie/quota/rate_learner.h"

#include <algorithm>
#include <cstddef>

namespace sortie::sched {

namespace {

constexpr double kFirstGrowth = 1.5;   // of the limit that the raised one is believed to have
constexpr double kSecondGrowth = 1.3;  // of what the first round let through
constexpr double kGrowthMin = 1.15;    // with less, nothing is shown
constexpr double kSumKept = 0.96;      // of the sum, while it must not be refused
constexpr double kLowest = 0.1;        // of the lowered one's load that it keeps
constexpr double kError = 0.1;         // of the limit as it is believed
constexpr double kRequests = 2;        // that a limit may let through more than its rate says
constexpr double kNewsSeconds = 1;     // until a refusal is heard of
constexpr double kPatience = 4;        // times as long as a step should take, and
constexpr double kPatienceSeconds = 10;
constexpr double kRoom = 0.5;  // of the raise that others may have made room for
constexpr int kRounds = 2;

}  // namespace

SharingTrial::SharingTrial(const Member& raised,
                           const Member& lowered,
                           std::vector<const quota::RateLearner*> others,
                           base::Instant now)
    : raised_(raised),
      lowered_(lowered),
      base_(raised.rate->limit().value_or(0)),
      load_(lowered.rate->load()),
      total_(base_ + load_) {
  for (const quota::RateLearner* other : others) {
    others_.push_back({.rate = other});
  }
  shift(now, kFirstGrowth);
}

SharingTrial::Verdict SharingTrial::shift(base::Instant now, double growth) {
  const double highest = kSumKept * total_ - kLowest * load_;
  raise_to_ = std::min(growth * base_, highest);
  if (raise_to_ < kGrowthMin * base_) {
    return Verdict::unclear;
  }
  raised_.rate->hold(now, raise_to_);
  lowered_.rate->hold(now, kSumKept * total_ - raise_to_);
  step_ = Step::shifted;
  began_ = now;
  seen_ = 0;
  for (Other& other : others_) {
    other.load = other.rate->load();
    other.total = other.rate->clean_total();
  }
  // The excess over `base_` that has_passed() asks for, at the rate at which it grows.
  const auto since = raised_.rate->since_episode(now);
  const double grows = raise_to_ - (1 + kError) * base_;
  const double asked = kRequests * raised_.rate->mean_units() + kNewsSeconds * (raise_to_ - base_) +
                       (1 + kError) * base_ * (since.seconds + raised_.rate->wait_seconds()) -
                       since.units;
  length_ = base::from_seconds(std::max(1.0, asked / grows));
  return Verdict::open;
}

/// More has gone through since the last refusal than a limit of `base_` lets through.
bool SharingTrial::has_passed(base::Instant now) const {
  const auto since = raised_.rate->since_episode(now);
  const double excess = since.units - base_ * since.seconds;
  return excess >= kError * base_ * since.seconds + kRequests * raised_.rate->mean_units() +
                       kNewsSeconds * (raise_to_ - base_);
}

/// Other pools let through so much less meanwhile that it may explain what the raised one had.
bool SharingTrial::others_made_room(base::Instant now) const {
  const double seconds = base::seconds(now - began_);
  double room = 0;
  for (const Other& other : others_) {
    room += std::max(0.0, other.load * seconds - (other.rate->clean_total() - other.total));
  }
  return room > kRoom * (raise_to_ - base_) * seconds;
}

bool SharingTrial::is_undisturbed() const {
  return raised_.rate->is_held() && lowered_.rate->is_held();
}

SharingTrial::Verdict SharingTrial::check(base::Instant now) {
  if (!is_undisturbed()) {
    return Verdict::unclear;
  }
  if (const auto since = raised_.rate->since_episode(now); since.seconds > 0) {
    seen_ = since.units / since.seconds;
  }
  if (step_ == Step::shifted && has_passed(now)) {
    if (others_made_room(now)) {
      return Verdict::unclear;
    }
    lowered_.rate->hold(now, load_);
    step_ = Step::restored;
    began_ = now;
    return Verdict::open;
  }
  const base::Duration patience =
      base::from_seconds(kPatienceSeconds + kPatience * base::seconds(length_));
  return now - began_ > patience ? Verdict::unclear : Verdict::open;
}

SharingTrial::Verdict SharingTrial::refused(std::size_t pool, base::Instant now) {
  if (!is_undisturbed()) {
    return Verdict::unclear;
  }
  if (step_ == Step::shifted) {
    return pool == raised_.pool ? Verdict::apart : Verdict::unclear;
  }
  rounds_ += 1;
  if (rounds_ == kRounds) {
    return Verdict::shared;
  }
  base_ = std::max(base_, seen_);
  return shift(now, kSecondGrowth);
}

void SharingTrial::end(Verdict verdict, base::Instant now) {
  if (verdict == Verdict::apart) {
    raised_.rate->confirm(now);
  }
  raised_.rate->let_go(now);
  lowered_.rate->let_go(now);
}

}  // namespace sortie::sched
