#pragma once

#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"
#include "sortie/suite/trial.h"

#include <string>
#include <string_view>
#include <vector>

// Factors as campaign files write them.

namespace sortie::spec {

/// prompt, difficulty, tool_success_rate, severity, protocol, max_turns.
[[nodiscard]] std::vector<std::string> factor_names();

/// Sets one factor; `factor` is one of factor_names(). False after a problem.
bool apply_factor(std::string_view factor,
                  const Node& value,
                  suite::TrialParams& params,
                  Problems& problems);

/// Sets one factor of `to` to its value in `from`.
void copy_factor(std::string_view factor, const suite::TrialParams& from, suite::TrialParams& to);

/// Sets every factor that the mapping names; returns their names.
std::vector<std::string> apply_factors(Mapping& mapping,
                                       suite::TrialParams& params,
                                       Problems& problems);

/// "simple_task", … : a closed vocabulary, read like the factors.
[[nodiscard]] std::vector<suite::TaskType> read_task_types(const Node& node, Problems& problems);

}  // namespace sortie::spec
