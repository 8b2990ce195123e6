#include "sortie/sched/slow_routes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace sortie::sched {

namespace {

constexpr double kSmoothing = 0.1;
constexpr double kSpreadSmoothing = 0.02;
constexpr double kNormal99 = 2.33;
constexpr double kAnswersMin = 10;  // before anything is believed
const double kSlowMin = std::log(2.0);

}  // namespace

SlowRoutes::SlowRoutes(std::vector<std::vector<std::size_t>> by_model, std::size_t routes)
    : by_model_(std::move(by_model)),
      model_of_(routes),
      spread_(by_model_.size()),
      pace_(routes),
      slow_(by_model_.size()) {
  for (std::size_t model = 0; model < by_model_.size(); ++model) {
    for (const std::size_t route : by_model_[model]) {
      model_of_[route] = model;
    }
  }
}

void SlowRoutes::answered(std::size_t route, double seconds, double size) {
  if (!(seconds > 0) || !(size > 0)) {
    return;
  }
  Pace& pace = pace_[route];
  pace.answers += 1;
  pace.log_seconds +=
      std::max(kSmoothing, 1 / pace.answers) * (std::log(seconds / size) - pace.log_seconds);
  Spread& spread = spread_[model_of_[route]];
  spread.answers += 1;
  const double weight = std::max(kSpreadSmoothing, 1 / spread.answers);
  const double off = std::log(seconds / pace.slowness) - spread.mean;
  spread.mean += weight * off;
  spread.variance = (1 - weight) * (spread.variance + weight * off * off);
}

double SlowRoutes::tail(std::size_t model) const {
  const double variance = spread_[model].variance;
  return std::max(1.0, std::exp(kNormal99 * std::sqrt(variance) - variance / 2));
}

std::span<const SlowRoutes::Change> SlowRoutes::judge(
    std::size_t model, const std::function<bool(std::size_t)>& is_usable) {
  double best = std::numeric_limits<double>::infinity();
  for (const std::size_t route : by_model_[model]) {
    if (pace_[route].answers >= kAnswersMin && is_usable(route)) {
      best = std::min(best, pace_[route].log_seconds);
    }
  }
  slow_[model].clear();
  changes_.clear();
  for (const std::size_t route : by_model_[model]) {
    Pace& pace = pace_[route];
    const double excess = pace.log_seconds - best;
    const bool is_slow = pace.answers >= kAnswersMin && excess >= kSlowMin;
    const double slowness = is_slow ? std::exp(excess) : 1;
    if (is_slow) {
      slow_[model].push_back(route);
    }
    if (slowness != pace.slowness) {
      changes_.push_back({.route = route, .before = pace.slowness, .now = slowness});
      pace.slowness = slowness;
    }
  }
  return changes_;
}

}  // namespace sortie::sched
