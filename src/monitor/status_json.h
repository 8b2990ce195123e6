#pragma once

#include "sortie/base/json.h"
#include "sortie/engine/status.h"

#include <optional>
#include <vector>

namespace sortie::monitor {

/// What GET /v1/status answers: stable field names, durations in seconds, money in micro-dollars.
[[nodiscard]] json::Value to_json(const engine::RunStatus& status);

/// Elements of its members "scenarios", "routes" and "limits".
[[nodiscard]] json::Value to_json(const engine::ScenarioProgress& scenario);
[[nodiscard]] json::Value to_json(const engine::RouteProgress& route);
[[nodiscard]] json::Value to_json(const engine::LimitUse& use);

/// Its member "shared_limits".
[[nodiscard]] json::Array to_json(const std::vector<engine::SharedLimit>& shared);

/// Its member "budget".
[[nodiscard]] json::Value to_json(const engine::BudgetUse& budget);
[[nodiscard]] json::Value to_json(const std::optional<engine::TimeLeft>& left);

}  // namespace sortie::monitor
