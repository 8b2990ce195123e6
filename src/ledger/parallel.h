#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <functional>
#include <span>

namespace sortie::ledger {

/// Part of a reading that needs nothing of the other parts.
using ReadingJob = std::function<void(Reader&)>;

/// Runs the jobs on all cores, begun in their order, and returns when all have ended. Each sees the
/// snapshot of `reader` (the caller's, else one of this call), through a reader of its thread.
/// While a run goes on no second reader can have the same snapshot: then the calling thread does
/// all.
[[nodiscard]] base::Status read_in_parallel(Reader& reader, std::span<const ReadingJob> jobs);

}  // namespace sortie::ledger
