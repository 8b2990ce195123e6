#pragma once

#include "sortie/base/json.h"
#include "sortie/suite/data_reader.h"

#include <vector>

namespace sortie::suite {

/// The parameters of a user's tool: the JSON Schema of a closed object, in the subset that
/// arguments.h checks. `required` and `additionalProperties: false` are filled in where they are
/// absent; whatever is outside the subset is a problem, never ignored.
[[nodiscard]] json::Value read_parameters(const json::Value& schema,
                                          const DataPath& path,
                                          std::vector<DataProblem>& problems);

}  // namespace sortie::suite
