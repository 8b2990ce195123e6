#pragma once

#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/content.h"
#include "sortie/suite/task.h"

#include <optional>
#include <string_view>
#include <vector>

// Drawing argument values: for tasks, and for the wrong values of flawed plans.

namespace sortie::suite {

/// A whole number from the property's range that reads well: few digits, round where the range is
/// wide.
[[nodiscard]] json::Value sample_number(const json::Value& property, base::RandomStream& random);

/// One of the property's choices.
[[nodiscard]] json::Value sample_choice(const json::Value& property, base::RandomStream& random);

/// A value that fits a property, whatever the task needs; fields are those of `subject`.
[[nodiscard]] json::Value sample_value(std::string_view parameter,
                                       const json::Value& property,
                                       const Subject& subject,
                                       base::RandomStream& random);

/// A value of the same type that differs and still fits the property; nullopt if there is none.
[[nodiscard]] std::optional<json::Value> other_value(const json::Value& property,
                                                     const json::Value& value,
                                                     const Subject& subject,
                                                     base::RandomStream& random);

/// A value of a type that the property does not take.
[[nodiscard]] json::Value ill_typed_value(const json::Value& property);

/// The subject of the first path or address in a plan.
[[nodiscard]] const Subject& subject_of_plan(const ToolCatalog& catalog,
                                             const std::vector<Step>& plan);

}  // namespace sortie::suite
