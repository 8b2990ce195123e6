#pragma once

#include "sortie/analysis/reused.h"
#include "sortie/analysis/summary.h"
#include "sortie/base/json.h"
#include "sortie/engine/engine.h"

#include <span>
#include <string>
#include <vector>

namespace sortie::app {

/// What is known of a campaign when its run has ended.
struct RunOutcome {
  std::string directory;
  std::string again;  // "sortie run …", which goes on with it
  engine::RunResult result;
  engine::RunStatus status;
  analysis::Summary summary;
  std::vector<analysis::ReusedLine> reused;
};

/// The worst of all: 3 (refused or failed), 130 (interrupted), 1 (losses), 0.
[[nodiscard]] int exit_code_of(std::span<const RunOutcome> outcomes);

/// One document; of several campaigns with the list "campaigns".
[[nodiscard]] json::Value to_json(std::span<const RunOutcome> outcomes);

/// Tables and what to do next.
[[nodiscard]] std::string to_text(std::span<const RunOutcome> outcomes);

}  // namespace sortie::app
