#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/engine/control.h"

// The body of POST /v1/control, version 1:
//   {"action": "limit", "target": "alpha/key-1", "reason": "…", "dry_run": false,
//    "limits": [{"kind": "requests", "quota": 600, "window_seconds": 60}],   (limit)
//    "kinds": ["tokens"],                                                    (unlimit)
//    "weight": 2}                                                            (share)
// Only "action" is needed by all.

namespace sortie::monitor {

[[nodiscard]] json::Value to_json(const engine::ControlCommand& command);

/// Everything but the author, whom the server knows. Errors name the member and what was expected.
[[nodiscard]] base::Result<engine::ControlCommand> control_from_json(const json::Value& value);

}  // namespace sortie::monitor
