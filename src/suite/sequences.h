#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <string_view>
#include <vector>

// Sequences of operations that a task type admits, by kinds alone.

namespace sortie::suite {

/// Positions of tools in a catalog. `inputs[i]` are earlier positions of the sequence; no inputs: a
/// source.
struct Sequence {
  std::vector<std::size_t> tools;
  std::vector<std::vector<std::size_t>> inputs;
  std::size_t second_strand = 0;  // where the second strand starts, 0: none
  std::size_t join = 0;           // where both meet

  bool operator==(const Sequence&) const = default;
};

/// What the artifact of a tool counts as, made from one that counts as `before` ("" for a source).
[[nodiscard]] std::string_view kind_after(const ToolSpec& tool, std::string_view before);

/// Every chain (for multi_stage_pipeline: two strands, a join, a tail) that fits the kinds of the
/// tools and the shape of the type, in a fixed order. No tool occurs twice except sources and
/// parsers of two strands.
[[nodiscard]] std::vector<Sequence> sequences(const ToolCatalog& catalog, TaskType type);

}  // namespace sortie::suite
