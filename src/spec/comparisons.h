#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::spec {

/// A family of comparisons that is tested together (Holm): one per model, or one per campaign where
/// models are compared.
struct ComparisonFamily {
  std::string_view scenario;  // a preset
  std::string_view name;      // "flawed/no_plan"
  std::string_view meaning;
};

/// The closed list, in the order of the scenarios.
[[nodiscard]] std::span<const ComparisonFamily> comparison_families();

/// Which comparisons a campaign declares before it has results.
struct Comparisons {
  std::string baseline_model;        // every other model is compared with it; "" with all_pairs
  bool all_pairs = false;            // every model with every other
  std::vector<std::string> primary;  // names of families; the others are exploratory
};

}  // namespace sortie::spec
