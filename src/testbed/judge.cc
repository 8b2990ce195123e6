#include "sortie/testbed/judge.h"

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/provider/limit_headers.h"
#include "sortie/quota/signal.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/testbed/capacity.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

constexpr double kDelayMax = 0.010;
constexpr double kErrorSeconds = 0.3;
// A window longer than this ends by the calendar: its refusal is a daily cap.
constexpr base::Duration kCalendarWindow = std::chrono::hours(12);

base::Digest digest_of(std::uint64_t seed) {
  return base::FieldHasher("sortie.testbed.attempts.v1")
      .field("seed", static_cast<std::int64_t>(seed))
      .finish();
}

base::Instant at(double seconds) {
  return base::Instant() + base::from_seconds(seconds);
}

quota::Dimension dimension_of(sim::Dimension dimension) {
  switch (dimension) {
    case sim::Dimension::requests:
      return quota::Dimension::requests;
    case sim::Dimension::tokens:
      return quota::Dimension::tokens;
    case sim::Dimension::concurrency:
      break;
  }
  return quota::Dimension::concurrency;
}

Ruling error(quota::SignalClass kind, int status, const char* code, double seconds) {
  Ruling ruling;
  ruling.kind = Ruling::Kind::error;
  ruling.seconds = seconds;
  ruling.signal.kind = kind;
  ruling.signal.status = status;
  ruling.signal.code = code;
  return ruling;
}

}  // namespace

Judge::Judge(const Scenario& scenario,
             const Workload& workload,
             const std::vector<TimedIncident>& incidents,
             std::uint64_t seed)
    : scenario_(scenario),
      workload_(workload),
      incidents_(incidents),
      routes_(routes_of(scenario)),
      pools_(true_pools(scenario)),
      pools_of_route_(routes_.size()),
      limits_(scenario.limits),
      random_(digest_of(seed)) {
  for (std::size_t pool = 0; pool < pools_.size(); ++pool) {
    pool_by_name_.emplace(pools_[pool].name, pool);
    for (const std::size_t route : pools_[pool].routes) {
      pools_of_route_[route].push_back(pool);
    }
  }
  for (const TimedIncident& incident : incidents) {
    if (incident.what.kind == IncidentKind::limits_scaled) {
      changes_.push_back(at(incident.from));
      changes_.push_back(at(incident.until));
    }
  }
  std::sort(changes_.begin(), changes_.end());
}

double Judge::draw(const Attempt& attempt, Purpose purpose) const {
  const std::uint64_t index = (static_cast<std::uint64_t>(attempt.dialogue) << 32U) |
                              (static_cast<std::uint64_t>(attempt.turn) << 20U) |
                              (static_cast<std::uint64_t>(attempt.number & 0xFFFFU) << 4U) |
                              static_cast<std::uint64_t>(purpose);
  return random_.uniform(index);
}

base::Duration Judge::delay(const Attempt& attempt, bool to_server) const {
  return base::from_seconds(kDelayMax *
                            draw(attempt, to_server ? Purpose::to_server : Purpose::to_client));
}

bool Judge::is_struck(const TimedIncident& incident,
                      const Attempt& attempt,
                      base::Instant now) const {
  const std::string& key = scenario_.keys[routes_[attempt.route].key].name;
  return at(incident.from) <= now && now < at(incident.until) &&
         (incident.what.key.empty() || incident.what.key == key);
}

/// What happens before any limit is asked.
std::optional<Ruling> Judge::strike(const Attempt& attempt, base::Instant now) const {
  for (const TimedIncident& incident : incidents_) {
    if (!is_struck(incident, attempt, now)) {
      continue;
    }
    if (incident.what.kind == IncidentKind::key_revoked) {
      return error(quota::SignalClass::auth, 401, "invalid_api_key", 0);
    }
    if (incident.what.kind == IncidentKind::outage) {
      return error(quota::SignalClass::not_processed, 0, "connect", 0);
    }
    if (incident.what.kind == IncidentKind::server_errors &&
        draw(attempt, Purpose::fails) < incident.what.factor) {
      return error(quota::SignalClass::transient, 500, "server_error", kErrorSeconds);
    }
  }
  return std::nullopt;
}

