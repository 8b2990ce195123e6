#pragma once

#include "sortie/base/json.h"

#include <string>
#include <utility>
#include <vector>

namespace sortie::monitor {

/// The statuses of runs that go on, by name, in Prometheus' text format 0.0.4: what
/// docs/guide/watching.md lists. Runs that do not answer have none.
[[nodiscard]] std::string prometheus_text(
    const std::vector<std::pair<std::string, json::Value>>& runs);

}  // namespace sortie::monitor
