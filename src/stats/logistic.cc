#include "sortie/stats/logistic.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sortie::stats {

namespace {

constexpr int kStepsMax = 200;
constexpr double kConverged = 1e-11;  // of a step, in log odds per unit of x
constexpr double kStepMax = 4;        // longer Newton steps overshoot where data nearly separate
// Beyond these log odds at a point the maximum of the likelihood is at infinity.
constexpr double kLogOddsMax = 40;

/// The symmetric information matrix and the score of (intercept, slope).
struct Moments {
  double i00 = 0;
  double i01 = 0;
  double i11 = 0;
  double u0 = 0;
  double u1 = 0;

  [[nodiscard]] double determinant() const { return i00 * i11 - i01 * i01; }
};

struct Line {
  double intercept = 0;
  double slope = 0;

  [[nodiscard]] double probability(double x) const {
    return 1 / (1 + std::exp(-(intercept + slope * x)));
  }
};

Moments moments_at(std::span<const LogisticPoint> points, Line line, LogisticMethod method) {
  Moments m;
  for (const LogisticPoint& point : points) {
    const double p = line.probability(point.x);
    const double weight = point.n * p * (1 - p);
    m.i00 += weight;
    m.i01 += weight * point.x;
    m.i11 += weight * point.x * point.x;
  }
  const double determinant = m.determinant();
  for (const LogisticPoint& point : points) {
    const double p = line.probability(point.x);
    double residual = point.successes - point.n * p;
    if (method == LogisticMethod::firth) {
      // The leverage of the point's trials together.
      const double x = point.x;
      const double leverage =
          point.n * p * (1 - p) * (m.i11 - 2 * m.i01 * x + m.i00 * x * x) / determinant;
      residual += leverage * (0.5 - p);
    }
    m.u0 += residual;
    m.u1 += residual * point.x;
  }
  return m;
}

/// Points with trials, around their mean x, so that the information is well conditioned.
struct Centred {
  std::vector<LogisticPoint> points;
  double centre = 0;
  bool distinct = false;
};

Centred centred(std::span<const LogisticPoint> points) {
  Centred result;
  double n = 0;
  for (const LogisticPoint& point : points) {
    if (point.n > 0) {
      result.points.push_back(point);
      result.centre += point.n * point.x;
      n += point.n;
    }
  }
  if (result.points.empty()) {
    return result;
  }
  result.centre /= n;
  for (LogisticPoint& point : result.points) {
    point.x -= result.centre;
  }
  result.distinct = std::ranges::any_of(result.points, [&](const LogisticPoint& point) {
    return point.x != result.points.front().x;
  });
  return result;
}

}  // namespace

std::optional<LogisticFit> fit_logistic(std::span<const LogisticPoint> points,
                                        LogisticMethod method) {
  const Centred data = centred(points);
  if (!data.distinct) {
    return std::nullopt;
  }
  Line line;
  for (int step = 0; step < kStepsMax; ++step) {
    const Moments m = moments_at(data.points, line, method);
    const double determinant = m.determinant();
    if (!(determinant > 0)) {
      return std::nullopt;
    }
    double by_intercept = (m.i11 * m.u0 - m.i01 * m.u1) / determinant;
    double by_slope = (m.i00 * m.u1 - m.i01 * m.u0) / determinant;
    const double longest = std::max(std::abs(by_intercept), std::abs(by_slope));
    const double scale = longest > kStepMax ? kStepMax / longest : 1;
    by_intercept *= scale;
    by_slope *= scale;
    line.intercept += by_intercept;
    line.slope += by_slope;
    if (std::ranges::any_of(data.points, [&](const LogisticPoint& point) {
          return std::abs(line.intercept + line.slope * point.x) > kLogOddsMax;
        })) {
      return std::nullopt;
    }
    if (std::max(std::abs(by_intercept), std::abs(by_slope)) < kConverged) {
      const Moments at = moments_at(data.points, line, method);
      const double d = at.determinant();
      const double c = data.centre;
      // Back to x: the intercept is that of the centred line less the slope times the centre.
      return LogisticFit{
          .intercept = line.intercept - line.slope * c,
          .slope = line.slope,
          .intercept_error = std::sqrt((at.i11 + 2 * c * at.i01 + c * c * at.i00) / d),
          .slope_error = std::sqrt(at.i00 / d)};
    }
  }
  return std::nullopt;
}

namespace {

/// Sums over tasks; `weights` may be empty: each weighs 1.
std::vector<LogisticPoint> sums_of(std::span<const double> x,
                                   const std::vector<SizedTask>& tasks,
                                   std::span<const std::uint32_t> picks,
                                   std::span<const double> weights) {
  std::vector<LogisticPoint> points(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    points[i].x = x[i];
    for (std::size_t pick = 0; pick < picks.size(); ++pick) {
      const double weight = weights.empty() ? 1 : weights[pick];
      points[i].successes += weight * tasks[picks[pick]].successes[i];
      points[i].n += weight * tasks[picks[pick]].n[i];
    }
  }
  return points;
}

/// All trials succeeded, or none did.
bool all_alike(std::span<const LogisticPoint> points) {
  return std::ranges::all_of(points, [](const LogisticPoint& p) { return p.successes == 0; }) ||
         std::ranges::all_of(points, [](const LogisticPoint& p) { return p.successes == p.n; });
}

}  // namespace

std::optional<Slope> bootstrap_slope(std::span<const double> x,
                                     const std::vector<SizedTask>& tasks,
                                     const BootstrapOptions& options) {
  std::vector<std::uint32_t> strata;
  std::vector<std::uint32_t> all;
  for (std::uint32_t task = 0; task < tasks.size(); ++task) {
    strata.push_back(tasks[task].stratum);
    all.push_back(task);
  }
  const std::vector<LogisticPoint> points = sums_of(x, tasks, all, {});
  const std::optional<LogisticFit> fit = fit_logistic(points);
  TaskResampler resampler(strata, options.seed);
  if (!fit.has_value() || all_alike(points) || resampler.degrees_of_freedom() == 0 ||
      options.draws == 0) {
    return std::nullopt;
  }
  std::vector<double> slopes;
  slopes.reserve(options.draws);
  for (std::size_t draw = 0; draw < options.draws; ++draw) {
    const auto drawn = fit_logistic(sums_of(x, tasks, resampler.next(), resampler.weights()));
    if (!drawn.has_value()) {
      return std::nullopt;
    }
    slopes.push_back(drawn->slope);
  }
  const auto [least, most] = std::ranges::minmax(slopes);
  constexpr double kAlike = 1e-9;
  if (most - least < kAlike) {
    return std::nullopt;
  }
  const auto resampled =
      expanded_percentiles(slopes, options.confidence, resampler.degrees_of_freedom());
  if (!resampled.has_value()) {
    return std::nullopt;
  }
  return Slope{.fit = *fit, .interval = resampled->interval, .p = resampled->p};
}

}  // namespace sortie::stats
