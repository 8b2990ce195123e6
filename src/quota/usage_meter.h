#pragma once

#include "sortie/base/time.h"

#include <array>
#include <cstdint>

namespace sortie::quota {

/// Units taken in the last window, in slices of a sixtieth of it, so exact to that much.
class UsageMeter {
 public:
  explicit UsageMeter(base::Duration window);

  /// Adds `units`, negative for a refund, at the time of the request that they belong to; too old
  /// is forgotten.
  void add(base::Instant now, base::Instant at, double units);
  [[nodiscard]] double in_window(base::Instant now) const;

 private:
  static constexpr std::int64_t kSlices = 60;
  [[nodiscard]] std::int64_t slice_of(base::Instant at) const;

  base::Duration slice_;
  std::int64_t newest_ = 0;
  std::array<double, kSlices> units_{};
};

}  // namespace sortie::quota
