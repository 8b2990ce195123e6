#pragma once

#include "sortie/spec/model.h"
#include "sortie/spec/node.h"

namespace sortie::spec {

/// Reads "env:NAME", "file:PATH", "cmd:[argv, …]", {cmd: [argv, …]} or "none". Problems never show
/// what stands there: it could be the secret itself.
[[nodiscard]] SecretRef read_secret_ref(const Node& node, Problems& problems);

}  // namespace sortie::spec
