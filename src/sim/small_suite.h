#pragma once

#include "sortie/suite/suite.h"

namespace sortie::sim {

/// Two tasks over the pilot's tools, a chain and a branch that joins, for tests that must not
/// change when the pilot's tasks do.
[[nodiscard]] suite::Suite small_suite();

}  // namespace sortie::sim
