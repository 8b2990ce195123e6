#pragma once

#include "sortie/base/json.h"
#include "sortie/engine/status.h"

namespace sortie::monitor {

/// What GET /v1/status answers: stable field names, durations in seconds, money in micro-dollars.
[[nodiscard]] json::Value to_json(const engine::RunStatus& status);

/// Its member "budget".
[[nodiscard]] json::Value to_json(const engine::BudgetUse& budget);

}  // namespace sortie::monitor
