#pragma once

#include "sortie/dialogue/transcript.h"
#include "sortie/ledger/records.h"
#include "sortie/quota/signal.h"
#include "sortie/score/score.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/model.h"

#include <string>
#include <string_view>
#include <vector>

// Values of the other modules as ledger facts.

namespace sortie::engine {

[[nodiscard]] ledger::CellRecord to_record(const spec::Topology& topology, const spec::Cell& cell);

[[nodiscard]] ledger::ScoreRecord to_record(ledger::TrialId trial, const score::Score& score);

/// The tool calls of a finished dialogue, in order.
[[nodiscard]] std::vector<ledger::CallRecord> calls_of(ledger::TrialId trial,
                                                       const dialogue::Transcript& transcript);

/// The infrastructure outcome that a trial ends with when its last attempt failed like this.
[[nodiscard]] std::string_view outcome_of(quota::SignalClass kind);

/// Micro-dollars.
[[nodiscard]] std::int64_t cost_of(const spec::Price& price, const chat::Usage& usage);

}  // namespace sortie::engine
