#include "sortie/testbed/capacity.h"

#include "sortie/base/time.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

constexpr double kForEver = std::numeric_limits<double>::infinity();

bool hits(const Incident& incident, const Scenario& scenario, const RouteRef& route) {
  return incident.key.empty() || incident.key == scenario.keys[route.key].name;
}

/// The share of its full rate that a limit lets through for a route while the incident lasts.
double factor_of(const Incident& incident, bool of_slots) {
  switch (incident.kind) {
    case IncidentKind::key_revoked:
    case IncidentKind::outage:
      return 0;
    case IncidentKind::server_errors:
      // Fewer failures than all are luck: the bound does not count on them.
      return incident.factor >= 1 ? 0 : 1;
    case IncidentKind::key_slow:
      return of_slots ? 1 / incident.factor : 1;
    case IncidentKind::limits_scaled:
      return incident.factor;
  }
  return 1;
}

std::vector<Capacity::Segment> segments_of(const Scenario& scenario,
                                           const TruePool& pool,
                                           bool of_slots,
                                           const std::vector<TimedIncident>& incidents) {
  const std::vector<RouteRef> routes = routes_of(scenario);
  std::set<double> changes = {0};
  for (const TimedIncident& incident : incidents) {
    changes.insert(incident.from);
    if (incident.until < kForEver) {
      changes.insert(incident.until);
    }
  }
  std::vector<Capacity::Segment> segments;
  for (const double at : changes) {
    double best = 0;
    for (const std::size_t route : pool.routes) {
      double factor = 1;
      for (const TimedIncident& incident : incidents) {
        if (incident.from <= at && at < incident.until &&
            hits(incident.what, scenario, routes[route])) {
          factor *= factor_of(incident.what, of_slots);
        }
      }
      best = std::max(best, factor);
    }
    segments.push_back({.from = at, .factor = best});
  }
  return segments;
}

sim::Demand demand_for(const Turn& turn, std::uint32_t output_max) {
  return {.key = {},
          .account = {},
          .model = {},
          .input = turn.input,
          .output = turn.output,
          .max_tokens = output_max};
}

}  // namespace

sim::Demand demand_of(const Scenario& scenario, const RouteRef& route) {
  const KeySpec& key = scenario.keys[route.key];
  return {.key = key.name,
          .account = key.account.empty() ? key.name : key.account,
          .model = scenario.models[route.model].name};
}

Capacity::Capacity(std::vector<std::size_t> routes, std::vector<Segment> segments)
    : routes_(std::move(routes)), segments_(std::move(segments)) {}

void Capacity::limit_rate(const sim::LimitProfile& limit,
                          const sim::RateRule& rule,
                          bool is_sub_window) {
  limit_ = &limit;
  is_sub_window_ = is_sub_window;
  is_windowed_ = rule.shape != sim::Shape::token_bucket;
  window_seconds_ = base::seconds(rule.window);
  rate_ = rule.quota / window_seconds_;
  burst_ = rule.burst > 0 ? rule.burst : rule.quota;
}

void Capacity::limit_slots(double slots) {
  rate_ = slots;
}

bool Capacity::is_drained_by(std::size_t route) const {
  return std::find(routes_.begin(), routes_.end(), route) != routes_.end();
}

bool Capacity::is_like(const Capacity& other) const {
  if (is_of_slots() || other.is_of_slots()) {
    return is_of_slots() == other.is_of_slots();
  }
  if (limit_->dimension != other.limit_->dimension || is_sub_window_ != other.is_sub_window_) {
    return false;
  }
  return limit_->dimension == sim::Dimension::requests ||
         (limit_->cost == other.limit_->cost && limit_->settle == other.limit_->settle &&
          (!is_sub_window_ || burst_ == other.burst_));
}

double Capacity::cost(const Turn& turn, std::uint32_t output_max) const {
  if (is_of_slots()) {
    return static_cast<double>(turn.seconds);
  }
  const sim::Demand demand = demand_for(turn, output_max);
  double cost = sim::cost_at_admission(*limit_, demand);
  if (limit_->dimension == sim::Dimension::tokens && limit_->settle == sim::Settle::at_end) {
    cost = std::min(cost, sim::cost_at_end(*limit_, demand));
  }
  return is_sub_window_ ? std::min(cost, burst_) : cost;
}

double Capacity::full_seconds(double from, double to) const {
  double sum = 0;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const double end = i + 1 < segments_.size() ? segments_[i + 1].from : kForEver;
    sum +=
        segments_[i].factor * std::max(0.0, std::min(to, end) - std::max(from, segments_[i].from));
  }
  return sum;
}

double Capacity::between(double from, double to) const {
  if (to < from) {
    return 0;
  }
  const double full = full_seconds(from, to);
  if (is_of_slots()) {
    return rate_ * full;
  }
  const bool is_steady = segments_.size() == 1 && segments_[0].factor == 1;
  if (is_windowed_ && is_steady) {
    return burst_ * (std::floor((to - from) / window_seconds_) + 1);
  }
  return burst_ + rate_ * full;
}

double Capacity::until(double seconds) const {
  return between(0, seconds);
}

std::vector<Capacity> capacities_of(const Scenario& scenario,
                                    const std::vector<TimedIncident>& incidents) {
  std::vector<Capacity> result;
  for (const TruePool& pool : true_pools(scenario)) {
    const sim::LimitProfile& limit = scenario.limits[pool.limit];
    const bool of_slots = limit.dimension == sim::Dimension::concurrency;
    const auto segments = segments_of(scenario, pool, of_slots, incidents);
    if (of_slots) {
      result.emplace_back(pool.routes, segments).limit_slots(limit.quota);
      continue;
    }
    const std::vector<sim::RateRule> rules = sim::rules_of(limit);
    for (std::size_t rule = 0; rule < rules.size(); ++rule) {
      result.emplace_back(pool.routes, segments).limit_rate(limit, rules[rule], rule > 0);
    }
  }
  if (scenario.collapse_above > 0) {
    const std::vector<RouteRef> routes = routes_of(scenario);
    for (std::size_t key = 0; key < scenario.keys.size(); ++key) {
      TruePool all{.name = scenario.keys[key].name, .limit = 0, .routes = {}};
      for (std::size_t route = 0; route < routes.size(); ++route) {
        if (routes[route].key == key) {
          all.routes.push_back(route);
        }
      }
      const auto segments = segments_of(scenario, all, /*of_slots=*/true, incidents);
      result.emplace_back(all.routes, segments).limit_slots(scenario.collapse_above);
    }
  }
  return result;
}

}  // namespace sortie::testbed
