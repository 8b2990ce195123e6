#pragma once

#include "sortie/analysis/summary.h"
#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <map>
#include <string>

namespace sortie::analysis {

/// What to know before a cell at 0 or 100 % is believed: repairs, losses, ends, labels, served
/// model, three transcripts. By cell id; no entry for other cells.
[[nodiscard]] base::Result<std::map<std::string, std::string>> diagnose_cells(
    ledger::Reader& reader, const Summary& summary);

}  // namespace sortie::analysis
