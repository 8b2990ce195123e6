#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/concurrency.h"
#include "sortie/quota/learning_law.h"

#include <cstddef>
#include <optional>

namespace sortie::quota {

/// A limit of requests in flight that nobody told. Free until the server refuses; then exactly as
/// many as it held, and one more after ever longer intervals: an interval is counted in good
/// answers that came while the window was full, and is doubled by each trial that failed. A value,
/// pure.
class WindowLearner {
 public:
  explicit WindowLearner(const WindowLaw& law);

  /// The limit is believed to be `slots`.
  void start_at(std::size_t slots);

  /// Forgets it: nothing is held back.
  void stop();

  [[nodiscard]] base::Instant earliest(base::Instant now) const { return slots_.earliest(now); }

  void acquire(base::Instant now) { slots_.acquire(now); }

  void release(base::Instant now, base::Instant when) { slots_.release_at(now, when); }

  /// A request that was sent at `sent` was refused, and is released already: the others in flight
  /// are what the server held. True when that began an episode.
  bool refused(base::Instant sent, base::Instant now);

  /// A request was answered well, and not released yet.
  void succeeded(base::Instant now);

  void set_probing(bool probing) { is_probing_ = probing; }

  [[nodiscard]] std::size_t in_flight(base::Instant now) const { return slots_.in_flight(now); }

  /// Nullopt before the first refusal.
  [[nodiscard]] std::optional<std::size_t> window() const;

  [[nodiscard]] double confidence() const { return confidence_; }

  void set_confidence(double confidence) { confidence_ = confidence; }

 private:
  void set_window(std::size_t window);
  [[nodiscard]] std::size_t answers_needed() const;

  WindowLaw law_;
  ConcurrencyCounter slots_;
  bool is_known_ = false;
  bool is_probing_ = true;
  bool is_trial_ = false;     // one more than was known is being tried
  std::size_t step_ = 1;      // slots of the next trial
  std::size_t patience_ = 1;  // times the interval between trials
  std::size_t answers_ = 0;   // with a full window, since the last change
  double confidence_ = 0;
  base::Instant episode_at_ = base::Instant::min();
};

}  // namespace sortie::quota
