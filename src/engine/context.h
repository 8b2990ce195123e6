#pragma once

#include "sortie/base/secret.h"
#include "sortie/base/time.h"
#include "sortie/dialogue/rules.h"
#include "sortie/engine/budget.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/model.h"
#include "sortie/suite/suite.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sortie::engine {

/// The immutable inputs of a run. Everything referred to outlives the engine.
struct RunContext {
  const suite::Suite* suite = nullptr;
  const dialogue::Rules* rules = nullptr;
  const spec::Topology* topology = nullptr;
  const spec::Campaign* campaign = nullptr;
  const std::vector<std::vector<base::Secret>>* secrets =
      nullptr;  // [endpoint][key]; empty secret: none is sent
};

/// What a run begins with where nobody says otherwise.
[[nodiscard]] inline sched::SchedulerOptions scheduling_defaults() {
  sched::SchedulerOptions options;
  options.dead_key_recheck = std::chrono::seconds(60);
  options.window_first = 32;
  return options;
}

struct EngineOptions {
  sched::SchedulerOptions scheduling = scheduling_defaults();  // unless a dispatcher is shared
  base::Duration patience = std::chrono::minutes(15);          // without any life on any route
  base::Duration trial_deadline =
      std::chrono::hours(1);  // of request time; waiting for limits is not counted
  base::Duration commit_latency =
      std::chrono::milliseconds(1);  // of an inline ledger, in virtual time
  bool retry_losses = false;         // open trials that ended with an infrastructure outcome again
  std::size_t open_max = 10000;      // dialogues at once, unless a dispatcher is shared
  FundLimits funds;                  // of the whole ledger, earlier runs included
  std::optional<base::WallTime> deadline;  // no request is sent after it
};

/// Key of a trial: spec's rule with dialogue's digests filled in.
[[nodiscard]] base::Digest key_of(const RunContext& context, const spec::Trial& trial);

}  // namespace sortie::engine
