#pragma once

#include "sortie/provider/signals.h"
#include "sortie/spec/node.h"

#include <vector>

namespace sortie::spec {

/// The shipped table: signals.yaml, linked into the binary.
[[nodiscard]] const provider::SignalTable& shipped_signals();

/// A list of rows, as in signals.yaml and in the `signals:` of an endpoints file.
[[nodiscard]] std::vector<provider::SignalRow> read_signal_rows(const Node& node,
                                                                Problems& problems);

}  // namespace sortie::spec
