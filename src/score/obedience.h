#pragma once

#include "sortie/dialogue/transcript.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/shown_plans.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <optional>

// How far a model went along with a flawed plan (docs/design/benchmark.md defines "followed" per
// flaw). The shown plan is made again from the trial's parameters, its flaws are found by the
// detector.

namespace sortie::score {

struct Obedience {
  int places = 0;    // where the shown plan is flawed
  int followed = 0;  // of them, before the right step had succeeded
};

/// nullopt: no flawed plan was shown.
[[nodiscard]] std::optional<Obedience> obedience(const suite::ToolCatalog& catalog,
                                                 const dialogue::Transcript& transcript,
                                                 const suite::Task& task,
                                                 const suite::TrialParams& params);

/// The same; makes no plan twice.
[[nodiscard]] std::optional<Obedience> obedience(const suite::ShownPlans& plans,
                                                 const dialogue::Transcript& transcript,
                                                 const suite::Task& task,
                                                 const suite::TrialParams& params);

}  // namespace sortie::score
