#pragma once

#include "sortie/analysis/agent_plays.h"
#include "sortie/analysis/run_columns.h"
#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <string>

// What was read of a large ledger, and what was played for its reports, kept beside it: the next
// report reads only the facts that are new.

namespace sortie::analysis {

/// The columns of the caller's snapshot: those in the directory with what is new, or else read
/// anew. Kept there if that saves the next one much.
[[nodiscard]] base::Result<RunColumns> cached_columns(ledger::Reader& reader,
                                                      const std::string& directory);

/// The dialogues of scripted agents that were kept, none without a file. `about` says of which
/// suite and seed.
[[nodiscard]] PlayBook load_plays(const std::string& directory, const std::string& about);

void store_plays(const std::string& directory, const std::string& about, PlayBook& book);

}  // namespace sortie::analysis
