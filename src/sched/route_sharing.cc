#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/quota/learner.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/rate_learner.h"
#include "sortie/sched/pool.h"
#include "sortie/sched/route_table.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/sharing_evidence.h"
#include "sortie/sched/sharing_trial.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

// Pools that turn out to be one limit, e.g. of keys of one account. Suspicion comes from refusals
// (SharingEvidence), proof from a trial (SharingTrial). From then on a found pool learns the rate
// for all of them. Nothing is ever taken from a route's list of pools, so that requests in flight
// find theirs; a found pool that was wrong rests.

namespace sortie::sched {

namespace {

constexpr double kNoSuspicion = -7;  // unless more speaks against it, once
constexpr double kSuspicion = -2;    // logarithm of the odds for a trial at once
constexpr double kSameKey = 6;
constexpr double kNothingShared = -3;
constexpr double kUnclear = 1;
constexpr double kApart = -12;             // what a trial says that found them apart
constexpr std::size_t kEpisodesFirst = 3;  // until a limit is known well enough for a trial
constexpr double kRaisedMost = 1.1;        // times the other's load: the smaller one is raised
constexpr double kTrialWaitSeconds = 10;   // windows behind longer waits are no use for a trial
constexpr double kDropped = 0.85;          // of what the members had together: one limit does not
constexpr double kChance = 0.03;           // … and all refusals at one member by no chance
constexpr int kEpisodesToPart = 4;
constexpr double kTrustedMemory = 0.5;  // below this confidence a found pool is tried again
constexpr double kRemembered = 4;       // in favour of one limit, then

constexpr std::string_view kJoint = " + ";

}  // namespace

std::optional<std::size_t> RouteTable::endpoint_of_pool(std::size_t pool) const {
  return by_pool_[pool].empty() ? std::nullopt
                                : std::optional<std::size_t>(doors_[by_pool_[pool][0]].endpoint);
}

/// Of all pools that could be one limit with this one: undeclared, of the same endpoint and kind.
SharingEvidence::Loads RouteTable::loads_beside(std::size_t pool) const {
  SharingEvidence::Loads loads(pools_.size());
  const quota::Learner& own = pools_[pool].limiter().learner();
  const auto kind = own.paced_by();
  const auto endpoint = endpoint_of_pool(pool);
  for (std::size_t i = 0; kind && endpoint && i < pools_.size(); ++i) {
    const quota::Learner& learner = pools_[i].limiter().learner();
    const bool is_comparable =
        pools_[i].limiter().domain().limits.empty() && endpoint_of_pool(i) == endpoint &&
        learner.paced_by() == kind &&
        (kind != quota::LimitKind::tokens || learner.token_cost() == own.token_cost());
    if (is_comparable) {
      loads[i] = learner.rate_of(*kind).load();
    }
  }
  return loads;
}

/// Evidence and what is likely from the start: a limit that several models of one key share is
/// common, one of other keys and other models alone is not.
double RouteTable::suspicion(std::size_t a, std::size_t b) const {
  bool same_key = false;
  bool same_model = false;
  for (const std::size_t one : by_pool_[a]) {
    for (const std::size_t other : by_pool_[b]) {
      same_key = same_key || routes_[one].key == routes_[other].key;
      same_model = same_model || doors_[one].model == doors_[other].model;
    }
  }
  const double prior = same_key ? kSameKey : same_model ? 0 : kNothingShared;
  return prior + evidence_.of(a, b);
}

bool RouteTable::is_in_trial(std::size_t pool) const {
  return trial_ && trial_->is_about(pool);
}

/// `pool` was refused over `route`, and that was news.
void RouteTable::note_episode(std::size_t pool, std::size_t route, base::Instant now) {
  if (shared_limits_ == SharedLimits::ignored) {
    return;
  }
  if (Sharing* sharing = sharing_at(pool)) {
    judge_sharing(*sharing, pool, route, now);
  }
  const SharingEvidence::Loads loads = loads_beside(pool);
  if (!loads[pool]) {
    return;
  }
  evidence_.refused(pool, loads);
  if (!trial_ && is_probing_ && learner_of(pool).episodes() >= kEpisodesFirst) {
    // Where much speaks for it at once, else in the place of the pool's next look for room.
    next_trial_ = pool;
    maybe_begin_trial(pool, kSuspicion, now);
  }
}

quota::RateLearner& RouteTable::learner_of(std::size_t pool) {
  quota::Learner& learner = pools_[pool].limiter().learner();
  return learner.rate_of(learner.paced_by().value_or(quota::LimitKind::requests));
}

/// `pool` is back at its limit after an episode: is there another one to try it against?
void RouteTable::maybe_begin_trial(std::size_t pool, double suspicion_min, base::Instant now) {
  const SharingEvidence::Loads loads = loads_beside(pool);
  if (!loads[pool]) {
    return;
  }
  quota::RateLearner& raised = learner_of(pool);
  if (raised.wait_seconds() > kTrialWaitSeconds) {
    return;
  }
  const double limit = raised.limit().value_or(0);
  std::optional<std::size_t> partner;
  for (std::size_t other = 0; other < loads.size(); ++other) {
    if (other == pool || !loads[other] || meet(pool, other) ||
        learner_of(other).episodes() < kEpisodesFirst || suspicion(pool, other) < suspicion_min ||
        limit > kRaisedMost * loads[other].value_or(0)) {
      continue;
    }
    if (!partner || suspicion(pool, other) > suspicion(pool, *partner)) {
      partner = other;
    }
  }
  if (!partner) {
    return;
  }
  quota::RateLearner& lowered = learner_of(*partner);
  std::vector<const quota::RateLearner*> beside;
  for (std::size_t other = 0; other < loads.size(); ++other) {
    if (loads[other] && other != pool && other != *partner) {
      beside.push_back(&learner_of(other));
    }
  }
  trial_.emplace(SharingTrial::Member{.pool = pool, .rate = &raised},
                 SharingTrial::Member{.pool = *partner, .rate = &lowered},
                 std::move(beside),
                 now);
  changed_pool(pool);
  changed_pool(*partner);
}

/// Something was admitted on the route.
void RouteTable::check_trial(std::size_t route, base::Instant now) {
  const std::vector<std::size_t>& pools = routes_[route].pools;
  if (trial_) {
    const bool is_about = std::any_of(
        pools.begin(), pools.end(), [&](std::size_t pool) { return is_in_trial(pool); });
    if (is_about) {
      step_trial(is_probing_ ? trial_->check(now) : SharingTrial::Verdict::unclear, now);
    }
  } else if (next_trial_) {
    const std::size_t next = *next_trial_;
    const bool is_next = std::find(pools.begin(), pools.end(), next) != pools.end();
    if (is_next && learner_of(next).has_come_back()) {
      next_trial_.reset();
      maybe_begin_trial(next, kNoSuspicion, now);
    }
  }
}

void RouteTable::step_trial(SharingTrial::Verdict verdict, base::Instant now) {
  if (!trial_) {
    return;
  }
  SharingTrial& trial = *trial_;
  const std::size_t raised = trial.raised();
  const std::size_t lowered = trial.lowered();
  if (verdict != SharingTrial::Verdict::open) {
    trial.end(verdict, now);
    const double total = trial.total();
    trial_.reset();
    if (verdict == SharingTrial::Verdict::shared && shared_limits_ == SharedLimits::paced) {
      join(raised, lowered, total, now);
    } else if (verdict == SharingTrial::Verdict::shared) {
      report(raised, lowered, now);
    } else {
      const bool is_apart = verdict == SharingTrial::Verdict::apart;
      evidence_.set(raised, lowered, is_apart ? kApart : kUnclear);
      if (is_apart) {
        refute(raised, lowered, now);
      }
    }
  }
  changed_pool(raised);
  changed_pool(lowered);
}

/// Pools of one route see the same requests: neither stands for the other.
bool RouteTable::meet(std::size_t a, std::size_t b) const {
  return std::any_of(by_pool_[a].begin(), by_pool_[a].end(), [&](std::size_t route) {
    const std::vector<std::size_t>& pools = routes_[route].pools;
    return std::find(pools.begin(), pools.end(), b) != pools.end();
  });
}

bool RouteTable::is_over(std::size_t pool) const {
  return std::any_of(sharings_.begin(), sharings_.end(), [&](const Sharing& one) {
    return one.pool == pool && one.is_over;
  });
}

RouteTable::Sharing* RouteTable::sharing_at(std::size_t pool) {
  const auto found = std::find_if(sharings_.begin(), sharings_.end(), [&](const Sharing& one) {
    return one.pool == pool && !one.is_over;
  });
  return found != sharings_.end() ? &*found : nullptr;
}

std::string RouteTable::name_of(const std::vector<std::size_t>& members) const {
  std::vector<std::string> names;
  names.reserve(members.size());
  for (const std::size_t member : members) {
    names.push_back(pools_[member].limiter().name());
  }
  return fmt::format("{}", fmt::join(names, kJoint));
}

/// Both learn on for themselves; either may be in what was reported before.
void RouteTable::report(std::size_t a, std::size_t b, base::Instant now) {
  Sharing sharing;
  sharing.since = now;
  for (const std::size_t pool : {a, b}) {
    const auto before = std::find_if(sharings_.begin(), sharings_.end(), [&](const Sharing& one) {
      return !one.is_over &&
             std::find(one.members.begin(), one.members.end(), pool) != one.members.end();
    });
    if (before == sharings_.end()) {
      sharing.members.push_back(pool);
      continue;
    }
    sharing.since = std::min(sharing.since, before->since);
    sharing.members.insert(sharing.members.end(), before->members.begin(), before->members.end());
    before->is_over = true;
    before->has_grown = true;
  }
  for (const std::size_t one : sharing.members) {
    for (const std::size_t other : sharing.members) {
      evidence_.set(one, other, kApart);  // nothing is left to be found by a trial
    }
  }
  sharing.name = name_of(sharing.members);
  sharings_.push_back(std::move(sharing));
  sharing_version_ += 1;
}

/// One limit of `total` stands for both from now on; either may stand for others already.
void RouteTable::join(std::size_t a, std::size_t b, double total, base::Instant now) {
  const quota::Learner& learner = pools_[a].limiter().learner();
  const auto kind = learner.paced_by();
  if (!kind) {
    return;
  }
  Sharing sharing;
  sharing.limit_at_first = total;
  sharing.since = now;
  for (const std::size_t pool : {a, b}) {
    const double limit =
        pools_[pool].limiter().learner().rate_of(*kind).limit().value_or(total / 2);
    if (const Sharing* before = sharing_at(pool)) {
      sharing.since = std::min(sharing.since, before->since);
      for (std::size_t i = 0; i < before->members.size(); ++i) {
        sharing.members.push_back(before->members[i]);
        sharing.shares.push_back(before->shares[i] * limit / total);
      }
    } else {
      sharing.members.push_back(pool);
      sharing.shares.push_back(limit / total);
    }
  }
  const quota::LearnedLimit limit{.kind = *kind,
                                  .value = total,
                                  .cost = learner.token_cost(),
                                  .confidence = quota::RateLaw{}.first_confidence};
  if (!add_sharing(std::move(sharing), {limit}, now)) {
    evidence_.set(a, b, kApart);  // no trial again
    return;
  }
  for (const std::size_t pool : {a, b}) {
    if (Sharing* before = sharing_at(pool)) {
      before->is_over = true;
      before->has_grown = true;
      pools_[pool].give_up();
    }
    pools_[pool].limiter().learner().rest();
    changed_pool(pool);
  }
  find_captives();
}

/// Its members' rates are learned at a found pool. False: there are too many already.
bool RouteTable::add_sharing(Sharing sharing,
                             const std::vector<quota::LearnedLimit>& limits,
                             base::Instant now) {
  if (pools_.size() == by_pool_.size()) {
    return false;
  }
  const std::size_t place = pools_.size();
  sharing.pool = place;
  sharing.name = name_of(sharing.members);
  CHECK(pools_.size() < pools_.capacity());
  Pool& pool = pools_.emplace_back(
      quota::LimitDomain{.name = sharing.name, .limits = {}}, domain_options_, Pool::Kind::found);
  pool.limiter().learner().resume(now, limits);
  for (const std::size_t member : sharing.members) {
    pools_[member].limiter().learner().rest();
    for (const std::size_t route : by_pool_[member]) {
      routes_[route].pools.push_back(place);
      routes_[route].limiters.push_back(&pool.limiter());
      by_pool_[place].push_back(route);
    }
    changed_pool(member);
  }
  sharings_.push_back(std::move(sharing));
  sharing_version_ += 1;
  find_captives();
  return true;
}

/// One limit is refused over all of its members. If only one of them is, time and again, and less
/// goes through than they had together, then that one has a limit of its own.
void RouteTable::judge_sharing(Sharing& sharing,
                               std::size_t pool,
                               std::size_t route,
                               base::Instant now) {
  const std::vector<std::size_t>& pools = routes_[route].pools;
  const auto is_of_route = [&](std::size_t one) {
    return std::find(pools.begin(), pools.end(), one) != pools.end();
  };
  const auto member = std::find_if(sharing.members.begin(), sharing.members.end(), is_of_route);
  const quota::Learner& learner = pools_[pool].limiter().learner();
  const auto kind = learner.paced_by();
  if (member == sharing.members.end() || !kind) {
    return;
  }
  double all = 0;
  for (const std::size_t one : sharing.members) {
    all += pools_[one].limiter().learner().rate_of(*kind).delivered(now);
  }
  const double own = pools_[*member].limiter().learner().rate_of(*kind).delivered(now);
  if (sharing.in_a_row == 0 || sharing.refused_member != *member) {
    sharing.refused_member = *member;
    sharing.in_a_row = 0;
    sharing.chance = 1;
  }
  sharing.in_a_row += 1;
  sharing.chance *= all > 0 ? own / all : 1;
  const double limit = learner.rate_of(*kind).limit().value_or(0);
  if (sharing.in_a_row >= kEpisodesToPart && sharing.chance < kChance &&
      limit < kDropped * sharing.limit_at_first) {
    part(sharing, pool, now);
  }
}

/// `pool`, which stands for them, was wrong: each member has its own limit again.
void RouteTable::part(Sharing& sharing, std::size_t pool, base::Instant now) {
  const quota::Learner& found = pools_[pool].limiter().learner();
  const auto kind = found.paced_by();
  const quota::TokenCost cost = found.token_cost();
  pools_[pool].give_up();
  sharing.is_over = true;
  sharing_version_ += 1;
  for (std::size_t i = 0; i < sharing.members.size(); ++i) {
    std::vector<quota::LearnedLimit> limits;
    if (kind) {
      limits.push_back({.kind = *kind,
                        .value = sharing.shares[i] * sharing.limit_at_first,
                        .cost = cost,
                        .confidence = quota::RateLaw{}.first_confidence});
    }
    pools_[sharing.members[i]].limiter().learner().resume(now, limits);
    changed_pool(sharing.members[i]);
    for (std::size_t j = 0; j < i; ++j) {
      evidence_.set(sharing.members[i], sharing.members[j], kApart);
    }
  }
  find_captives();
}

std::vector<SharedPool> RouteTable::shared_pools() const {
  std::vector<SharedPool> result;
  for (const Sharing& sharing : sharings_) {
    if (sharing.has_grown) {
      continue;
    }
    SharedPool& shared = result.emplace_back();
    shared.name = sharing.name;
    shared.since = sharing.since;
    shared.is_over = sharing.is_over;
    for (const std::size_t member : sharing.members) {
      shared.members.push_back(pools_[member].limiter().name());
    }
  }
  return result;
}

std::vector<std::vector<std::size_t>> RouteTable::models_of_shared() const {
  std::vector<std::vector<std::size_t>> result;
  for (const Sharing& sharing : sharings_) {
    if (sharing.is_over || !sharing.pool) {
      continue;
    }
    std::vector<std::size_t>& models = result.emplace_back();
    for (const std::size_t route : by_pool_[*sharing.pool]) {
      models.push_back(doors_[route].model);
    }
  }
  return result;
}

/// What was suspected of both is not so: it is listed as over, so that nobody remembers it.
void RouteTable::refute(std::size_t a, std::size_t b, base::Instant now) {
  std::erase_if(suspected_, [&](const std::vector<std::size_t>& members) {
    const auto has = [&](std::size_t pool) {
      return std::find(members.begin(), members.end(), pool) != members.end();
    };
    if (!has(a) || !has(b)) {
      return false;
    }
    Sharing sharing;
    sharing.name = name_of(members);
    sharing.members = members;
    sharing.since = now;
    sharing.is_over = true;
    sharings_.push_back(std::move(sharing));
    sharing_version_ += 1;
    return true;
  });
}

void RouteTable::suspect(const std::vector<std::size_t>& members,
                         const std::vector<quota::LearnedLimit>& limits) {
  suspected_.push_back(members);
  const auto count = static_cast<double>(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (std::size_t j = i + 1; j < members.size(); ++j) {
      evidence_.set(members[i], members[j], kRemembered);
    }
    for (quota::LearnedLimit limit : limits) {
      limit.value /= count;
      pools_[members[i]].limiter().learner().remember({}, limit);
    }
  }
}

/// At the beginning: an earlier run found that the pools of this name are one limit. If that is
/// long ago they are only suspected of it: each begins with its part, and a trial decides.
void RouteTable::remember_shared(const quota::PoolMemory& memory) {
  if (shared_limits_ != SharedLimits::paced || memory.pool.find(kJoint) == std::string::npos) {
    return;
  }
  Sharing sharing;
  std::string_view rest = memory.pool;
  while (!rest.empty()) {
    const std::size_t end = rest.find(kJoint);
    const std::string_view name = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + kJoint.size());
    const auto pool = std::find_if(pools_.begin(), pools_.end(), [&](const Pool& one) {
      return one.limiter().name() == name && one.limiter().domain().limits.empty() &&
             !one.limiter().learner().is_resting();
    });
    if (pool == pools_.end()) {
      return;
    }
    const auto member = static_cast<std::size_t>(pool - pools_.begin());
    if (std::any_of(sharing.members.begin(), sharing.members.end(), [&](std::size_t other) {
          return meet(member, other);
        })) {
      return;
    }
    sharing.members.push_back(member);
  }
  std::vector<quota::LearnedLimit> limits;
  for (const quota::LearnedLimit& limit : memory.limits) {
    if (limit.kind != quota::LimitKind::concurrency && limit.value > 0) {
      limits.push_back(limit);
      sharing.limit_at_first = limit.value;
    }
  }
  if (limits.empty() || sharing.members.size() < 2) {
    return;
  }
  if (std::ranges::all_of(limits, [](const quota::LearnedLimit& limit) {
        return limit.confidence < kTrustedMemory;
      })) {
    suspect(sharing.members, limits);
    return;
  }
  sharing.shares.assign(sharing.members.size(), 1.0 / static_cast<double>(sharing.members.size()));
  add_sharing(std::move(sharing), limits, {});
}

}  // namespace sortie::sched
