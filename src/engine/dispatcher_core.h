#pragma once

#include "sortie/engine/dispatcher.h"
#include "sortie/engine/engine.h"
#include "sortie/engine/latency.h"
#include "sortie/engine/learned_limits.h"
#include "sortie/engine/loss_meter.h"
#include "sortie/engine/speed.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// The dispatcher's state and its moves, shared by dispatcher.cc (the turn of the loop) and
// account.cc (the account of the time). Internal to the module.

namespace sortie::engine {

/// A budget with what the open dialogues are expected to use of it still.
struct Fund {
  Budget budget;
  Funds expected;

  /// One more dialogue of this size, with room for the reserve of its last request.
  [[nodiscard]] bool affords(const Funds& dialogue, const Funds& reserve) const {
    return !budget.is_limited() ||
           (budget.covers(reserve) && budget.covers_in_expectation(expected + dialogue + reserve));
  }
};

class Dispatcher::Core {
 public:
  Core(const spec::Topology& topology, aio::Loop& loop, const DispatcherOptions& options);

  /// The engine's place; `cells` groups from first_group() on are its own.
  std::size_t join(Engine::Core& engine, std::size_t cells, const Funds& spent);

  void leave(std::size_t place) { members_[place].engine = nullptr; }

  [[nodiscard]] std::size_t first_group(std::size_t place) const {
    return members_[place].first_group;
  }

  [[nodiscard]] std::size_t engines() const { return members_.size(); }

  /// Names of the other campaigns.
  [[nodiscard]] std::vector<std::string> beside(std::size_t place) const;

  /// The clock of the account starts with the first engine.
  void start();

  sched::Ticket take_ticket(std::size_t place);

  void give_back(sched::Ticket ticket) { free_.push_back(ticket); }

  /// Soon, or now.
  void wake();
  void pump();

  /// An engine has ended: the others go on without it.
  void ended();

  /// Calls `tell` with every other engine that runs.
  void tell_others(std::size_t place, const std::function<void(Engine::Core&)>& tell) const;

  // --- What requests of all campaigns do, by model.
  void bound(std::size_t model) { ++traffic_[model].under_way; }

  void landed(std::size_t model) { --traffic_[model].under_way; }

  /// Something was heard of a route of the model, or silence counts from `at` for another reason.
  void heard(std::size_t model, base::Instant at) {
    traffic_[model].last_life = std::max(traffic_[model].last_life, at);
  }

  /// How long an answer of the route took.
  void took(std::size_t route, base::Duration answer) { latencies_[route].add(answer); }

  [[nodiscard]] const LatencyHistogram& latency(std::size_t route) const {
    return latencies_[route];
  }

  [[nodiscard]] const DispatcherOptions& options() const { return options_; }

  [[nodiscard]] bool is_under_way(std::size_t model) const { return traffic_[model].under_way > 0; }

  [[nodiscard]] base::Instant last_life(std::size_t model) const {
    return traffic_[model].last_life;
  }

  // --- account.cc
  void observe_losses(bool at_once);
  /// What all campaigns got until now over the shared limits; nullopt: nothing was answered.
  [[nodiscard]] base::Result<std::optional<SpeedReport>> speed() const;

  [[nodiscard]] std::vector<LimitUse> limits() const;

  /// The topology as the bound on what is left sees it.
  [[nodiscard]] spec::Topology limits_in_force() const;

  /// Routes that seem to share a limit which nobody declared.
  [[nodiscard]] std::vector<SharedLimit> shared_limits() const;

  [[nodiscard]] const spec::Topology& topology() const { return topology_; }

  [[nodiscard]] sched::Scheduler& scheduler() { return scheduler_; }

  [[nodiscard]] LossMeter& losses() { return *losses_; }

  /// Routes that a person disabled, who may enable them again.
  [[nodiscard]] std::vector<bool>& taken_out() { return taken_out_; }

  [[nodiscard]] Fund& fund() { return fund_; }

 private:
  struct Member {
    Engine::Core* engine = nullptr;  // null: gone
    std::size_t first_group = 0;
    std::size_t end_group = 0;
  };

  struct Traffic {
    std::size_t under_way = 0;  // bound and not landed
    base::Instant last_life;
  };

  /// What decides why a limit domain is not used.
  struct DomainState {
    bool has_route = false;  // one that is not out
    bool is_ready = false;   // a turn waits that could use it
    bool has_more = false;   // trials are left to begin
    bool is_active = false;  // a model that uses it is not paused
    bool is_gated = false;
    bool is_learned = false;  // nothing is declared,
    bool is_unknown = false;  // and nothing is known yet
  };

  template <class Action>
  void for_each_running(Action action) const;
  [[nodiscard]] Engine::Core& owner(sched::Ticket ticket) const;
  [[nodiscard]] std::size_t owner_of_group(std::size_t group) const;
  [[nodiscard]] bool may_send() const;
  void open_trials();
  bool open_next(std::size_t model);
  void arm_timer();
  void cancel_timer();
  void judge_probing();
  void tell_shared_limits();
  [[nodiscard]] std::vector<DomainState> domain_states() const;
  [[nodiscard]] static Loss reason_for(const DomainState& state, bool has_waited);
  [[nodiscard]] std::vector<sched::WorkClass> work_done() const;

  const spec::Topology& topology_;
  const spec::Topology pools_;  // with_pools(): what the account of the time is about
  aio::Loop& loop_;
  DispatcherOptions options_;
  sched::Scheduler scheduler_;
  std::vector<Member> members_;
  std::vector<std::size_t> owners_;  // by ticket: place of its engine
  std::vector<sched::Ticket> free_;
  std::vector<Traffic> traffic_;             // by model
  std::vector<LatencyHistogram> latencies_;  // by route
  std::vector<bool> taken_out_;              // by route
  Fund fund_;                                // of all campaigns

  std::optional<base::Instant> started_;
  std::unique_ptr<LossMeter> losses_;  // from start()
  std::vector<bool> has_waited_;       // by domain: something waited for it once it had answered
  base::Instant next_observation_;
  base::Instant next_probing_check_;

  std::vector<sched::Assignment> assignments_;
  std::vector<bool> may_open_;  // by place
  bool pump_posted_ = false;
  aio::TimerId timer_;
  std::optional<base::Instant> timer_at_;
};

}  // namespace sortie::engine
