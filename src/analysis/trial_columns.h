#pragma once

#include "sortie/analysis/trial_rows.h"
#include "sortie/analysis/words.h"
#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What a ledger says of trials, in arrays that new facts are added to: a report reads each fact
// once.

namespace sortie::analysis {

/// Facts that were read: their number and the sum of their checksums, as the ledger's row `run` has
/// them of all.
struct FactSum {
  std::int64_t facts = 0;
  std::uint64_t content = 0;

  void add(std::int64_t checksum) {
    ++facts;
    content += static_cast<std::uint64_t>(checksum);
  }
};

struct TrialColumns {
  TrialColumns() { outcomes.of("scored"); }

  std::string scorer;  // the newest: whose scores these are
  Words cells;         // hexadecimal ids
  Words tasks;
  std::vector<std::string> task_types;  // by task
  Words outcomes;
  Words labels;

  // By trial, ascending by id.
  std::vector<std::int64_t> ids;
  std::vector<std::uint32_t> outcome;  // 0 while there is none, else 1 + its number: the first
                                       // scored one, else the latest
  std::vector<std::uint8_t> has_score;
  std::vector<TrialRow> rows;  // cell and task are numbers of the words above

  std::int64_t last_outcome = 0;  // ids up to which facts were read
  std::int64_t last_score = 0;

  [[nodiscard]] std::int64_t last_trial() const { return ids.empty() ? 0 : ids.back(); }

  [[nodiscard]] std::optional<std::size_t> position(std::int64_t trial) const;

  [[nodiscard]] bool is_scored(std::size_t position) const { return outcome[position] == 1; }
};

/// Adds the facts behind those that the columns hold, and sums them up. False: the newest scorer is
/// not that of the columns, which are of no use then.
[[nodiscard]] base::Result<bool> read_new_trials(ledger::Reader& reader,
                                                 TrialColumns& columns,
                                                 FactSum& sum);

/// The scored trials of the planned cells as dense rows, and what the others were lost to.
[[nodiscard]] base::Result<RunRows> rows_of(ledger::Reader& reader, const TrialColumns& columns);

}  // namespace sortie::analysis
