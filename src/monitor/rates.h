#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/status.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace sortie::monitor {

/// Rates over the last `window` of status snapshots.
class Rates {
 public:
  explicit Rates(base::Duration window = std::chrono::seconds(20)) : window_(window) {}

  void observe(const engine::RunStatus& status);

  [[nodiscard]] double turns_per_second() const;
  [[nodiscard]] double tokens_per_second() const;

  /// Time until every planned trial is closed: of the model that needs longest, at its own pace in
  /// turns. nullopt before a trial ended, and while a model has work and no turn yet.
  [[nodiscard]] std::optional<base::Duration> remaining() const;

 private:
  [[nodiscard]] double closed_here(std::size_t model) const;

  struct Sample {
    base::Duration elapsed{};
    std::uint64_t turns = 0;
    std::int64_t tokens = 0;
  };

  base::Duration window_;
  std::deque<Sample> samples_;
  std::vector<engine::ModelProgress> at_start_;
  std::vector<engine::ModelProgress> now_;
};

}  // namespace sortie::monitor
