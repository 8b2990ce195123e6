#include "sortie/sched/shares.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <optional>
#include <vector>

namespace sortie::sched {

namespace {

// How far one that was held up by limits of its own may be behind: a twentieth of what is left to
// do.
constexpr double kLagMax = 0.05;

constexpr double kCriticalShare = 0.9;
constexpr double kSmoothing = 0.05;  // of the mean service time
constexpr double kSecondsMin = 1e-3;
constexpr double kRestMin = 0.01;  // of the whole, for those without a guarantee
constexpr double kNoWork = 1e-6;   // turns: what rounding leaves of sums

/// Models that share a limit domain, directly or through others, have the same number.
std::vector<std::size_t> islands_of(const spec::Topology& topology) {
  std::vector<std::size_t> island(topology.models.size());
  std::iota(island.begin(), island.end(), std::size_t{0});
  std::vector<std::optional<std::size_t>> first(topology.domains.size());
  for (const spec::Route& route : topology.routes) {
    for (const std::size_t domain : route.domains) {
      const std::size_t other = first[domain].value_or(route.model);
      first[domain] = other;
      const std::size_t from = std::max(island[route.model], island[other]);
      const std::size_t to = std::min(island[route.model], island[other]);
      std::replace(island.begin(), island.end(), from, to);
    }
  }
  return island;
}

}  // namespace

Shares::Shares(const spec::Topology& topology) : islands_(topology.models.size()) {
  for (const std::size_t island : islands_of(topology)) {
    models_.emplace_back();
    models_.back().groups.resize(1);
    models_.back().tags.resize(1, 0);
    models_.back().island = island;
  }
}

std::size_t Shares::place_of(std::size_t model, std::optional<std::size_t> group) {
  std::vector<Group>& groups = models_[model].groups;
  if (!group) {
    return 0;
  }
  const auto found = std::find_if(
      groups.begin(), groups.end(), [&](const Group& one) { return one.name == group; });
  if (found != groups.end()) {
    return static_cast<std::size_t>(found - groups.begin());
  }
  groups.emplace_back();
  groups.back().name = group;
  models_[model].tags.push_back(models_[model].served);
  return groups.size() - 1;
}

template <class Change>
void Shares::update(std::size_t model, std::size_t place, Change change) {
  Model& of_model = models_[model];
  Group& group = of_model.groups[place];
  const auto turns = [&] {
    return group.open + group.backlog.dialogues * group.backlog.turns_each;
  };
  const double before = turns();
  change(group);
  const double now = turns();
  of_model.turns += now - before;
  islands_[of_model.island].seconds += (now - before) * of_model.seconds_per_turn;
  count_claim(of_model, group, -1);
  of_model.work -= group.work;
  group.work = now > 0 ? std::max(1.0, now) * group.share.weight : 0;
  of_model.work += group.work;
  count_claim(of_model, group, 1);
  settle_claims(of_model.island);
}

void Shares::set_weight(std::size_t model, double weight) {
  Model& of_model = models_[model];
  for (const Group& group : of_model.groups) {
    count_claim(of_model, group, -1);
  }
  of_model.weight = weight;
  for (const Group& group : of_model.groups) {
    count_claim(of_model, group, 1);
  }
  settle_claims(of_model.island);
}

void Shares::set_share(std::size_t model, std::size_t place, const GroupShare& share) {
  update(model, place, [&](Group& group) { group.share = share; });
  set_claim(model, place, share);
  Model& of_model = models_[model];
  of_model.has_guarantees =
      std::any_of(of_model.groups.begin(), of_model.groups.end(), [](const Group& group) {
        return group.share.guaranteed > 0;
      });
}

void Shares::set_claim(std::size_t model, std::size_t place, const GroupShare& share) {
  Model& of_model = models_[model];
  Group& group = of_model.groups[place];
  std::vector<Claim>& claims = islands_[of_model.island].claims;
  if (!group.claim && share.guaranteed <= 0) {
    return;
  }
  count_claim(of_model, group, -1);
  const auto of_tenant = std::find_if(claims.begin(), claims.end(), [&](const Claim& claim) {
    return share.tenant && claim.tenant == share.tenant;
  });
  if (of_tenant != claims.end()) {
    group.claim = static_cast<std::size_t>(of_tenant - claims.begin());
  } else if (!group.claim || claims[*group.claim].tenant != share.tenant) {
    claims.push_back({.tenant = share.tenant});
    group.claim = claims.size() - 1;
  }
  claims[*group.claim].guaranteed = share.guaranteed;
  count_claim(of_model, group, 1);
  settle_claims(of_model.island);
}

void Shares::count_claim(const Model& model, const Group& group, double sign) {
  if (group.claim) {
    islands_[model.island].claims[*group.claim].plain += sign * model.weight * group.work;
  }
}

/// A claim is binding if its fraction φ of the whole is more than its plain work. With φ's and work
/// of those that are, and the work of all others, the whole is others / (1 − Σφ), of which each
/// gets its φ.
void Shares::settle_claims(std::size_t island) {
  std::vector<Claim>& claims = islands_[island].claims;
  if (claims.empty()) {
    return;
  }
  double others = plain_entitlement(island);
  double fractions = 0;
  for (Claim& claim : claims) {
    claim.factor = 1;
    if (claim.guaranteed > 0 && claim.plain > kNoWork) {
      claim.factor = 0;  // binding, until it is known how much
      others -= claim.plain;
      fractions += claim.guaranteed;
    }
  }
  const auto whole = [&] { return std::max(0.0, others) / std::max(kRestMin, 1 - fractions); };
  // The first to do without a guarantee is the one with the most work for it.
  const auto least_needy = [&] {
    return std::max_element(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
      const auto ease = [](const Claim& claim) {
        return claim.factor == 0 ? claim.plain / claim.guaranteed : 0.0;
      };
      return ease(a) < ease(b);
    });
  };
  for (auto claim = least_needy();
       claim->factor == 0 && claim->guaranteed * whole() <= claim->plain;
       claim = least_needy()) {
    claim->factor = 1;
    others += claim->plain;
    fractions -= claim->guaranteed;
  }
  for (Claim& claim : claims) {
    if (claim.factor == 0) {
      claim.factor = claim.guaranteed * whole() / claim.plain;
    }
  }
}

