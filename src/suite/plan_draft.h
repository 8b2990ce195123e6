#pragma once

#include "sortie/base/random.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/sequences.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

// From a sequence of tools to a plan with values that work.

namespace sortie::suite {

/// A plan for the sequence with drawn values, or nullopt if a drawn value led into an error of the
/// world. Each step is carried out while it is drawn, so that conditions keep rows and fields
/// exist.
[[nodiscard]] std::optional<std::vector<Step>> draft_plan(const ToolCatalog& catalog,
                                                          const Sequence& sequence,
                                                          base::RandomStream& random);

/// The goal that a plan reaches: every step with all its values, fed as in the plan.
[[nodiscard]] Goal goal_of(const ToolCatalog& catalog, const std::vector<Step>& plan);

/// Whether two goals ask for the same: equal operations with equal values, fed alike, whatever the
/// order in which they are listed. Two inputs of one operation may change places, as in the world.
[[nodiscard]] bool same_goal(const ToolCatalog& catalog, const Goal& a, const Goal& b);

/// Every pair of steps of which the second needs the first, directly or not.
[[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> order_of(
    const std::vector<Step>& plan);

}  // namespace sortie::suite
