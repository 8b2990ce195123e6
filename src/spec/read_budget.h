#pragma once

#include "sortie/spec/budget.h"
#include "sortie/spec/node.h"

namespace sortie::spec {

/// The `budget:` of a campaign file.
[[nodiscard]] Budget read_budget(const Node& node, Problems& problems);

}  // namespace sortie::spec
