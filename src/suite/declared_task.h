#pragma once

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/data_reader.h"
#include "sortie/suite/task.h"

#include <optional>
#include <vector>

namespace sortie::suite {

/// A task as a user's suite writes it (docs/reference/suites.md): steps counted from 1 and named as
/// {step: 1}, goal and order taken from the plan, eligible if all flaws apply. nullopt after a
/// problem; paths begin with `path`. `catalog` holds declared tools.
[[nodiscard]] std::optional<Task> declared_task(const ToolCatalog& catalog,
                                                const json::Value& value,
                                                const DataPath& path,
                                                std::vector<DataProblem>& problems);

}  // namespace sortie::suite
