#include "sortie/base/json.h"
#include "sortie/engine/core.h"

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

void Engine::Core::observe_losses(bool at_once) {
  if (!at_once && now() < next_observation_) {
    return;
  }
  next_observation_ = now() + kObserveInterval;
  if (now() >= next_probing_check_) {
    next_probing_check_ = now() + kProbingInterval;
    const auto needed = time_needed();
    scheduler_.set_probing(!needed.has_value() || *needed > kProbingEnds);
  }
  std::vector<std::size_t> ready(models_.size());
  for (const auto& open : open_) {
    if (open != nullptr && open->stage == Stage::waiting && open->funded) {
      ++ready[open->model];
    }
  }
  const std::vector<quota::DomainStatus> domains = scheduler_.domain_status(now());
  const std::vector<sched::RouteStatus> routes = scheduler_.route_status(now());
  std::vector<DomainState> states(context_.topology->domains.size());
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const spec::Route& route = context_.topology->routes[i];
    const ModelState& model = models_[route.model];
    if (model.progress.planned == 0) {
      continue;
    }
    const std::optional<base::Instant> closed_until = routes[i].closed_until;
    const bool is_open = routes[i].usable && !(closed_until.has_value() && *closed_until > now());
    for (const std::size_t domain : route.domains) {
      states[domain].has_route = states[domain].has_route || is_open;
      states[domain].is_ready = states[domain].is_ready || ready[route.model] > 0;
      states[domain].has_more =
          states[domain].has_more || (!model.exhausted && !counters_.draining && may_send());
      states[domain].is_active = states[domain].is_active || !model.progress.paused;
    }
  }
  std::vector<Loss> reasons(states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto& gate = domains[i].gate;
    states[i].is_gated = gate.has_value() && *gate > now();
    has_waited_[i] = has_waited_[i] || (states[i].is_ready && losses_->has_answered(i));
    reasons[i] = reason_for(states[i], has_waited_[i]);
  }
  losses_->observe(reasons, now());
}

Loss Engine::Core::reason_for(const DomainState& state, bool has_waited) const {
  if (counters_.paused || !state.is_active) {
    return Loss::paused;
  }
  if (state.is_gated) {
    return Loss::gate;
  }
  if (!state.has_route) {
    return Loss::fault;
  }
  if (!has_waited && (state.is_ready || state.has_more)) {
    return Loss::ramp;
  }
  if (state.is_ready) {
    return Loss::margin;
  }
  return state.has_more ? Loss::idle : Loss::tail;
}

/// The requests that this process got answers to, as work for the bound.
std::vector<sched::WorkClass> Engine::Core::work_done() const {
  std::vector<sched::WorkClass> work;
  for (std::size_t i = 0; i < models_.size(); ++i) {
    const WorkDone& done = models_[i].done;
    if (done.requests == 0) {
      continue;
    }
    const auto max_tokens = context_.topology->models[i].sampling.max_tokens;
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

/// At the end: the fraction of the bound that was reached, as an event of the ledger.
void Engine::Core::report_speed() {
  observe_losses(true);
  const std::vector<sched::WorkClass> work = work_done();
  if (work.empty()) {
    return;
  }
  auto report = speed_of(*context_.topology, work, *losses_, base::seconds(now() - started_));
  if (!report.has_value()) {
    parts_.log->warning("no_bound", {{"message", report.error().message}});
    return;
  }
  note_event("run_speed", context_.campaign->name, json::to_text(to_json(*report)));
  counters_.speed = std::move(*report);
}

}  // namespace sortie::engine
