#pragma once

#include "sortie/analysis/result_table.h"
#include "sortie/analysis/scenario_tables.h"

#include <vector>

namespace sortie::analysis {

/// One table of cells for each scenario that is no preset, native cells in tables of their own.
[[nodiscard]] std::vector<ResultTable> own_scenario_tables(const TableInputs& inputs);

}  // namespace sortie::analysis
