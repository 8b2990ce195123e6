#pragma once

#include "sortie/base/time.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <utility>

// Limits as servers enforce them, exactly and telling nobody. Used by the tests of learning; not by
// the product.

namespace sortie::sched::test {

enum class Units : std::uint8_t { requests, tokens, tokens_and_max };

/// One limit as a server enforces it. Requests beyond it are refused and not counted.
class ExactLimit {
 public:
  enum class Shape : std::uint8_t { bucket, sliding, aligned, slots };

  /// `rate` units a second; a bucket holds `seconds` of them, a window lasts as long.
  ExactLimit(Shape shape, Units units, double rate, double seconds)
      : shape_(shape), units_(units), rate_(rate), seconds_(seconds), level_(capacity()) {}

  static ExactLimit slots(double count) { return {Shape::slots, Units::requests, count, 1}; }

  [[nodiscard]] double cost(double input, double output, double max_output) const {
    switch (units_) {
      case Units::requests:
        return 1;
      case Units::tokens:
        return input + output;
      case Units::tokens_and_max:
        return input + max_output;
    }
    return 1;
  }

  [[nodiscard]] bool admits(base::Instant now, double cost) {
    refresh(base::seconds(now - kStart));
    switch (shape_) {
      case Shape::bucket:
        return level_ >= std::min(cost, capacity()) - 1e-9;
      case Shape::sliding:
      case Shape::aligned:
        return used_ + cost <= capacity() + 1e-9 || used_ == 0;
      case Shape::slots:
        return used_ < rate_;
    }
    return false;
  }

  void take(base::Instant now, double cost) {
    level_ -= cost;
    used_ += shape_ == Shape::slots ? 1 : cost;
    if (shape_ == Shape::sliding) {
      log_.emplace_back(base::seconds(now - kStart), cost);
    }
  }

  void release() { used_ -= shape_ == Shape::slots ? 1 : 0; }

  /// Seconds until a request of this cost would pass.
  [[nodiscard]] double wait(base::Instant now, double cost) const {
    const double t = base::seconds(now - kStart);
    switch (shape_) {
      case Shape::bucket:
        return (std::min(cost, capacity()) - level_) / rate_;
      case Shape::sliding:
        return log_.empty() ? 0 : log_.front().first + seconds_ - t;
      case Shape::aligned:
        return (std::floor(t / seconds_) + 1) * seconds_ - t;
      case Shape::slots:
        return 0.5;
    }
    return 0;
  }

  void scale(double factor) { rate_ *= factor; }

  [[nodiscard]] Shape shape() const { return shape_; }

  [[nodiscard]] Units units() const { return units_; }

  [[nodiscard]] double rate() const { return rate_; }

  [[nodiscard]] double seconds() const { return seconds_; }

 private:
  [[nodiscard]] double capacity() const {
    return std::max(units_ == Units::requests ? 1.0 : 20'000.0, rate_ * seconds_);
  }

  void refresh(double t) {
    switch (shape_) {
      case Shape::bucket:
        level_ = std::min(capacity(), level_ + rate_ * (t - last_));
        break;
      case Shape::sliding:
        while (!log_.empty() && log_.front().first <= t - seconds_) {
          used_ -= log_.front().second;
          log_.pop_front();
        }
        break;
      case Shape::aligned:
        if (std::floor(t / seconds_) != std::floor(last_ / seconds_)) {
          used_ = 0;
        }
        break;
      case Shape::slots:
        break;
    }
    last_ = t;
  }

  Shape shape_;
  Units units_;
  double rate_;
  double seconds_;
  double level_;
  double used_ = 0;
  double last_ = 0;
  std::deque<std::pair<double, double>> log_;
};

}  // namespace sortie::sched::test
