#pragma once

#include "sortie/analysis/result_table.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Trials that were copied from other runs (run --reuse): whose they are and what they cost there.

namespace sortie::analysis {

/// What was taken from one state of one ledger.
struct ReusedLine {
  std::string run;        // key of that ledger, hexadecimal
  std::string directory;  // where it lay
  std::string mark;       // its high-water mark then
  std::uint64_t trials = 0;
  std::uint64_t attempts = 0;  // that they took there, failed ones included
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost = 0;  // micro-dollars, paid there: in no sum of this run
};

/// In the order in which they were copied; empty: all trials are this run's own.
[[nodiscard]] base::Result<std::vector<ReusedLine>> read_reused(ledger::Reader& reader);

[[nodiscard]] ResultTable reused_table(const std::vector<ReusedLine>& lines, Language language);

[[nodiscard]] json::Array to_json(const std::vector<ReusedLine>& lines);

/// "runs/x, trial 17 there", of a trial that was copied; nothing of one of this run's own.
[[nodiscard]] base::Result<std::optional<std::string>> origin_of(ledger::Reader& reader,
                                                                 std::int64_t trial);

}  // namespace sortie::analysis
