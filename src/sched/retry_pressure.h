#pragma once

#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace sortie::sched {

/// A budget for all retries together, so that a provider that fails one request in five is not
/// asked half as much again: one counted failure in ten answers is retried at once, the others wait
/// until answers have earned it. A token bucket that holds what a minute earns. Pure.
class RetryPressure {
 public:
  void answered(base::Instant now) {
    decay(now);
    answers_ += 1;
    tokens_ = std::min(tokens_ + kPerAnswer, std::max(kTokensMin, kPerAnswer * answers_));
  }

  /// How long the retry of a counted failure waits.
  [[nodiscard]] base::Duration retry(base::Instant now) {
    decay(now);
    tokens_ = std::max(tokens_ - 1, -kDebtMax);
    if (tokens_ >= 0) {
      return base::Duration::zero();
    }
    const double earned_a_second = std::max(kPerAnswer / 60, kPerAnswer * answers_ / kMinute);
    return base::from_seconds(std::min(kSecondsMax, -tokens_ / earned_a_second));
  }

 private:
  static constexpr double kPerAnswer = 0.1;
  static constexpr double kTokensMin = 10;
  static constexpr double kDebtMax = 1000;
  static constexpr double kSecondsMax = 20;
  static constexpr double kMinute = 60;

  /// `answers_` is of the last minute, older ones fading.
  void decay(base::Instant now) {
    answers_ *= std::exp(-base::seconds(now - at_) / kMinute);
    at_ = now;
  }

  double tokens_ = kTokensMin;
  double answers_ = 0;
  base::Instant at_;
};

}  // namespace sortie::sched
