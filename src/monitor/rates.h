#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/status.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace sortie::monitor {

/// Rates over the last `window` of status snapshots.
class Rates {
 public:
  explicit Rates(base::Duration window = std::chrono::seconds(20)) : window_(window) {}

  void observe(const engine::RunStatus& status);

  [[nodiscard]] double turns_per_second() const;
  [[nodiscard]] double tokens_per_second() const;

  /// Turns of the model at this place in RunStatus::models.
  [[nodiscard]] double turns_per_second(std::size_t model) const;

 private:
  struct Sample {
    base::Duration elapsed{};
    double turns = 0;
    double tokens = 0;
    std::vector<double> turns_by_model;
  };

  /// Of what `value` takes from a sample.
  template <class Value>
  [[nodiscard]] double rate(Value value) const;

  base::Duration window_;
  std::deque<Sample> samples_;
};

}  // namespace sortie::monitor
