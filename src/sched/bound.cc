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

/// The share of class `work` that goes over `route`; a variable between 0 and 1.
struct Column {
  std::size_t work = 0;
  std::size_t route = 0;
};

/// The programme: minimise T, subject to Σ shares = 1 per class, and Σ seconds·share ≤ T per limit.
/// Everything is in seconds: the work over a route, divided by what the limit lets through in a
/// second.
struct Programme {
  std::vector<Row> rows;
  std::vector<Column> columns;
  std::vector<std::vector<double>> seconds;  // [row][column]
  std::size_t classes = 0;
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
  Programme programme{.rows = {}, .columns = {}, .seconds = {}, .classes = work.size()};
  for (std::size_t c = 0; c < work.size(); ++c) {
    const std::size_t before = programme.columns.size();
    for (std::size_t r = 0; r < topology.routes.size(); ++r) {
      if (topology.routes[r].model == work[c].model && is_open(topology, topology.routes[r])) {
        programme.columns.push_back({.work = c, .route = r});
      }
    }
    if (programme.columns.size() == before) {
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
      std::vector<double>& row = programme.seconds.emplace_back();
      for (const Column& column : programme.columns) {
        const bool counts = drains(topology.routes[column.route], d);
        row.push_back(counts ? seconds_of(limit, work[column.work]) : 0.0);
      }
    }
  }
  return programme;
}

struct Solution {
  double seconds = 0;
  std::vector<double> used;  // per row, seconds of the limit
};

/// Coefficients beyond the solver's tolerances become harmless when the largest is 1.
double largest(const Programme& programme) {
  double most = 0;
  for (const auto& row : programme.seconds) {
    for (const double value : row) {
      most = std::max(most, value);
    }
  }
  return most;
}

void fill(ClpSimplex& solver, const Programme& programme, double scale) {
  const auto shares = static_cast<int>(programme.columns.size());
  const auto limits = static_cast<int>(programme.rows.size());
  const auto classes = static_cast<int>(programme.classes);
  // Rows: the limits, then the classes. Columns: the shares, then T.
  CoinPackedMatrix matrix(/*colordered=*/true, 0, 0);
  matrix.setDimensions(limits + classes, shares + 1);
  for (int column = 0; column < shares; ++column) {
    for (int row = 0; row < limits; ++row) {
      const double value =
          programme.seconds[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
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
  std::vector<double> row_lower(programme.rows.size(), -COIN_DBL_MAX);
  std::vector<double> row_upper(programme.rows.size(), 0.0);
  row_lower.resize(programme.rows.size() + programme.classes, 1.0);
  row_upper.resize(programme.rows.size() + programme.classes, 1.0);
  const std::vector<double> lower(objective.size(), 0.0);
  const std::vector<double> upper(objective.size(), COIN_DBL_MAX);
  solver.setLogLevel(0);
  solver.loadProblem(
      matrix, lower.data(), upper.data(), objective.data(), row_lower.data(), row_upper.data());
}

base::Result<Solution> solve(const Programme& programme) {
  Solution solution;
  const double scale = largest(programme);
  if (!(scale > 0)) {
    solution.used.assign(programme.rows.size(), 0.0);
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
    solution.seconds = solver.objectiveValue() * scale;
    const double* shares = solver.primalColumnSolution();
    for (const auto& row : programme.seconds) {
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

double critical_path(const std::vector<WorkClass>& work) {
  double longest = 0;
  for (const WorkClass& one : work) {
    longest = std::max(longest, one.dialogue_seconds);
  }
  return longest;
}

base::Result<std::vector<Bottleneck>> bottlenecks_of(const spec::Topology& topology,
                                                     const Programme& programme,
                                                     const Solution& solution,
                                                     double path) {
  const double now = std::max(solution.seconds, path);
  std::vector<Bottleneck> result;
  const auto consider = [&](std::string domain, std::string limit, double then) {
    const double saving = (now - then) / now;
    if (saving > kNoise) {
      result.push_back({.domain = std::move(domain),
                        .limit = std::move(limit),
                        .saving_of_ten_percent = saving});
    }
  };
  consider("", "", std::max(solution.seconds, path / kMoreOfALimit));
  for (std::size_t row = 0; row < programme.rows.size() && solution.seconds > path; ++row) {
    // More of a limit that is not used up changes nothing.
    if (solution.used[row] < solution.seconds * (1 - kNoise)) {
      continue;
    }
    Programme relaxed = programme;
    for (double& value : relaxed.seconds[row]) {
      value /= kMoreOfALimit;
    }
    TRY_ASSIGN(const Solution better, solve(relaxed));
    consider(topology.domains[programme.rows[row].domain].name,
             std::string(quota::to_string(programme.rows[row].limit->kind)),
             std::max(better.seconds, path));
  }
  std::stable_sort(result.begin(), result.end(), [](const Bottleneck& a, const Bottleneck& b) {
    return a.saving_of_ten_percent > b.saving_of_ten_percent;
  });
  return result;
}

}  // namespace

base::Result<Bound> lower_bound(const spec::Topology& topology,
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
  TRY_ASSIGN(const Programme programme, programme_for(topology, there));
  TRY_ASSIGN(const Solution solution, solve(programme));
  const double path = critical_path(there);
  Bound bound{.seconds = std::max(solution.seconds, path), .bottlenecks = {}};
  if (bound.seconds > 0) {
    TRY_ASSIGN(bound.bottlenecks, bottlenecks_of(topology, programme, solution, path));
  }
  return bound;
}

}  // namespace sortie::sched
