#pragma once

#include "sortie/base/error.h"
#include "sortie/engine/budget.h"
#include "sortie/engine/context.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/records.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// What a ledger already holds of a campaign: so that the same command continues where it stopped.

namespace sortie::engine {

/// A trial that was begun and has no final outcome.
struct BegunTrial {
  ledger::TrialId id = 0;
  std::size_t cell = 0;
  std::uint64_t ordinal = 0;
  std::int64_t attempts_of_open_turn = 0;  // sent before for the turn that is open now
};

struct CellHistory {
  std::vector<bool> begun;  // by ordinal
  std::uint64_t scored = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t reused = 0;  // of scored: copied from other runs
  std::uint64_t lost = 0;    // final infrastructure outcomes that stay

  [[nodiscard]] bool is_begun(std::uint64_t ordinal) const {
    return ordinal < begun.size() && begun[ordinal];
  }
};

struct RunHistory {
  std::vector<CellHistory> cells;  // as Campaign::cells
  std::vector<BegunTrial> open;    // in the order they were begun
  std::uint64_t other_trials = 0;  // of cells that the campaign no longer has
  Funds spent;  // by every attempt of the ledger; where no bill is known, what was reserved
};

/// Reads the history and proves that nothing finished changed its meaning: a trial whose key is
/// another one under today's files is an error (refused), and so is a recorded cell that differs
/// from a planned one only in its identity (e.g. other sampling). `retry_losses` treats
/// infrastructure outcomes as open.
[[nodiscard]] base::Result<RunHistory> read_history(const RunContext& context,
                                                    ledger::Reader& reader,
                                                    bool retry_losses);

}  // namespace sortie::engine
