#pragma once

#include "sortie/spec/model.h"
#include "sortie/spec/node.h"

#include <cstddef>

namespace sortie::spec {

/// Reads the `limits:` of an endpoint whose routes are known: creates the limit domains and puts
/// them on the routes that drain them.
///
/// A limit says per what it is counted (`per`: endpoint, account, key, model, route) and may be
/// restricted to `models` and `keys`. All routes of the endpoint that pass the restriction and
/// agree in every item of `per` drain one domain.
void read_limits(const Node& node, std::size_t endpoint, Topology& topology, Problems& problems);

}  // namespace sortie::spec
