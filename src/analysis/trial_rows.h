#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

// The scored trials of a run as dense rows, read once per report. Everything in the tables is
// computed from them.

namespace sortie::analysis {

/// The factors of a cell as the ledger names them.
struct CellFactors {
  std::string id;  // hexadecimal
  std::string model;
  bool simulated = false;
  std::vector<std::string> scenarios;  // the first owns the cell, the others share it
  std::string prompt;
  std::string flaw;      // "none" or its name
  std::string severity;  // "" without a flaw
  std::string difficulty;
  std::string protocol;
  double tool_success_rate = 0;
  std::int64_t max_turns = 0;
};

struct TaskInfo {
  std::string id;
  std::string type;
  std::uint32_t stratum = 0;  // of its type
};

/// What followed injected failures of one trial.
struct RetryCounts {
  std::int32_t same_call = 0;
  std::int32_t other_arguments = 0;
  std::int32_t other_tool = 0;
  std::int32_t no_further_call = 0;

  [[nodiscard]] std::int64_t total() const {
    return std::int64_t{same_call} + other_arguments + other_tool + no_further_call;
  }
};

/// Places of a flawed plan.
struct ObedienceCounts {
  std::int32_t flawed = 0;    // shown
  std::int32_t followed = 0;  // of those
};

/// One scored trial.
struct TrialRow {
  std::uint32_t cell = 0;  // in RunRows::cells
  std::uint32_t task = 0;  // in RunRows::tasks
  std::int64_t repeat = 0;
  double progress = 0;
  double coverage = 0;
  std::optional<double> calls_per_answer;  // of answers with a call; absent from older scorers
  std::int32_t turns = 0;
  std::int32_t repaired = 0;
  std::int32_t calls = 0;
  std::int32_t calls_ok = 0;
  std::int32_t injected = 0;
  std::uint32_t label = 0;                   // in RunRows::labels
  std::optional<ObedienceCounts> obedience;  // absent without a flaw and from older scorers
  std::optional<RetryCounts> retry;          // absent from older scorers
  bool success = false;
  bool clean = false;
  bool partial = false;
};

struct PlannedCell {
  CellFactors factors;
  std::uint64_t planned = 0;
  std::map<std::string, std::uint64_t> lost;  // by infrastructure outcome
  std::size_t first_row = 0;
  std::size_t row_count = 0;
};

struct RunRows {
  std::string scorer;
  std::vector<PlannedCell> cells;  // by model, scenarios, factors
  std::vector<TaskInfo> tasks;     // by id
  std::vector<std::string> labels;
  std::vector<TrialRow> rows;  // cell after cell, each by task and repeat

  [[nodiscard]] std::span<const TrialRow> of_cell(std::size_t cell) const {
    return std::span(rows).subspan(cells[cell].first_row, cells[cell].row_count);
  }
};

/// Reads what the newest scorer said of every trial whose outcome is scored. The order of rows does
/// not depend on how the run went, so that sums are the same to the last bit.
[[nodiscard]] base::Result<RunRows> read_rows(ledger::Reader& reader);

}  // namespace sortie::analysis
