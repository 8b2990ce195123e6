#include "sortie/engine/dispatcher.h"

#include "sortie/base/check.h"
#include "sortie/engine/core.h"
#include "sortie/engine/dispatcher_core.h"
#include "sortie/engine/learned_limits.h"
#include "sortie/engine/shared_limits.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace sortie::engine {

Dispatcher::Core::Core(const spec::Topology& topology,
                       aio::Loop& loop,
                       const DispatcherOptions& options)
    : topology_(topology),
      pools_(with_pools(topology)),
      loop_(loop),
      options_(options),
      scheduler_(topology, options.scheduling),
      traffic_(topology.models.size()),
      latencies_(topology.routes.size(), LatencyHistogram(kLatencyRecent)),
      taken_out_(topology.routes.size()),
      fund_{.budget = Budget(options.funds, {}), .expected = {}} {}

std::size_t Dispatcher::Core::join(Engine::Core& engine, std::size_t cells, const Funds& spent) {
  const std::size_t first = members_.empty() ? 0 : members_.back().end_group;
  members_.push_back({.engine = &engine, .first_group = first, .end_group = first + cells});
  may_open_.resize(members_.size());
  fund_.budget.settle({}, spent);
  return members_.size() - 1;
}

void Dispatcher::Core::start() {
  if (started_) {
    return;
  }
  started_ = loop_.now();
  losses_ = std::make_unique<LossMeter>(pools_, *started_);
  has_waited_.resize(pools_.domains.size());
}

std::vector<std::string> Dispatcher::Core::beside(std::size_t place) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i != place && members_[i].engine != nullptr) {
      names.push_back(members_[i].engine->name());
    }
  }
  return names;
}

sched::Ticket Dispatcher::Core::take_ticket(std::size_t place) {
  if (free_.empty()) {
    free_.push_back({static_cast<std::uint32_t>(owners_.size())});
    owners_.push_back(place);
  }
  const sched::Ticket ticket = free_.back();
  free_.pop_back();
  owners_[ticket.value] = place;
  return ticket;
}

Engine::Core& Dispatcher::Core::owner(sched::Ticket ticket) const {
  Engine::Core* engine = members_[owners_[ticket.value]].engine;
  CHECK(engine != nullptr);
  return *engine;
}

std::size_t Dispatcher::Core::owner_of_group(std::size_t group) const {
  const auto found = std::ranges::upper_bound(members_, group, {}, &Member::first_group);
  return static_cast<std::size_t>(found - members_.begin()) - 1;
}

void Dispatcher::Core::tell_others(std::size_t place,
                                   const std::function<void(Engine::Core&)>& tell) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Engine::Core* engine = members_[i].engine;
    if (i != place && engine != nullptr && engine->is_running()) {
      tell(*engine);
    }
  }
}

bool Dispatcher::Core::may_send() const {
  bool result = false;
  for_each_running([&](const Engine::Core& engine) { result = result || engine.may_send(); });
  return result;
}

void Dispatcher::Core::wake() {
  if (pump_posted_) {
    return;
  }
  pump_posted_ = true;
  loop_.post([this] {
    pump_posted_ = false;
    pump();
  });
}

/// One turn of the loop, for all engines.
void Dispatcher::Core::pump() {
  for_each_running([](Engine::Core& engine) { engine.take_arrivals(); });
  if (may_send()) {
    for_each_running([](Engine::Core& engine) { engine.fund_parked(); });
    open_trials();
    assignments_.clear();
    scheduler_.decide(loop_.now(), assignments_);
    for (const sched::Assignment& assignment : assignments_) {
      owner(assignment.ticket).bind(assignment);
    }
    observe_losses(false);
  }
  for_each_running([](Engine::Core& engine) { engine.end_turn(); });
  arm_timer();
}

void Dispatcher::Core::open_trials() {
  for (std::size_t model = 0; model < topology_.models.size(); ++model) {
    std::size_t wanted = scheduler_.has_usable_route(model) ? scheduler_.wants_open(model) : 0;
    while (wanted > 0 && open_next(model)) {
      --wanted;
    }
  }
}

/// A dialogue of the cell that the scheduler names, so that all cells end together, of whatever
/// campaign. False: no engine may begin one.
bool Dispatcher::Core::open_next(std::size_t model) {
  std::size_t open = 0;
  for_each_running([&](const Engine::Core& engine) { open += engine.open_count(); });
  if (open >= options_.open_max) {
    return false;
  }
  bool any = false;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Engine::Core* engine = members_[i].engine;
    may_open_[i] = engine != nullptr && engine->is_running() && engine->may_begin(model);
    any = any || may_open_[i];
  }
  if (!any) {
    return false;
  }
  const std::optional<std::size_t> group = scheduler_.opens_next(
      model, [this](std::size_t one) { return may_open_[owner_of_group(one)]; });
  if (!group) {
    return false;
  }
  const Member& member = members_[owner_of_group(*group)];
  member.engine->open_next(*group - member.first_group);
  return true;
}

void Dispatcher::Core::ended() {
  bool any = false;
  for_each_running([&](const Engine::Core&) { any = true; });
  if (any) {
    wake();
  } else {
    cancel_timer();
  }
}

void Dispatcher::Core::cancel_timer() {
  if (timer_at_.has_value()) {
    loop_.cancel(timer_);
    timer_at_.reset();
  }
}

void Dispatcher::Core::arm_timer() {
  std::optional<base::Instant> next;
  const auto add = [&next](const std::optional<base::Instant>& at) {
    if (at.has_value()) {
      next = next.has_value() ? std::min(*next, *at) : *at;
    }
  };
  if (may_send()) {
    add(scheduler_.next_decision(loop_.now()));
  }
  for_each_running([&](const Engine::Core& engine) { add(engine.next_check()); });
  if (next == timer_at_) {
    return;
  }
  cancel_timer();
  timer_at_ = next;
  if (next.has_value()) {
    timer_ = loop_.at(*next, [this] {
      timer_at_.reset();
      pump();
    });
  }
}

std::vector<LimitUse> Dispatcher::Core::limits() const {
  const base::Instant now = loop_.now();
  std::vector<LimitUse> limits;
  for (const quota::DomainStatus& domain : scheduler_.domain_status(now)) {
    std::optional<base::Duration> closed_for;
    if (domain.gate.has_value() && *domain.gate > now) {
      closed_for = *domain.gate - now;
    }
    for (const quota::LimitStatus& limit : domain.limits) {
      limits.push_back({.domain = domain.name,
                        .limit = limit.limit,
                        .used = limit.used,
                        .allowed = limit.allowed,
                        .closed_for = closed_for,
                        .learned = limit.source != quota::LimitSource::declared,
                        .confidence = limit.confidence});
    }
  }
  return limits;
}

std::vector<SharedLimit> Dispatcher::Core::shared_limits() const {
  const std::vector<sched::SharedPool> shared = scheduler_.shared_pools();
  std::vector<SharedLimit> result;
  if (shared.empty()) {
    return result;
  }
  const std::vector<LimitUse> in_force = limits();
  for (const sched::SharedPool& one : shared) {
    result.push_back(describe(one, topology_, in_force));
  }
  return result;
}

Dispatcher::Dispatcher(const spec::Topology& topology,
                       aio::Loop& loop,
                       const DispatcherOptions& options)
    : core_(std::make_unique<Core>(topology, loop, options)) {}

Dispatcher::~Dispatcher() = default;

std::vector<LimitUse> Dispatcher::limits() const {
  return core_->limits();
}

std::vector<SharedLimit> Dispatcher::shared_limits() const {
  return core_->shared_limits();
}

}  // namespace sortie::engine
