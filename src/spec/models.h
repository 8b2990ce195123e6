#pragma once

#include "sortie/spec/model.h"
#include "sortie/spec/node.h"

#include <string>
#include <string_view>
#include <vector>

namespace sortie::spec {

/// What is known of every model whose name matches, before a file says anything of it.
struct CapabilityRow {
  std::vector<std::string> match;  // names, without case, '*' for any characters
  Model model;                     // its abilities; name, revision, sampling and place mean nothing
};

struct CapabilityTable {
  std::vector<CapabilityRow> rows;  // the first that matches counts

  /// A model of which nothing is known, where no row matches.
  [[nodiscard]] Model defaults_of(std::string_view name) const;
};

/// The shipped table: models.yaml, linked into the binary.
[[nodiscard]] const CapabilityTable& shipped_capabilities();

/// A list of rows, as in models.yaml and in the `capabilities:` of an endpoints file.
[[nodiscard]] std::vector<CapabilityRow> read_capabilities(const Node& node, Problems& problems);

/// The `models:` section of an endpoints file. Sampling is resolved: defaults of the workload, then
/// what the file says, then what the model refuses is cleared. `simulated` is left to the routes.
[[nodiscard]] std::vector<Model> read_models(const Node& node,
                                             const CapabilityTable& table,
                                             Problems& problems);

}  // namespace sortie::spec
