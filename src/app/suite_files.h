#pragma once

#include "sortie/base/error.h"
#include "sortie/suite/suite.h"

#include <cstdint>
#include <string>
#include <vector>

// Files that `sortie suite` writes.

namespace sortie::app {

/// The task files of the generator, one per type, into a folder. Returns their paths.
[[nodiscard]] base::Result<std::vector<std::string>> write_generated_tasks(
    const std::string& directory, std::uint64_t seed);

/// A sheet for readers (50 texts of each level, without their solution) and its key, into a folder:
/// that people understand the texts cannot be computed. Returns their paths.
[[nodiscard]] base::Result<std::vector<std::string>> write_review_sheet(
    const suite::Suite& suite, const std::string& directory);

}  // namespace sortie::app
