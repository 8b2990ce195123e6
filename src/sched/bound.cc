#include "sortie/sched/bound.h"

#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <ClpSimplex.hpp>
#include <CoinError.hpp>
#include <CoinFinite.hpp>
#include <CoinPackedMatrix.hpp>
#include <fmt/format.h>

namespace sortie::sched {

namespace {

constexpr double kMoreOfALimit = 1.10;
// Savings and slacks below this share are rounding.
constexpr double kNoise = 1e-7;

/// One limit of one domain: the seconds that each unit of work takes of it.
struct Row {
  std::size_t domain = 0;
  const quota::Limit* limit = nullptr;
};

/// The fluid programme of a topology: loads are the seconds that a limit needs for the work.
struct Programme {
  FluidProgramme fluid;
  std::vector<Row> rows;  // what FluidProgramme::loads are of
};

/// What all requests of the class take from the limit, in seconds of it.
double seconds_of(const quota::Limit& limit, const WorkClass& work) {
  if (limit.kind == quota::LimitKind::concurrency) {
    return work.requests * work.service_seconds / limit.quota;
  }
  const double cost = quota::cost_of(limit,
                                     {.input = work.input_tokens,
                                      .output = work.output_tokens,
                                      .max_output = work.max_output_tokens});
  return work.requests * cost * base::seconds(limit.window) / limit.quota;
}

bool lets_nothing_through(const quota::Limit& limit) {
  return !(limit.quota > 0);
}

bool is_open(const spec::Topology& topology, const spec::Route& route) {
  return std::none_of(route.domains.begin(), route.domains.end(), [&](std::size_t domain) {
    const auto& limits = topology.domains[domain].limits;
    return std::any_of(limits.begin(), limits.end(), lets_nothing_through);
  });
}

bool drains(const spec::Route& route, std::size_t domain) {
  return std::find(route.domains.begin(), route.domains.end(), domain) != route.domains.end();
}

base::Result<Programme> programme_for(const spec::Topology& topology,
                                      const std::vector<WorkClass>& work) {
  Programme programme;
  programme.fluid.classes = work.size();
  std::vector<FluidProgramme::Column>& columns = programme.fluid.columns;
  for (std::size_t c = 0; c < work.size(); ++c) {
    const std::size_t before = columns.size();
    for (std::size_t r = 0; r < topology.routes.size(); ++r) {
      if (topology.routes[r].model == work[c].model && is_open(topology, topology.routes[r])) {
        columns.push_back({.work = c, .route = r});
      }
    }
    if (columns.size() == before) {
      return base::bad_input(
          fmt::format("no route can serve model '{}'", topology.models[work[c].model].name));
    }
  }
  for (std::size_t d = 0; d < topology.domains.size(); ++d) {
    for (const quota::Limit& limit : topology.domains[d].limits) {
      if (lets_nothing_through(limit)) {
        continue;
      }
      programme.rows.push_back({.domain = d, .limit = &limit});
      std::vector<double>& row = programme.fluid.loads.emplace_back();
      for (const FluidProgramme::Column& column : columns) {
        const bool counts = drains(topology.routes[column.route], d);
        row.push_back(counts ? seconds_of(limit, work[column.work]) : 0.0);
      }
    }
  }
  return programme;
}

/// Coefficients beyond the solver's tolerances become harmless when the largest is 1.
double largest(const FluidProgramme& programme) {
  double most = 0;
  for (const auto& row : programme.loads) {
    for (const double value : row) {
      most = std::max(most, value);
    }
  }
  return most;
}

void fill(ClpSimplex& solver, const FluidProgramme& programme, double scale) {
  const auto shares = static_cast<int>(programme.columns.size());
  const auto limits = static_cast<int>(programme.loads.size());
  const auto classes = static_cast<int>(programme.classes);
  // Rows: the limits, then the classes. Columns: the shares, then T.
  CoinPackedMatrix matrix(/*colordered=*/true, 0, 0);
  matrix.setDimensions(limits + classes, shares + 1);
  for (int column = 0; column < shares; ++column) {
    for (int row = 0; row < limits; ++row) {
      const double value =
          programme.loads[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
      if (value > 0) {
        matrix.modifyCoefficient(row, column, value / scale);
      }
    }
    const std::size_t work = programme.columns[static_cast<std::size_t>(column)].work;
    matrix.modifyCoefficient(limits + static_cast<int>(work), column, 1.0);
  }
  for (int row = 0; row < limits; ++row) {
    matrix.modifyCoefficient(row, shares, -1.0);
  }
  std::vector<double> objective(programme.columns.size() + 1, 0.0);
  objective.back() = 1.0;
  std::vector<double> row_lower(programme.loads.size(), -COIN_DBL_MAX);
  std::vector<double> row_upper(programme.loads.size(), 0.0);
  row_lower.resize(programme.loads.size() + programme.classes, 1.0);
  row_upper.resize(programme.loads.size() + programme.classes, 1.0);
  const std::vector<double> lower(objective.size(), 0.0);
  const std::vector<double> upper(objective.size(), COIN_DBL_MAX);
  solver.setLogLevel(0);
  solver.loadProblem(
      matrix, lower.data(), upper.data(), objective.data(), row_lower.data(), row_upper.data());
}

}  // namespace

base::Result<FluidSolution> least_peak(const FluidProgramme& programme) {
  FluidSolution solution;
  const double scale = largest(programme);
  if (!(scale > 0)) {
    solution.used.assign(programme.loads.size(), 0.0);
    return solution;
  }
  if (!std::isfinite(scale)) {
    return base::bad_input("lower bound: a limit or an amount of work is not a finite number");
  }
  try {
    ClpSimplex solver;
    fill(solver, programme, scale);
    solver.dual();
    if (!solver.isProvenOptimal()) {
      return base::failure(
          base::Remedy::bad_input,
          base::ErrorCode::unsupported,
          fmt::format("lower bound: the linear programme has no solution (status {})",
                      solver.status()));
    }
    solution.peak = solver.objectiveValue() * scale;
    const double* shares = solver.primalColumnSolution();
    for (const auto& row : programme.loads) {
      double used = 0;
      for (std::size_t column = 0; column < row.size(); ++column) {
        used += row[column] * shares[column];
      }
      solution.used.push_back(used);
    }
  } catch (const CoinError& error) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::unsupported,
                         fmt::format("lower bound: {}", error.message()));
  }
  return solution;
}

