#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <compare>
#include <cstddef>
#include <optional>
#include <vector>

// Mutated plans (docs/design/benchmark.md). A mutation is a pure function of the task's content,
// the flaw and the severity; the places of a lower severity are among those of a higher one.

namespace sortie::suite {

/// One place of a flaw, in positions of the right plan. Order and fit are matters of two steps:
/// there `before` gives a result that `step` takes; everywhere else both are the same.
struct Place {
  std::size_t step = 0;
  std::size_t before = 0;

  [[nodiscard]] static Place of(std::size_t step) { return {.step = step, .before = step}; }

  auto operator<=>(const Place&) const = default;
};

struct FlawedPlan {
  std::vector<Step> steps;
  std::vector<Place> places;  // what was changed, ascending
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
