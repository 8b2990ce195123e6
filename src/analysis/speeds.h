#pragma once

#include "sortie/analysis/result_table.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/ledger/reader.h"

#include <string>
#include <vector>

namespace sortie::analysis {

/// How fast one start of a run was: the ledger's event "run_speed", which the engine writes at its
/// orderly end. A start that was killed has none.
struct StartSpeed {
  std::string ended;   // ISO 8601
  json::Value detail;  // as docs/design/ledger.md says
};

[[nodiscard]] base::Result<std::vector<StartSpeed>> read_speeds(ledger::Reader& reader);

/// One row per start: its time, the bound, the limit that decides, seconds lost by reason.
[[nodiscard]] ResultTable speed_table(const std::vector<StartSpeed>& speeds, Language language);

}  // namespace sortie::analysis
