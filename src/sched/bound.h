#pragma once

#include "sortie/base/error.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <string>
#include <vector>

// The shortest time in which the declared limits allow a workload: the fluid linear programme of
// docs/design/scheduling.md, solved with Clp, and the critical path.

namespace sortie::sched {

/// Requests of one model with their mean cost.
struct WorkClass {
  std::size_t model = 0;  // in Topology::models
  double requests = 0;
  double input_tokens = 0;   // mean per request
  double output_tokens = 0;  // mean per request
  double max_output_tokens = 0;
  double service_seconds = 0;   // mean per request
  double dialogue_seconds = 0;  // longest expected dialogue: critical path
};

struct Bottleneck {
  std::string domain;                // name of the limit domain, "" for the critical path
  std::string limit;                 // "requests", "tokens", "concurrency"
  double saving_of_ten_percent = 0;  // share of the bound that 10 % more of this limit would save
};

struct Bound {
  double seconds = 0;                   // 0: nothing limits this workload
  std::vector<Bottleneck> bottlenecks;  // most valuable first
};

[[nodiscard]] base::Result<Bound> lower_bound(const spec::Topology& topology,
                                              const std::vector<WorkClass>& work);

/// Bound::seconds alone: one programme instead of one for each limit that is used up.
[[nodiscard]] base::Result<double> lower_bound_seconds(const spec::Topology& topology,
                                                       const std::vector<WorkClass>& work);

/// The fluid programme by itself: classes of work are split over routes, and what goes over a route
/// loads limits.
struct FluidProgramme {
  /// The share of class `work` that goes over `route`; a variable between 0 and 1.
  struct Column {
    std::size_t work = 0;
    std::size_t route = 0;
  };

  std::vector<Column> columns;
  // [limit][column]: how much of the limit the whole class takes over that route, in any unit that
  // is the same for all limits: seconds of it, or parts of its capacity.
  std::vector<std::vector<double>> loads;
  std::size_t classes = 0;
};

struct FluidSolution {
  double peak = 0;           // the load of the fullest limit
  std::vector<double> used;  // per limit
};

/// Splits the classes so that the fullest limit is as empty as it can be. Every class needs a
/// column.
[[nodiscard]] base::Result<FluidSolution> least_peak(const FluidProgramme& programme);

}  // namespace sortie::sched
