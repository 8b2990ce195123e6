#pragma once

#include "sortie/base/time.h"
#include "sortie/sched/backoff.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace sortie::sched {

/// How many requests one model of one endpoint should have in flight, over all keys: their
/// capacity, not our limits. Two things close it:
/// - the server says that it is overloaded: the window shrinks to 0.7 of what is in flight, once
/// per
///   episode, and a gate closes for 1–30 s;
/// - answers take longer than they did, for their size: beyond a certain load a server's throughput
///   falls. The window follows the median; a cut that does not make answers faster is taken back,
///   since then it is not our load that slows them down.
/// It grows only while it is full. Until one of these happens there is no window. Pure; takes
/// `now`, which must never go backwards.
class LoadWindow {
 public:
  /// `first` > 0: begins with so many and grows by half as long as answers are as fast as at first;
  /// 0: begins without a window.
  explicit LoadWindow(std::size_t first = 0);

  /// The first instant ≥ now at which a request may go; Instant::max() while the window is full.
  [[nodiscard]] base::Instant earliest(base::Instant now) const;

  void admit();

  /// A request ended, however it did.
  void released() { in_flight_ -= in_flight_ > 0 ? 1 : 0; }

  /// It was sent at `sent` and answered well after `seconds`; `size` is what such an answer takes
  /// in some constant unit.
  void answered(base::Instant sent, base::Instant now, double seconds, double size);

  /// The server was overloaded by a request that was sent at `sent`; `wait` is its hint.
  void overloaded(base::Instant sent,
                  base::Instant now,
                  std::optional<base::Duration> wait,
                  double uniform);

  /// Does not grow before `until`.
  void freeze(base::Instant until);

  /// Requests in flight; nullopt: any number.
  [[nodiscard]] std::optional<std::size_t> window() const;

  [[nodiscard]] base::Instant closed_until() const { return closed_until_; }

 private:
  /// Of the answers to requests that were sent since the last change.
  struct Latency {
    double median = 0;  // log of seconds per size
    double error = 0;   // standard error of that
  };

  struct Before {
    double window = 0;
    double median = 0;
    bool had_window = false;
  };

  [[nodiscard]] std::size_t samples_wanted() const;
  [[nodiscard]] Latency latency();
  void judge(base::Instant now);
  [[nodiscard]] bool cut_was_vain(const Before& before, const Latency& latency) const;
  [[nodiscard]] double learned_of_usual(const Latency& latency, double excess);
  void cut(const Latency& latency, double excess);
  [[nodiscard]] bool is_full() const;
  void grow(base::Instant now);
  void begin(base::Instant now);

  std::size_t in_flight_ = 0;
  std::size_t peak_ = 0;  // most in flight since the last change
  std::optional<double> window_;
  bool is_sensitive_ = false;  // a cut has helped, or the server said so
  bool is_first_ = false;      // growing from the first window
  std::vector<double> samples_;
  std::optional<double> usual_;   // median when all is well
  double calm_ = 0;               // how often it was
  std::optional<Before> before_;  // the first of a row of cuts
  Backoff backoff_{{.law = Backoff::Law::decorrelated, .first_seconds = 1, .seconds_max = 30}};
  base::Instant closed_until_ = base::Instant::min();
  base::Instant changed_at_ = base::Instant::min();
  base::Instant frozen_until_ = base::Instant::min();
};

}  // namespace sortie::sched