void Shares::set_backlog(std::size_t model, std::size_t place, const Backlog& backlog) {
  CHECK(backlog.dialogues >= 0 && backlog.turns_each >= 0);
  update(model, place, [&](Group& group) { group.backlog = backlog; });
}

void Shares::add_open(std::size_t model, std::size_t place, double turns) {
  update(model, place, [&](Group& group) { group.open += turns; });
}

void Shares::remove_open(std::size_t model, std::size_t place, double turns) {
  update(model, place, [&](Group& group) { group.open = std::max(0.0, group.open - turns); });
}

void Shares::joins(std::size_t model) {
  models_[model].tag = std::max(models_[model].tag, islands_[models_[model].island].served);
}

void Shares::joins(std::size_t model, std::size_t place) {
  double& tag = models_[model].tags[place];
  tag = std::max(tag, models_[model].served);
}

void Shares::unite(std::size_t a, std::size_t b) {
  const std::size_t to = std::min(models_[a].island, models_[b].island);
  const std::size_t from = std::max(models_[a].island, models_[b].island);
  if (from == to) {
    return;
  }
  const double ahead = islands_[to].served - islands_[from].served;
  const std::vector<std::size_t> places = add_claims(to, islands_[from].claims);
  for (Model& model : models_) {
    if (model.island == from) {
      model.island = to;
      model.tag += ahead;
      for (Group& group : model.groups) {
        group.claim = group.claim ? std::optional(places[*group.claim]) : std::nullopt;
      }
    }
  }
  islands_[to].seconds += islands_[from].seconds;
  islands_[to].in_flight += islands_[from].in_flight;
  islands_[from] = {};
  settle_claims(to);
}

/// A tenant has its guarantee once. Returns their places in the island.
std::vector<std::size_t> Shares::add_claims(std::size_t island, const std::vector<Claim>& added) {
  std::vector<Claim>& claims = islands_[island].claims;
  std::vector<std::size_t> places;
  for (const Claim& one : added) {
    const auto same = std::find_if(claims.begin(), claims.end(), [&](const Claim& claim) {
      return one.tenant && claim.tenant == one.tenant;
    });
    places.push_back(static_cast<std::size_t>(same - claims.begin()));
    if (same == claims.end()) {
      claims.push_back(one);
    } else {
      same->plain += one.plain;
      same->guaranteed = std::max(same->guaranteed, one.guaranteed);
    }
  }
  return places;
}

