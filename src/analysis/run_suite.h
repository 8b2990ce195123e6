#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"
#include "sortie/suite/suite.h"

namespace sortie::analysis {

/// The suite that a run was made with: a user's from the run's own manifest, so that it needs no
/// folder, else the built-in one.
[[nodiscard]] base::Result<suite::Suite> suite_of(ledger::Reader& reader);

}  // namespace sortie::analysis
