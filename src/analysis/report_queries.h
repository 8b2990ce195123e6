#pragma once

#include "sortie/analysis/result_table.h"

#include <string>

namespace sortie::analysis {

/// The statement for `sortie sql RUN` whose rows are the numbers of a report's table, under the
/// keys of its columns; "" for a table that no query gives. Intervals and p-values are functions of
/// what it counts, ranks of its rates (docs/guide/reading-a-report.md); rows of scripted agents and
/// columns "exact" are computed from the suite.
[[nodiscard]] std::string query_of(const ResultTable& table);

}  // namespace sortie::analysis
