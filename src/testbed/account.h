#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/loss_meter.h"
#include "sortie/engine/speed.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/bound.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace sortie::testbed {

/// Sortie's own account of a campaign, kept as the engine keeps it: how near to the bound the run
/// says that it came, from what it knows of limits. Internal to the module.
class Account {
 public:
  explicit Account(const spec::Topology& topology);

  /// A turn of this ticket will be bound.
  void asks(const sched::ReadyTurn& turn);

  void took(const sched::Assignment& assignment, base::Instant now);
  void answered(const sched::Assignment& assignment,
                double input_tokens,
                double output_tokens,
                base::Instant now);
  void failed(const sched::Assignment& assignment, const quota::Signal& signal, base::Instant now);

  /// nullopt: nothing was answered, or the limits have no bound.
  [[nodiscard]] std::optional<engine::SpeedReport> speed(const sched::Scheduler& scheduler,
                                                         double seconds) const;

 private:
  struct Open {
    std::size_t model = 0;
    quota::RequestSize size;
    base::Instant at;
  };

  spec::Topology pools_;
  engine::LossMeter meter_;
  std::vector<Open> open_;              // by ticket
  std::vector<sched::WorkClass> sums_;  // by model: sums, not means
};

}  // namespace sortie::testbed
