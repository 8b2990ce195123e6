#pragma once

#include "sortie/base/json.h"
#include "sortie/spec/node.h"

#include <span>
#include <string>

namespace sortie::spec {

/// A YAML tree as JSON: a plain scalar is a number or a boolean where JSON would read it so (007
/// and yes are texts), nothing is null.
[[nodiscard]] json::Value to_json(const Node& node);

/// Where a value stands whose path is given by names of members and positions in lists; the deepest
/// part of the path that exists. `at_key`: the last name itself, not its value.
[[nodiscard]] Mark mark_of_path(const Node& root, std::span<const std::string> path, bool at_key);

}  // namespace sortie::spec
