#pragma once

#include "sortie/base/time.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

namespace sortie::testbed {

/// A server whose requests share its capacity and whose throughput collapses when there are too
/// many: with n in flight each runs at full speed up to `knee`, and beyond at (knee/n)³ of it, so
/// that together they advance by knee·(knee/n)². Processor sharing in virtual service time.
class SharedServer {
 public:
  explicit SharedServer(double knee) : knee_(knee) {}

  /// `request` is the caller's name; it needs `seconds` at full speed.
  void start(std::uint32_t request, double seconds, base::Instant now);

  /// When the next request ends, if nothing else begins.
  [[nodiscard]] std::optional<base::Instant> next_end() const;

  /// Takes out the request that ends at `now`, which must be next_end().
  std::uint32_t end(base::Instant now);

 private:
  using Entry = std::pair<double, std::uint32_t>;  // served seconds at its end

  [[nodiscard]] double speed() const;
  void advance(base::Instant now);

  double knee_;
  double served_ = 0;  // seconds at full speed that a request present all along would have had
  base::Instant advanced_at_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> running_;
};

}  // namespace sortie::testbed
