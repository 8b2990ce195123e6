#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/status.h"

#include <cstdint>
#include <deque>
#include <optional>

namespace sortie::monitor {

/// Rates over the last `window` of status snapshots.
class Rates {
 public:
  explicit Rates(base::Duration window = std::chrono::seconds(20)) : window_(window) {}

  void observe(const engine::RunStatus& status);

  [[nodiscard]] double turns_per_second() const;
  [[nodiscard]] double tokens_per_second() const;

  /// Time until every planned trial is closed, at the pace of the whole run in this process;
  /// nullopt before a trial ended.
  [[nodiscard]] std::optional<base::Duration> remaining() const;

 private:
  struct Sample {
    base::Duration elapsed{};
    std::uint64_t turns = 0;
    std::int64_t tokens = 0;
  };

  base::Duration window_;
  std::deque<Sample> samples_;
  std::uint64_t closed_at_start_ = 0;
  std::uint64_t closed_ = 0;
  std::uint64_t planned_ = 0;
  bool begun_ = false;
};

}  // namespace sortie::monitor
