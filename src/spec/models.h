#pragma once

#include "sortie/spec/model.h"
#include "sortie/spec/node.h"

#include <vector>

namespace sortie::spec {

/// The `models:` section of an endpoints file. Sampling is resolved: defaults of the workload, then
/// what the file says, then what the model refuses is cleared. `simulated` is left to the routes.
[[nodiscard]] std::vector<Model> read_models(const Node& node, Problems& problems);

}  // namespace sortie::spec
