#pragma once

#include "sortie/base/error.h"
#include "sortie/spec/model.h"
#include "sortie/suite/suite.h"

#include <cstddef>
#include <functional>
#include <map>
#include <string>

// A user's suite: a folder with suite.yaml and the files that it names (docs/reference/suites.md).
// Every error begins with "file:line:column: ", says which task or tool it is about, which rule is
// broken and what was expected; at most ten per file are shown.

namespace sortie::spec {

struct LoadedSuite {
  suite::Suite suite;
  std::string file;                                     // suite.yaml, as opened
  std::map<std::string, Position, std::less<>> places;  // where each task stands, by id
};

inline constexpr std::size_t kSuiteToolsMax = 128;  // what a provider takes as functions
inline constexpr std::size_t kSuiteTasksMax = 10'000;
inline constexpr std::size_t kSuiteFilesMax = 100;

/// Reads suite.yaml (or .yml, .json) of a folder, and the files that it names.
[[nodiscard]] base::Result<LoadedSuite> load_suite(const std::string& folder);

/// The suite of a folder; of "" the built-in one.
[[nodiscard]] base::Result<suite::Suite> suite_in(const std::string& folder);

/// The suite that a campaign file names: the built-in one, or a folder relative to the file.
[[nodiscard]] base::Result<suite::Suite> load_suite_of(const std::string& campaign_path);

}  // namespace sortie::spec
