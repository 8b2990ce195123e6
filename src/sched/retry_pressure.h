#pragma once

#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace sortie::sched {

/// A budget for all retries together, so that a provider that fails one request in five is not
/// asked half as much again: one counted failure in ten answers is retried at once, the others wait
/// until answers have earned it. Where answers are few, at the end of a campaign or on a slow
/// server, one a second is earned all the same: that is no load. A token bucket that holds what a
/// minute's answers earn; with a least rate, as in Finagle's RetryBudget. Pure.
class RetryPressure {
 public:
  void answered(base::Instant now) {
    decay(now);
    answers_ += 1;
    earn(kPerAnswer);
  }

  /// How long the retry of a counted failure waits.
  [[nodiscard]] base::Duration retry(base::Instant now) {
    decay(now);
    tokens_ = std::max(tokens_ - 1, -kDebtMax);
    if (tokens_ >= 0) {
      return base::Duration::zero();
    }
    return base::from_seconds(
        std::min(kSecondsMax, -tokens_ / std::max(kPerSecondMin, from_answers_a_second())));
  }

 private:
  static constexpr double kPerAnswer = 0.1;
  static constexpr double kPerSecondMin = 1;
  static constexpr double kTokensMin = 10;
  static constexpr double kDebtMax = 1000;
  static constexpr double kSecondsMax = 20;
  static constexpr double kMinute = 60;

  [[nodiscard]] double from_answers_a_second() const { return kPerAnswer * answers_ / kMinute; }

  void earn(double tokens) {
    tokens_ = std::min(tokens_ + tokens, std::max(kTokensMin, kPerAnswer * answers_));
  }

  /// `answers_` is of the last minute, older ones fading.
  void decay(base::Instant now) {
    const double passed = base::seconds(now - at_);
    earn(passed * std::max(0.0, kPerSecondMin - from_answers_a_second()));
    answers_ *= std::exp(-passed / kMinute);
    at_ = now;
  }

  double tokens_ = kTokensMin;
  double answers_ = 0;
  base::Instant at_;
};

}  // namespace sortie::sched