void Shares::serve(std::size_t model, std::size_t place, bool out_of_turn, double slowness) {
  Model& of_model = models_[model];
  Island& island = islands_[of_model.island];
  double& tag = of_model.tags[place];
  if (!out_of_turn) {
    island.served = std::max(island.served, of_model.tag);
    of_model.served = std::max(of_model.served, tag);
  }
  of_model.tag = std::max(of_model.tag, island.served - kLagMax) + 1 / entitlement(of_model);
  tag += 1 / entitlement(of_model, of_model.groups[place]);
  island.in_flight += 1 / slowness;
}

void Shares::landed(std::size_t model, std::optional<base::Duration> took, double slowness) {
  Model& of_model = models_[model];
  Island& island = islands_[of_model.island];
  island.in_flight -= 1 / slowness;
  if (took) {
    const double before = of_model.seconds_per_turn;
    const double weight = of_model.has_answered ? kSmoothing : 1.0;
    const double seconds = std::max(kSecondsMin, base::seconds(*took) / slowness);
    of_model.seconds_per_turn += weight * (seconds - before);
    of_model.has_answered = true;
    island.seconds += of_model.turns * (of_model.seconds_per_turn - before);
  }
}

void Shares::slowed(std::size_t model, double in_flight, double before, double now) {
  islands_[models_[model].island].in_flight += in_flight * (1 / now - 1 / before);
}

double Shares::critical_turns(std::size_t model) const {
  const Model& of_model = models_[model];
  const Island& island = islands_[of_model.island];
  const double seconds_left = std::max(0.0, island.seconds) / std::max(1.0, island.in_flight);
  return kCriticalShare * seconds_left / of_model.seconds_per_turn;
}

double Shares::turns_left_without(std::size_t model, double in_flight, double slowness) const {
  const Model& of_model = models_[model];
  const Island& island = islands_[of_model.island];
  const double others = std::max(1.0, island.in_flight - in_flight / slowness);
  const double seconds = std::max(0.0, island.seconds - in_flight * of_model.seconds_per_turn);
  return seconds / others / of_model.seconds_per_turn;
}

/// What all that may compete are entitled to, guarantees left out.
double Shares::plain_entitlement(std::size_t island) const {
  double sum = 0;
  for (const Model& model : models_) {
    if (model.island == island) {
      sum += model.weight * model.work;
    }
  }
  return sum;
}

double Shares::entitlement(const Model& model, const Group& group) const {
  const double plain = model.weight * group.work;
  return group.claim ? plain * islands_[model.island].claims[*group.claim].factor : plain;
}

double Shares::entitlement(const Model& model) const {
  if (!model.has_guarantees) {
    return model.weight * model.work;
  }
  double sum = 0;
  for (const Group& group : model.groups) {
    sum += entitlement(model, group);
  }
  return sum;
}

std::optional<std::size_t> Shares::opens_next(
    std::size_t model, const std::function<bool(std::size_t group)>& may_open) const {
  const Model& of_model = models_[model];
  const double critical = critical_turns(model);
  const Group* best = nullptr;
  const auto is_critical = [&](const Group& group) { return group.backlog.turns_each >= critical; };
  // Open turns per turn of work that is left; small where more should be open.
  const auto cover = [&](const Group& group) { return group.open / entitlement(of_model, group); };
  const auto goes_before = [&](const Group& a, const Group& b) {
    if (is_critical(a) || is_critical(b)) {
      return a.backlog.turns_each > b.backlog.turns_each;
    }
    return cover(a) < cover(b) ||
           (cover(a) == cover(b) && a.backlog.turns_each > b.backlog.turns_each);
  };
  for (const Group& group : of_model.groups) {
    if (group.name && group.backlog.dialogues >= 1 && (!may_open || may_open(*group.name)) &&
        (best == nullptr || goes_before(group, *best))) {
      best = &group;
    }
  }
  return best != nullptr ? best->name : std::nullopt;
}

}  // namespace sortie::sched
