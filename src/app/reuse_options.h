#pragma once

#include "sortie/base/error.h"
#include "sortie/engine/reuse.h"

#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace sortie::app {

/// --reuse RUN [RUN…]: shared by plan and run.
void add_reuse(CLI::App& command, std::vector<std::string>& runs);

/// Opens the runs that were named, each at one snapshot. `own`: the directories that would be
/// written, none of which can be a source. Errors: those of run_directory and of opening.
[[nodiscard]] base::Result<std::vector<engine::ReuseSource>> open_reuse(
    const std::vector<std::string>& runs, std::span<const std::string> own);

}  // namespace sortie::app
