#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <optional>
#include <vector>

// Mutated plans (docs/design/benchmark.md). A mutation is a pure function of the task's content,
// the flaw and the severity; the places of a lower severity are among those of a higher one.

namespace sortie::suite {

struct FlawedPlan {
  std::vector<Step> steps;
  std::vector<std::size_t> places;  // positions in the *right* plan where it was changed, ascending
};

/// The plan with this flaw, before severities are compared with each other; nullopt if the task is
/// too short or no fitting change exists.
[[nodiscard]] std::optional<FlawedPlan> mutate(const ToolCatalog& catalog,
                                               const Task& task,
                                               Flaw flaw,
                                               Severity severity);

/// As mutate(), but nullopt also where a higher severity gives the same plan, or where the plan is
/// the right one.
[[nodiscard]] std::optional<FlawedPlan> flawed_plan(const ToolCatalog& catalog,
                                                    const Task& task,
                                                    Flaw flaw,
                                                    Severity severity);

/// Equal steps in equal order.
[[nodiscard]] bool same_plan(const std::vector<Step>& a, const std::vector<Step>& b);

}  // namespace sortie::suite
