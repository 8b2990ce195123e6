#pragma once

#include "sortie/stats/bootstrap.h"
#include "sortie/stats/proportion.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// Success against size: logit P(success) = intercept + slope · x, with x = log2 of parameters.

namespace sortie::stats {

/// All trials at one x.
struct LogisticPoint {
  double x = 0;
  double successes = 0;
  double n = 0;
};

enum class LogisticMethod : std::uint8_t {
  likelihood,  // maximum likelihood: does not exist where x separates successes from failures
  // Maximum of the likelihood times the root of the information's determinant (Firth 1993; Heinze
  // and Schemper 2002): finite whatever the data, and nearer to the truth in small samples.
  firth,
};

struct LogisticFit {
  double intercept = 0;
  double slope = 0;            // change of log odds with each doubling, where x is log2
  double intercept_error = 0;  // standard errors from the information at the estimate
  double slope_error = 0;
};

/// nullopt: fewer than two distinct x with trials, or no finite maximum.
[[nodiscard]] std::optional<LogisticFit> fit_logistic(
    std::span<const LogisticPoint> points, LogisticMethod method = LogisticMethod::firth);

/// What one task gave at each x, in the order of the x.
struct SizedTask {
  std::uint32_t stratum = 0;
  std::vector<double> successes;
  std::vector<double> n;
};

struct Slope {
  LogisticFit fit;
  Interval interval;  // of the slope, by a bootstrap over tasks
  double p = 1;       // of no slope, by the bootstrap
};

/// Firth's fit to the sums over tasks; every model's results of a task are drawn together. nullopt,
/// not estimable: fewer than two distinct x with trials, all trials alike, resamples that all give
/// one slope (nothing is known of its spread) or of which one has no fit (those left would be a
/// choice of the data), or too few tasks for a percentile.
[[nodiscard]] std::optional<Slope> bootstrap_slope(std::span<const double> x,
                                                   const std::vector<SizedTask>& tasks,
                                                   const BootstrapOptions& options);

}  // namespace sortie::stats
