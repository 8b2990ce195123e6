#pragma once

#include "sortie/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sortie::engine {

/// How long answers took, counted in buckets that are an eighth of a doubling wide, from 1 ms to
/// 4096 s: a quantile is at most 4.5 % away from the true one, whatever the distribution. Fixed in
/// size: 1.5 KB.
class LatencyHistogram {
 public:
  /// `recent` 0: all answers count. Else those of late: the last `recent` to 2·`recent`.
  explicit LatencyHistogram(std::uint64_t recent = 0) : recent_(recent) {}

  void add(base::Duration took);

  [[nodiscard]] std::uint64_t count() const { return now_.count + before_.count; }

  /// The time within which this share (0 to 1) of the answers came. nullopt without an answer.
  [[nodiscard]] std::optional<base::Duration> quantile(double share) const;

 private:
  /// For caches (analysis/archive.h).
  template <class A>
  friend void archive(A& a, LatencyHistogram& value) {
    a(value.recent_, value.now_.count, value.now_.buckets);
    a(value.before_.count, value.before_.buckets);
  }

  static constexpr std::size_t kPerDoubling = 8;
  static constexpr std::size_t kBuckets = (22 * kPerDoubling) + 1;  // the first: 1 ms and less

  struct Counts {
    std::uint64_t count = 0;
    std::array<std::uint32_t, kBuckets> buckets{};
  };

  std::uint64_t recent_;
  Counts now_;
  Counts before_;  // of the stretch before; empty if all count
};

}  // namespace sortie::engine
