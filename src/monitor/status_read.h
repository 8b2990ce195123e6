#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/engine/status.h"

namespace sortie::monitor {

/// The status that another process told (to_json() of it, GET /v1/status), so that it can be shown
/// here. A member that is missing or of another type leaves its default: that process may be of
/// another version. Of what is not shown in words the limits' costs and the report of the speed are
/// not told. Error: the document is no status.
[[nodiscard]] base::Result<engine::RunStatus> status_from_json(const json::Value& document);

}  // namespace sortie::monitor
