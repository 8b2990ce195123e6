#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

namespace sortie::suite {

/// Whether all seven flaws apply to a task at severe, and every one that is offered does to a
/// literal reader what it says (docs/design/benchmark.md): then flawed cells and the right plan's
/// cell can have this task in common.
[[nodiscard]] bool flaws_apply(const ToolCatalog& catalog, const Task& task);

}  // namespace sortie::suite
