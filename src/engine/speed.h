#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/engine/learned_limits.h"
#include "sortie/engine/loss_meter.h"
#include "sortie/sched/bound.h"
#include "sortie/spec/model.h"

#include <string>
#include <vector>

namespace sortie::engine {

/// How fast a run was, against the shortest time in which its limits, declared or learned, would
/// have allowed exactly the answers that it got.
struct SpeedReport {
  double seconds = 0;        // from the start to the last answer
  double bound_seconds = 0;  // 0: nothing is known that would have taken any time
  std::string domain;        // of the limit that decides; "" when the longest dialogue does
  std::string limit;         // "requests", …
  bool has_losses = false;   // else no known limit decides, and nothing is said about them
  // A limit that was learned decides, as it was believed to be at the end: the bound is an
  // estimate. How sure the scheduler is of the least sure one: 0 to 1.
  bool is_estimate = false;
  double confidence = 1;
  Losses losses{};  // seconds; they add up to seconds − bound_seconds

  [[nodiscard]] double fraction() const { return seconds > 0 ? bound_seconds / seconds : 0; }
};

/// `pools`: of with_pools(), the meter's own topology. `work`: the requests that were answered.
/// Where several limits decide together, their losses are weighed by how much more of each would
/// save; what then remains to seconds − bound is placement: work that went over limits with a
/// smaller weight than in the best plan, or, if negative, over what a limit had saved up or did not
/// have all the time.
[[nodiscard]] base::Result<SpeedReport> speed_of(const spec::Topology& pools,
                                                 const KnownLimits& known,
                                                 const std::vector<sched::WorkClass>& work,
                                                 const LossMeter& meter,
                                                 double seconds);

/// Stable field names, for the ledger's event "run_speed".
[[nodiscard]] json::Value to_json(const SpeedReport& report);

}  // namespace sortie::engine
