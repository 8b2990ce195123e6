#pragma once

#include "sortie/engine/status.h"
#include "sortie/monitor/rates.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace sortie::monitor {

struct ViewOptions {
  std::size_t columns = 80;  // no line is longer
  bool colour = false;
};

/// The live view as lines of text: a bar per model, a line per route, recent problems in words.
[[nodiscard]] std::vector<std::string> render(const engine::RunStatus& status,
                                              const Rates& rates,
                                              const ViewOptions& options);

/// The same for the campaigns of one process on one page. Their routes are those of all and stand
/// once, below.
[[nodiscard]] std::vector<std::string> render(std::span<const engine::RunStatus> statuses,
                                              std::span<const Rates> rates,
                                              const ViewOptions& options);

/// The same in one line, for pipes and logs.
[[nodiscard]] std::string one_line(const engine::RunStatus& status, const Rates& rates);

}  // namespace sortie::monitor
