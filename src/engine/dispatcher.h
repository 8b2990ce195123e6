#pragma once

#include "sortie/aio/loop.h"
#include "sortie/engine/budget.h"
#include "sortie/engine/context.h"
#include "sortie/engine/status.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace sortie::engine {

struct DispatcherOptions {
  sched::SchedulerOptions scheduling = scheduling_defaults();
  std::size_t open_max = 10000;  // dialogues at once, of all campaigns
  FundLimits funds;              // of all their ledgers together, beside what each has of its own
};

/// What the campaigns of a process have in common: one scheduler with every limit, one turn of the
/// loop, one account of the time. Engines join it when they are made and share its limits by the
/// work that each has left and by their campaigns' `share`; what one leaves unused, the others
/// take. Lives on the loop's thread; must outlive its engines.
class Dispatcher {
 public:
  /// `topology` is that of every engine which joins; it and the loop outlive the dispatcher.
  Dispatcher(const spec::Topology& topology, aio::Loop& loop, const DispatcherOptions& options);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Every limit in force, and what of it all campaigns use.
  [[nodiscard]] std::vector<LimitUse> limits() const;

  /// Routes that seem to share a limit which nobody declared.
  [[nodiscard]] std::vector<SharedLimit> shared_limits() const;

 private:
  friend class Engine;
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace sortie::engine
