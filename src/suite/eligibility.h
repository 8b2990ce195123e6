#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <array>

namespace sortie::suite {

inline constexpr std::array kFlawsOfEligible = {Flaw::sequence_disorder,
                                                Flaw::tool_misuse,
                                                Flaw::parameter_error,
                                                Flaw::missing_step,
                                                Flaw::redundant_operations,
                                                Flaw::logical_inconsistency,
                                                Flaw::semantic_drift};

/// Whether all seven flaws apply to a task at severe, and every one that is offered does to a
/// literal reader what it says (docs/design/benchmark.md): then flawed cells and the right plan's
/// cell can have this task in common.
[[nodiscard]] bool flaws_apply(const ToolCatalog& catalog, const Task& task);

}  // namespace sortie::suite
