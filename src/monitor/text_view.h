#pragma once

#include "sortie/engine/status.h"
#include "sortie/monitor/rates.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace sortie::monitor {

struct ViewOptions {
  std::size_t columns = 80;  // no line is wider
  std::size_t rows = 0;      // no more lines than that; 0: as many as there are
  bool colour = false;
};

/// The live view as lines of text: per model and scenario a bar, per route its fullest limit and
/// its latencies, recent problems in words. Where rows are few, scenarios go first, then routes.
/// Names and problems come from outside: what could steer a terminal is written out.
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