double Judge::slowness(const Attempt& attempt, base::Instant now) const {
  double result = 1;
  for (const TimedIncident& incident : incidents_) {
    if (incident.what.kind == IncidentKind::key_slow && is_struck(incident, attempt, now)) {
      result *= incident.what.factor;
    }
  }
  return result;
}

sim::Demand Judge::demand_for(const Attempt& attempt) const {
  const Dialogue& dialogue = workload_.dialogues[attempt.dialogue];
  const Turn& turn = workload_.turn(dialogue, attempt.turn);
  sim::Demand demand = demand_of(scenario_, routes_[attempt.route]);
  demand.input = turn.input;
  demand.output = turn.output;
  demand.max_tokens = workload_.output_max[dialogue.model];
  return demand;
}

Ruling Judge::refuse(const Attempt& attempt, const sim::Refusal& refusal) const {
  const RefusalStyle& style = scenario_.refusal;
  const bool of_slots = refusal.dimension == sim::Dimension::concurrency;
  const bool is_daily = refusal.window > kCalendarWindow;
  Ruling ruling = error(quota::SignalClass::throttle, style.status, "rate_limit_exceeded", 0);
  if (is_daily) {
    ruling.signal.kind = quota::SignalClass::daily_cap;
  } else if (of_slots && style.named) {
    ruling.signal.kind = quota::SignalClass::concurrency;
  }
  if (style.named) {
    ruling.signal.dimension = dimension_of(refusal.dimension);
  }
  if (style.hint && style.hint_seconds) {
    const auto [least, most] = *style.hint_seconds;
    ruling.signal.wait = std::chrono::ceil<std::chrono::seconds>(
        base::from_seconds(least + (most - least) * draw(attempt, Purpose::hint)));
  } else if (style.hint && !of_slots && refusal.wait != sim::kNever) {
    ruling.signal.wait = std::chrono::ceil<std::chrono::seconds>(refusal.wait);
  }
  ruling.refused_by = pool_by_name_.at(refusal.limit);
  return ruling;
}

Ruling Judge::arrive(const Attempt& attempt, base::Instant now) {
  if (std::optional<Ruling> struck = strike(attempt, now)) {
    return *std::move(struck);
  }
  const sim::Demand demand = demand_for(attempt);
  Ruling ruling;
  if (const auto refusal = limits_.admit(demand, now, ruling.holding)) {
    return refuse(attempt, *refusal);
  }
  ruling.is_admitted = true;
  if (scenario_.headers) {
    wire::Headers headers;
    limits_.append_headers(demand, now, headers);
    ruling.hints = provider::limit_hints(headers);
  }
  if (draw(attempt, Purpose::hangs) < scenario_.hung) {
    ruling.kind = Ruling::Kind::silence;
    return ruling;
  }
  const Dialogue& dialogue = workload_.dialogues[attempt.dialogue];
  ruling.seconds =
      static_cast<double>(workload_.turn(dialogue, attempt.turn).seconds) * slowness(attempt, now);
  return ruling;
}

void Judge::finish(const Ruling& ruling, base::Instant now, bool cancelled) {
  limits_.finish(ruling.holding, now, cancelled);
}

std::optional<base::Instant> Judge::next_change() const {
  return next_change_ < changes_.size() ? std::optional(changes_[next_change_]) : std::nullopt;
}

void Judge::change(base::Instant now) {
  while (next_change_ < changes_.size() && changes_[next_change_] <= now) {
    ++next_change_;
  }
  for (std::size_t route = 0; route < routes_.size(); ++route) {
    double factor = 1;
    for (const TimedIncident& incident : incidents_) {
      if (incident.what.kind == IncidentKind::limits_scaled &&
          is_struck(incident, {.route = route}, now)) {
        factor *= incident.what.factor;
      }
    }
    limits_.scale(demand_of(scenario_, routes_[route]), factor, now);
  }
}

}  // namespace sortie::testbed
