#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <vector>

// Writes the tasks of `pilot`. The files in suites/pilot are its output: a test compares them byte
// for byte.

namespace sortie::suite {

struct GeneratorOptions {
  std::uint64_t seed = 20241;
  std::size_t sequences = 35;    // distinct sequences of operations per type
  std::size_t per_sequence = 3;  // tasks of each
};

/// The tasks of one type, every one eligible: it is solved by its plan, all seven flaws apply at
/// severe and do what they should, and no other task of the type has the same text at any level
/// once the values are masked. A pure function of its arguments.
[[nodiscard]] std::vector<Task> generate_pilot(const ToolCatalog& catalog,
                                               TaskType type,
                                               const GeneratorOptions& options = {});

}  // namespace sortie::suite
