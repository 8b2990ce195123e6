#pragma once

#include "sortie/spec/model.h"
#include "sortie/spec/node.h"

#include <cstddef>

namespace sortie::spec {

/// Reads the `routes:` of an endpoint whose keys are known and appends them to the topology: one
/// route per key.
void read_routes(const Node& node, std::size_t endpoint, Topology& topology, Problems& problems);

}  // namespace sortie::spec
