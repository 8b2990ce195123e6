#pragma once

#include "sortie/analysis/comparisons.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/result_table.h"
#include "sortie/analysis/trial_rows.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Two sides on the same tasks: two runs, or two values of one factor of a run. Cells are paired
// that are alike in every other factor, trials that share task and repeat.

namespace sortie::analysis {

/// What differs between the sides. With two runs and no factor the runs alone differ.
struct ComparedSides {
  std::string factor;  // of kComparedFactors, or ""
  std::string first;   // its value on each side, as the ledger names it
  std::string second;
};

/// The factors that sides can differ in, by their names on the command line.
[[nodiscard]] std::vector<std::string> compared_factors();

/// One pair of cells, or all of them together.
struct ComparedLine {
  std::vector<std::string> settings;  // what the cells have in common; "all" of the last line
  bool simulated = false;
  Comparison result;
  double p_holm = 1;  // within all lines but the last, which stands alone

  /// "first", "second", or "" where the data show no difference at 5 % (after Holm).
  [[nodiscard]] std::string better() const;
};

/// One trial that only one side succeeded at.
struct Disagreement {
  std::size_t first_cell = 0;   // in the rows of the first side
  std::size_t second_cell = 0;  // in those of the second
  std::string task;
  std::int64_t repeat = 0;
  bool first_succeeded = false;
};

struct RunComparison {
  ComparedSides sides;
  std::vector<ComparedLine> lines;  // with more than one pair of cells the last is over all
  std::vector<Disagreement> disagreements;
  std::size_t unpaired_first = 0;  // cells of a side without a partner
  std::size_t unpaired_second = 0;
};

/// Of one run pass its rows twice. Errors: no cell of one side has a partner.
[[nodiscard]] base::Result<RunComparison> compare_runs(const RunRows& first,
                                                       const RunRows& second,
                                                       const ComparedSides& sides);

[[nodiscard]] ResultTable table_of(const RunComparison& comparison,
                                   Language language = Language::english);

}  // namespace sortie::analysis
