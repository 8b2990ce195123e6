#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

// What is wrong with a plan, seen from the right plan and the shown one alone: how the shown plan
// came about is unknown here. One definition per flaw (docs/design/benchmark.md), so that a plan
// may have none, one or several.

namespace sortie::suite {

/// One place where a shown plan has a flaw.
struct Sighting {
  Flaw flaw = Flaw::none;
  Place place;  // in the right plan

  /// The shown step that somebody attempts who follows the plan here: the later step of a reversed
  /// pair, the step shown in place of the right one, the step with the wrong values, the next shown
  /// step that needs the missing one (nullopt: none does), the extra step, the second step of a
  /// pair that does not fit.
  std::optional<std::size_t> shown;

  /// The shown step that gives the input: with sequence_disorder the earlier step of the pair, with
  /// logical_inconsistency the step whose result does not fit.
  std::optional<std::size_t> input;

  std::vector<std::string> parameters;  // parameter_error: missing, ill-typed or wrong
};

/// Everything found, ordered by flaw and place.
[[nodiscard]] std::vector<Sighting> detect(const ToolCatalog& catalog,
                                           const Task& task,
                                           std::span<const Step> shown_plan);

/// Per shown step, the right step that it is, does again or stands in place of; nullopt: none.
[[nodiscard]] std::vector<std::optional<std::size_t>> counterparts(
    const ToolCatalog& catalog, const Task& task, std::span<const Step> shown_plan);

/// The flaws among sightings.
[[nodiscard]] std::set<Flaw> flaws_of(std::span<const Sighting> sightings);

}  // namespace sortie::suite
