#include "sortie/testbed/truth.h"

#include "sortie/base/error.h"
#include "sortie/sched/bound.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/testbed/capacity.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/workload.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sortie::testbed {

namespace {

constexpr std::size_t kClassesPerModel = 24;
constexpr double kPrecision = 1e-5;  // of the bisection

/// Requests of one model and about one size.
struct SizeClass {
  std::size_t model = 0;
  std::vector<const Turn*> turns;
};

std::vector<SizeClass> size_classes(const Scenario& scenario, const Workload& workload) {
  std::vector<std::vector<const Turn*>> by_model(scenario.models.size());
  for (const Dialogue& dialogue : workload.dialogues) {
    for (std::uint32_t i = 0; i < dialogue.turns; ++i) {
      by_model[dialogue.model].push_back(&workload.turn(dialogue, i));
    }
  }
  std::vector<SizeClass> classes;
  for (std::size_t model = 0; model < by_model.size(); ++model) {
    auto& turns = by_model[model];
    std::stable_sort(turns.begin(), turns.end(), [](const Turn* a, const Turn* b) {
      return a->input + a->output < b->input + b->output;
    });
    const std::size_t count = std::min(kClassesPerModel, turns.size());
    for (std::size_t c = 0; c < count; ++c) {
      const auto begin = static_cast<std::ptrdiff_t>(c * turns.size() / count);
      const auto end = static_cast<std::ptrdiff_t>((c + 1) * turns.size() / count);
      classes.push_back({.model = model, .turns = {turns.begin() + begin, turns.begin() + end}});
    }
  }
  return classes;
}

/// The work of a class under a limit, in the units of its capacity.
double work_of(const Capacity& capacity, const SizeClass& of, std::uint32_t output_max) {
  double sum = 0;
  for (const Turn* turn : of.turns) {
    sum += capacity.cost(*turn, output_max);
  }
  return sum;
}

/// The programme for the bisection: loads are parts of each limit's capacity until T.
class Fluid {
 public:
  Fluid(const Scenario& scenario, const Workload& workload, const std::vector<Capacity>& capacities)
      : capacities_(capacities) {
    const std::vector<RouteRef> routes = routes_of(scenario);
    const std::vector<SizeClass> classes = size_classes(scenario, workload);
    programme_.classes = classes.size();
    for (std::size_t c = 0; c < classes.size(); ++c) {
      for (std::size_t r = 0; r < routes.size(); ++r) {
        if (routes[r].model == classes[c].model) {
          programme_.columns.push_back({.work = c, .route = r});
        }
      }
    }
    for (const Capacity& capacity : capacities_) {
      std::vector<double> of_class;
      of_class.reserve(classes.size());
      for (const SizeClass& of : classes) {
        of_class.push_back(work_of(capacity, of, workload.output_max[of.model]));
      }
      std::vector<double>& row = work_.emplace_back();
      for (const auto& column : programme_.columns) {
        row.push_back(capacity.is_drained_by(column.route) ? of_class[column.work] : 0.0);
      }
    }
  }

  [[nodiscard]] base::Result<bool> fits(double seconds) {
    programme_.loads = work_;
    for (std::size_t row = 0; row < work_.size(); ++row) {
      const double capacity = std::max(capacities_[row].until(seconds), 1e-9);
      for (double& load : programme_.loads[row]) {
        load /= capacity;
      }
    }
    TRY_ASSIGN(const sched::FluidSolution solution, sched::least_peak(programme_));
    return solution.peak <= 1;
  }

 private:
  const std::vector<Capacity>& capacities_;
  std::vector<std::vector<double>> work_;
  sched::FluidProgramme programme_;
};

double critical_path(const Workload& workload) {
  double longest = 0;
  for (const Dialogue& dialogue : workload.dialogues) {
    double sum = 0;
    for (std::uint32_t i = 0; i < dialogue.turns; ++i) {
      sum += static_cast<double>(workload.turn(dialogue, i).seconds);
    }
    longest = std::max(longest, sum);
  }
  return longest;
}

base::Result<double> fluid_bound(Fluid& fluid) {
  double high = 1;
  while (true) {
    TRY_ASSIGN(const bool fits, fluid.fits(high));
    if (fits) {
      break;
    }
    high *= 2;
    if (high > 1e9) {
      return base::bad_input("the scenario's limits never let all of its work through");
    }
  }
  double low = 0;
  while (high - low > kPrecision * high) {
    const double middle = (low + high) / 2;
    TRY_ASSIGN(const bool fits, fluid.fits(middle));
    (fits ? high : low) = middle;
  }
  return low;
}

}  // namespace

std::vector<RouteRef> routes_of(const Scenario& scenario) {
  std::vector<RouteRef> routes;
  for (std::size_t key = 0; key < scenario.keys.size(); ++key) {
    for (std::size_t model = 0; model < scenario.models.size(); ++model) {
      if (serves(scenario.models[model], scenario.keys[key])) {
        routes.push_back({.key = key, .model = model});
      }
    }
  }
  return routes;
}

std::vector<TruePool> true_pools(const Scenario& scenario) {
  const std::vector<RouteRef> routes = routes_of(scenario);
  std::vector<TruePool> pools;
  for (std::size_t limit = 0; limit < scenario.limits.size(); ++limit) {
    for (std::size_t route = 0; route < routes.size(); ++route) {
      const sim::Demand demand = demand_of(scenario, routes[route]);
      if (!sim::applies(scenario.limits[limit], demand)) {
        continue;
      }
      const std::string name = sim::pool_name(scenario.limits[limit], demand);
      auto place = std::find_if(
          pools.begin(), pools.end(), [&](const TruePool& pool) { return pool.name == name; });
      if (place == pools.end()) {
        pools.push_back({.name = name, .limit = limit, .routes = {}});
        place = pools.end() - 1;
      }
      place->routes.push_back(route);
    }
  }
  return pools;
}

base::Result<double> truth_bound(const Scenario& scenario,
                                 const Workload& workload,
                                 const std::vector<TimedIncident>& incidents) {
  const std::vector<Capacity> capacities = capacities_of(scenario, incidents);
  double bound = critical_path(workload);
  if (!capacities.empty()) {
    Fluid fluid(scenario, workload, capacities);
    TRY_ASSIGN(const double seconds, fluid_bound(fluid));
    bound = std::max(bound, seconds);
  }
  return std::max(bound, head_body_tail(scenario, workload, capacities));
}

base::Result<std::vector<TimedIncident>> timed_incidents(const Scenario& scenario,
                                                         const Workload& workload) {
  std::vector<TimedIncident> result;
  if (scenario.incidents.empty()) {
    return result;
  }
  TRY_ASSIGN(const double undisturbed, truth_bound(scenario, workload, {}));
  for (const Incident& incident : scenario.incidents) {
    result.push_back({.what = incident,
                      .from = incident.from * undisturbed,
                      .until = incident.until * undisturbed});
  }
  return result;
}

}  // namespace sortie::testbed
