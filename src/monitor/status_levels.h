#pragma once

#include "sortie/base/json.h"
#include "sortie/engine/status.h"

namespace sortie::monitor {

/// The same status by the four levels at which work is held up, each with what is in flight, its
/// limits and their use (used ÷ allowed; null without a limit):
///   "providers": per provider of the endpoints file its sums, and its "instances": the routes,
///   each
///     with the limits that it drains (an instance's limit may be one of others too: "shared_by");
///   "cell_ranges": per model and scenario its cells, trials and requests in flight;
///   "in_flight": requests and open dialogues of the whole run.
[[nodiscard]] json::Value levels_json(const engine::RunStatus& status);

}  // namespace sortie::monitor
