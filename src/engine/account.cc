#include "sortie/base/json.h"
#include "sortie/engine/core.h"
#include "sortie/engine/dispatcher_core.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

// What the run's time went to: tells the loss meter why each domain is not used, and at the end how
// fast the run was.

namespace sortie::engine {

namespace {

// A reason that changes more often is taken for the first one meanwhile.
constexpr base::Duration kObserveInterval = std::chrono::milliseconds(50);
// A limit that is found in the last minutes is not worth the refusals that it takes.
constexpr base::Duration kProbingEnds = std::chrono::minutes(2);
constexpr base::Duration kProbingInterval = std::chrono::seconds(5);

}  // namespace

/// False while the end is near: there is no time left to gain from what is found.
void Dispatcher::Core::judge_probing() {
  next_probing_check_ = loop_.now() + kProbingInterval;
  bool probes = false;
  for_each_running([&](const Engine::Core& engine) {
    const auto needed = engine.time_needed();
    probes = probes || !needed.has_value() || *needed > kProbingEnds;
  });
  scheduler_.set_probing(probes);
}

/// Each campaign's ledger has it.
void Dispatcher::Core::tell_shared_limits() {
  const std::vector<SharedLimit> shared = shared_limits();
  for_each_running([&](Engine::Core& engine) { engine.note_shared_limits(shared); });
}

std::vector<Dispatcher::Core::DomainState> Dispatcher::Core::domain_states() const {
  const base::Instant now = loop_.now();

  struct Use {
    bool has_work = false;
    bool has_more = false;
    bool is_active = false;
  };

  std::vector<std::size_t> ready(topology_.models.size());
  std::vector<Use> uses(topology_.models.size());
  for_each_running([&](const Engine::Core& engine) {
    engine.count_ready(ready);
    for (std::size_t i = 0; i < uses.size(); ++i) {
      const ModelState& model = engine.model(i);
      uses[i].has_work = uses[i].has_work || model.progress.planned > 0;
      uses[i].has_more =
          uses[i].has_more || (model.unopened > 0 && !engine.is_draining() && engine.may_send());
      uses[i].is_active = uses[i].is_active || (model.progress.planned > 0 && !engine.is_paused(i));
    }
  });
  std::vector<DomainState> states(pools_.domains.size());
  const std::vector<sched::RouteStatus> routes = scheduler_.route_status(now);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const spec::Route& route = pools_.routes[i];
    const Use& use = uses[route.model];
    if (!use.has_work) {
      continue;
    }
    const std::optional<base::Instant> closed_until = routes[i].closed_until;
    const bool is_open = routes[i].usable && !(closed_until.has_value() && *closed_until > now);
    for (const std::size_t domain : route.domains) {
      states[domain].has_route = states[domain].has_route || is_open;
      states[domain].is_ready = states[domain].is_ready || ready[route.model] > 0;
      states[domain].has_more = states[domain].has_more || use.has_more;
      states[domain].is_active = states[domain].is_active || use.is_active;
    }
  }
  return states;
}

void Dispatcher::Core::observe_losses(bool at_once) {
  const base::Instant now = loop_.now();
  if (!at_once && now < next_observation_) {
    return;
  }
  next_observation_ = now + kObserveInterval;
  if (now >= next_probing_check_) {
    judge_probing();
    tell_shared_limits();
  }
  std::vector<DomainState> states = domain_states();
  const std::vector<quota::DomainStatus> domains = scheduler_.domain_status(now);
  std::vector<Loss> reasons(states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto& gate = domains[i].gate;
    states[i].is_gated = gate.has_value() && *gate > now;
    states[i].is_learned = pools_.domains[i].limits.empty();
    states[i].is_unknown = states[i].is_learned && domains[i].limits.empty();
    has_waited_[i] = has_waited_[i] || (states[i].is_ready && losses_->has_answered(i));
    reasons[i] = reason_for(states[i], has_waited_[i]);
  }
  losses_->observe(reasons, now);
}

Loss Dispatcher::Core::reason_for(const DomainState& state, bool has_waited) {
  if (!state.is_active) {
    return Loss::paused;
  }
  if (state.is_gated) {
    return Loss::gate;
  }
  if (!state.has_route) {
    return Loss::fault;
  }
  if ((!has_waited || state.is_unknown) && (state.is_ready || state.has_more)) {
    return Loss::ramp;
  }
  if (state.is_ready) {
    return state.is_learned ? Loss::cut : Loss::margin;
  }
  return state.has_more ? Loss::idle : Loss::tail;
}

/// The requests that this process got answers to, as work for the bound.
std::vector<sched::WorkClass> Dispatcher::Core::work_done() const {
  std::vector<sched::WorkClass> work;
  for (std::size_t i = 0; i < topology_.models.size(); ++i) {
    WorkDone done;
    for (const Member& member : members_) {
      if (member.engine != nullptr) {
        done += member.engine->model(i).done;
      }
    }
    if (done.requests == 0) {
      continue;
    }
    const auto max_tokens = topology_.models[i].sampling.max_tokens;
    work.push_back({.model = i,
                    .requests = done.requests,
                    .input_tokens = done.input_tokens / done.requests,
                    .output_tokens = done.output_tokens / done.requests,
                    .max_output_tokens = static_cast<double>(max_tokens.value_or(0)),
                    .service_seconds = done.service_seconds / done.requests,
                    .dialogue_seconds = done.dialogue_seconds_max});
  }
  return work;
}

base::Result<std::optional<SpeedReport>> Dispatcher::Core::speed() const {
  const std::vector<sched::WorkClass> work = work_done();
  if (work.empty() || !started_) {
    return std::nullopt;
  }
  const KnownLimits known{.learned = scheduler_.learned(), .shared = scheduler_.shared_pools()};
  TRY_ASSIGN(SpeedReport report,
             speed_of(pools_, known, work, *losses_, base::seconds(loop_.now() - *started_)));
  return report;
}

spec::Topology Dispatcher::Core::limits_in_force() const {
  const base::Instant now = loop_.now();
  return with_limits_in_force(pools_,
                              scheduler_.domain_status(now),
                              scheduler_.shared_pools(),
                              scheduler_.route_status(now));
}

/// What was not noted yet.
void Engine::Core::note_shared_limits(const std::vector<SharedLimit>& shared) {
  for (const SharedLimit& limit : shared) {
    if (!shared_noted_.emplace(limit.name, limit.is_over).second) {
      continue;
    }
    json::Array members(limit.members.begin(), limit.members.end());
    json::Array declaration(limit.declaration.begin(), limit.declaration.end());
    note_event("pools_shared",
               limit.name,
               json::to_text(json::Object{{"members", std::move(members)},
                                          {"over", limit.is_over},
                                          {"remembered", limit.is_remembered},
                                          {"subject", limit.subject},
                                          {"declare", std::move(declaration)}}));
  }
}

/// At the end: the fraction of the bound that was reached, as an event of the ledger.
void Engine::Core::report_speed() {
  floor_.observe_losses(true);
  note_shared_limits(floor_.shared_limits());
  auto report = floor_.speed();
  if (!report.has_value()) {
    parts_.log->warning("no_bound", {{"message", report.error().message}});
    return;
  }
  std::optional<SpeedReport> speed = *std::move(report);
  if (speed.has_value()) {
    note_event("run_speed", name(), json::to_text(to_json(*speed)));
    counters_.speed = std::move(speed);
  }
}

}  // namespace sortie::engine