namespace {

double critical_path(const std::vector<WorkClass>& work) {
  double longest = 0;
  for (const WorkClass& one : work) {
    longest = std::max(longest, one.dialogue_seconds);
  }
  return longest;
}

/// Those with requests; checked.
base::Result<std::vector<WorkClass>> classes_in(const spec::Topology& topology,
                                                const std::vector<WorkClass>& work) {
  std::vector<WorkClass> there;
  for (const WorkClass& one : work) {
    if (one.model >= topology.models.size()) {
      return base::bad_input(fmt::format("lower bound: there is no model number {}", one.model));
    }
    if (one.requests > 0) {
      there.push_back(one);
    }
  }
  return there;
}

base::Result<std::vector<Bottleneck>> bottlenecks_of(const spec::Topology& topology,
                                                     const Programme& programme,
                                                     const FluidSolution& solution,
                                                     double path) {
  const double now = std::max(solution.peak, path);
  std::vector<Bottleneck> result;
  const auto consider = [&](std::string domain, std::string limit, double then) {
    const double saving = (now - then) / now;
    if (saving > kNoise) {
      result.push_back({.domain = std::move(domain),
                        .limit = std::move(limit),
                        .saving_of_ten_percent = saving});
    }
  };
  consider("", "", std::max(solution.peak, path / kMoreOfALimit));
  for (std::size_t row = 0; row < programme.rows.size() && solution.peak > path; ++row) {
    // More of a limit that is not used up changes nothing.
    if (solution.used[row] < solution.peak * (1 - kNoise)) {
      continue;
    }
    FluidProgramme relaxed = programme.fluid;
    for (double& value : relaxed.loads[row]) {
      value /= kMoreOfALimit;
    }
    TRY_ASSIGN(const FluidSolution better, least_peak(relaxed));
    consider(topology.domains[programme.rows[row].domain].name,
             std::string(quota::to_string(programme.rows[row].limit->kind)),
             std::max(better.peak, path));
  }
  std::stable_sort(result.begin(), result.end(), [](const Bottleneck& a, const Bottleneck& b) {
    return a.saving_of_ten_percent > b.saving_of_ten_percent;
  });
  return result;
}

}  // namespace

base::Result<Bound> lower_bound(const spec::Topology& topology,
                                const std::vector<WorkClass>& work) {
  TRY_ASSIGN(const std::vector<WorkClass> there, classes_in(topology, work));
  TRY_ASSIGN(const Programme programme, programme_for(topology, there));
  TRY_ASSIGN(const FluidSolution solution, least_peak(programme.fluid));
  const double path = critical_path(there);
  Bound bound{.seconds = std::max(solution.peak, path), .bottlenecks = {}};
  if (bound.seconds > 0) {
    TRY_ASSIGN(bound.bottlenecks, bottlenecks_of(topology, programme, solution, path));
  }
  return bound;
}

base::Result<double> lower_bound_seconds(const spec::Topology& topology,
                                         const std::vector<WorkClass>& work) {
  TRY_ASSIGN(const std::vector<WorkClass> there, classes_in(topology, work));
  TRY_ASSIGN(const Programme programme, programme_for(topology, there));
  TRY_ASSIGN(const FluidSolution solution, least_peak(programme.fluid));
  return std::max(solution.peak, critical_path(there));
}

}  // namespace sortie::sched
