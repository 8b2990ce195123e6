#pragma once

#include "sortie/analysis/phrases.h"
#include "sortie/analysis/summary.h"
#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"
#include "sortie/score/diagnosis.h"

#include <map>
#include <string>

namespace sortie::analysis {

/// What to know before a cell at 0 or 100 % is believed: repairs, losses, ends, labels, served
/// model, three transcripts. By cell id; no entry for other cells.
[[nodiscard]] base::Result<std::map<std::string, std::string>> diagnose_cells(
    ledger::Reader& reader, const Summary& summary, const Phrases& say);

/// "0 of 20 succeeded: 35 % of 200 turns repaired, …; look at trials 3, 17, 40".
[[nodiscard]] std::string to_text(const score::Diagnosis& diagnosis, const Phrases& say);

}  // namespace sortie::analysis
