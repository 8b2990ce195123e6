#pragma once

#include "sortie/base/time.h"

#include <cstdint>
#include <optional>

namespace sortie::sched {

/// Growing waits of something that many requests share, one step per episode: a failure of a
/// request that was sent before the last step was taken tells nothing new. Pure; random numbers are
/// arguments, uniform in [0, 1).
class Backoff {
 public:
  enum class Law : std::uint8_t {
    doubling,      // first·2^k, up to 5 % more
    decorrelated,  // uniform between first and three times the last wait
  };

  struct Options {
    Law law = Law::doubling;
    double first_seconds = 1;
    double seconds_max = 60;
  };

  explicit Backoff(const Options& options) : options_(options) {}

  /// The wait after the failure of a request that was sent at `sent`; nullopt when it belongs to
  /// the last episode.
  [[nodiscard]] std::optional<base::Duration> next(base::Instant sent,
                                                   base::Instant now,
                                                   double uniform);

  /// A request that was sent at `sent` was answered well: if that was after the last step, the next
  /// one is the first.
  void succeeded(base::Instant sent);

 private:
  Options options_;
  std::optional<base::Instant> stepped_at_;
  double last_seconds_ = 0;
};

}  // namespace sortie::sched
