#pragma once

#include "sortie/base/time.h"

#include <cstddef>
#include <cstdint>
#include <vector>

// What a server counts that charges real tokens from the moment a request comes, while a client
// learns of them with the answer, seconds later. Pacing alone is exact only for costs that are
// known beforehand: what was reserved too much comes back within a window that did not count it,
// what was reserved too little is missing until it is settled.

namespace sortie::quota {

/// How far costs are off while requests are in flight, learned from their answers. A request counts
/// by the time that it took: what takes longer is more often among those in flight, and costs more.
/// Pure.
class UnsettledCosts {
 public:
  /// What `in_flight` requests (at least 1) may cost beyond what is expected of them, `expected`
  /// units of one: the mean and four standard deviations, so that it is more once in 30,000 times.
  /// At least 0.
  [[nodiscard]] double shortfall(double expected, std::size_t in_flight) const;

  /// A request took `seconds` and cost `used` instead of `expected`.
  void settled(double seconds, double expected, double used);

 private:
  double weight_ = 0;        // seconds, the older the less
  double short_ = 0;         // seconds × units
  double short_square_ = 0;  // seconds × units²
  double answers_ = 0;
};

/// The units of the requests of one sliding window, each at the moment of its sending and corrected
/// when it is settled: never less than the server counts, but for requests in flight, over a window
/// that is at most a two-thousandth too long. Pure.
class SettledWindow {
 public:
  /// `window`: the limit's, and by how much delays to the server differ.
  SettledWindow(base::Duration window, double quota);

  /// The first instant ≥ now at which `units` more stay within the quota. More than the quota
  /// counts as the quota.
  [[nodiscard]] base::Instant earliest(base::Instant now, double units) const;

  /// Adds `units`, negative for a refund, to what was sent at `at` ≤ now.
  void add(base::Instant now, base::Instant at, double units);

 private:
  static constexpr std::int64_t kSlices = 4096;

  [[nodiscard]] std::int64_t slice_of(base::Instant at) const {
    return at.time_since_epoch() / slice_;
  }

  [[nodiscard]] double& units_in(std::int64_t slice) {
    return units_[static_cast<std::size_t>(slice % kSlices)];
  }

  [[nodiscard]] double units_in(std::int64_t slice) const {
    return units_[static_cast<std::size_t>(slice % kSlices)];
  }

  double quota_;
  base::Duration slice_;
  std::int64_t newest_ = 0;  // slice of the last addition; the ring holds it and those before
  double sum_ = 0;           // of the ring
  std::vector<double> units_;
};

}  // namespace sortie::quota
