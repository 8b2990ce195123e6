#include "sortie/testbed/referee.h"

#include "sortie/base/time.h"
#include "sortie/sim/pools.h"
#include "sortie/testbed/judge.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::testbed {

namespace {

double tokens_of(const Instance& instance, const Attempt& attempt, bool with_output) {
  const Dialogue& dialogue = instance.workload.dialogues[attempt.dialogue];
  const Turn& turn = instance.workload.turn(dialogue, attempt.turn);
  return turn.input + (with_output ? turn.output : 0.0);
}

}  // namespace

Referee::Referee(const Instance& instance, const PolicySpec& spec, const Judge& judge)
    : instance_(instance),
      judge_(judge),
      was_told_truth_(
          (spec.knowledge == Knowledge::declared || spec.knowledge == Knowledge::quotas) &&
          !instance.scenario.told),
      episodes_(judge.pools().size()),
      gated_until_(routes_of(instance.scenario).size()) {
  outcome_.bound = instance.bound;
  outcome_.planned = instance.workload.turns.size();
  outcome_.cell_finished.resize(instance.workload.cells);
  outcome_.model_finished.resize(instance.scenario.models.size());
  outcome_.answered_by_route.resize(gated_until_.size());
}

void Referee::departed(const Attempt& attempt, base::Instant now) {
  outcome_.gate_violations += now < gated_until_[attempt.route] ? 1U : 0U;
}

bool Referee::knows_limits(base::Instant now) const {
  if (!was_told_truth_) {
    return false;
  }
  const double seconds = base::seconds(now - base::Instant());
  return std::none_of(
      instance_.incidents.begin(), instance_.incidents.end(), [&](const TimedIncident& incident) {
        return incident.what.kind == IncidentKind::limits_scaled && incident.from <= seconds;
      });
}

void Referee::ruled(const Attempt& attempt,
                    const Ruling& ruling,
                    base::Instant departed,
                    base::Instant now) {
  if (ruling.is_admitted) {
    for (const std::size_t pool : judge_.pools_of(attempt.route)) {
      FirstEpisode& episode = episodes_[pool];
      if (episode.told_at && !episode.recovered_at && departed >= *episode.told_at) {
        episode.recovered_at = departed;
      }
    }
    return;
  }
  if (!ruling.refused_by) {
    outcome_.failed += 1;
    return;
  }
  const FirstEpisode& episode = episodes_[*ruling.refused_by];
  const bool is_first = !episode.recovered_at || departed < *episode.recovered_at;
  (is_first ? outcome_.rejected_first : outcome_.rejected) += 1;
  outcome_.over_declared += knows_limits(now) ? 1U : 0U;
}

void Referee::told(const Attempt& attempt, const Ruling& ruling, base::Instant now) {
  if (!ruling.refused_by) {
    return;
  }
  FirstEpisode& episode = episodes_[*ruling.refused_by];
  if (!episode.told_at) {
    episode.told_at = now;
  }
  if (ruling.signal.wait) {
    base::Instant& gate = gated_until_[attempt.route];
    gate = std::max(gate, now + *ruling.signal.wait);
  }
}

void Referee::answered(const Attempt& attempt) {
  outcome_.accepted += 1;
  outcome_.answered_by_route[attempt.route] += 1;
  useful_tokens_ += tokens_of(instance_, attempt, /*with_output=*/true);
}

void Referee::stalled(const Attempt& attempt) {
  outcome_.failed += 1;
  wasted_tokens_ += tokens_of(instance_, attempt, /*with_output=*/false);
}

void Referee::ended(std::uint32_t dialogue, bool lost, base::Instant now) {
  const Dialogue& of = instance_.workload.dialogues[dialogue];
  const double seconds = base::seconds(now - base::Instant());
  outcome_.lost += lost ? 1U : 0U;
  outcome_.makespan = seconds;
  outcome_.cell_finished[of.cell] = seconds;
  outcome_.model_finished[of.model] = seconds;
}

void Referee::decided(std::size_t bound) {
  outcome_.decisions += 1;
  outcome_.bound_requests += bound;
}

void Referee::timed_out(std::size_t unfinished) {
  outcome_.timed_out = true;
  outcome_.lost += unfinished;
  outcome_.makespan = kMakespanMax * outcome_.bound;
}

Outcome Referee::outcome(const Judge& judge) const {
  Outcome result = outcome_;
  result.waste = useful_tokens_ > 0 ? wasted_tokens_ / useful_tokens_ : 0;
  for (const sim::PoolReport& pool : judge.report()) {
    result.overrun = std::max(result.overrun, pool.peak_demand - 1);
  }
  return result;
}

}  // namespace sortie::testbed
