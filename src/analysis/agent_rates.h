#pragma once

#include "sortie/analysis/agent_plays.h"
#include "sortie/analysis/scenario_tables.h"
#include "sortie/analysis/trial_rows.h"
#include "sortie/suite/suite.h"

#include <cstdint>
#include <vector>

namespace sortie::analysis {

/// What the scripted agents of score::kTableAgents achieve in each setting, over the trials that
/// some model has scored in it: the same tasks, repeats and tool luck. Played, not stored, and each
/// dialogue once. A setting with a task that `suite` does not have, or that it cannot show, has no
/// rate.
[[nodiscard]] std::vector<ReferenceRates> agent_rates(const RunRows& rows,
                                                      const suite::Suite& suite,
                                                      std::uint64_t seed);

/// The same; what `book` holds of this suite and seed is not played again, what it lacks is added.
[[nodiscard]] std::vector<ReferenceRates> agent_rates(const RunRows& rows,
                                                      const suite::Suite& suite,
                                                      std::uint64_t seed,
                                                      PlayBook& book);

}  // namespace sortie::analysis
