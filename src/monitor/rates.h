#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/status.h"

#include <cstddef>
#include <cstdint>
#include <deque>

namespace sortie::monitor {

/// Rates over the last `window` of status snapshots.
class Rates {
 public:
  explicit Rates(base::Duration window = std::chrono::seconds(20)) : window_(window) {}

  void observe(const engine::RunStatus& status);

  [[nodiscard]] double turns_per_second() const;
  [[nodiscard]] double tokens_per_second() const;

 private:
  struct Sample {
    base::Duration elapsed{};
    std::uint64_t turns = 0;
    std::int64_t tokens = 0;
  };

  base::Duration window_;
  std::deque<Sample> samples_;
};

}  // namespace sortie::monitor
