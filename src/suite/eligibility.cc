#include "sortie/suite/eligibility.h"

#include "sortie/suite/catalog.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaw_detector.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <set>

namespace sortie::suite {

namespace {

bool applies(const ToolCatalog& catalog, const Task& task, Flaw flaw, Severity severity) {
  const auto flawed = flawed_plan(catalog, task, flaw, severity);
  if (!flawed) {
    // Below severe a flaw may coincide with a stronger one; then it is not offered.
    return severity != Severity::severe;
  }
  const bool reached = execute_literally(catalog, task, flawed->steps).world.goal_met();
  return reached == (flaw == Flaw::redundant_operations) &&
         flaws_of(detect(catalog, task, flawed->steps)) == std::set<Flaw>{flaw};
}

}  // namespace

bool flaws_apply(const ToolCatalog& catalog, const Task& task) {
  return std::ranges::all_of(kPlanFlaws, [&](Flaw flaw) {
    return std::ranges::all_of(
        kSeverities, [&](Severity severity) { return applies(catalog, task, flaw, severity); });
  });
}

}  // namespace sortie::suite
