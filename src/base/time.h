#pragma once

#include <chrono>
#include <cstdint>
#include <string>

// Two kinds of time, never mixed. An Instant is the engine's own monotonic time: decisions, pacing
// and deadlines use it, and virtual time replaces it. A WallTime is what a calendar shows: records
// and people use it.

namespace sortie::base {

using Duration = std::chrono::nanoseconds;

struct EngineClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<EngineClock>;
  static constexpr bool is_steady =
      true;  // NOLINT(readability-identifier-naming): the standard's name
};

using Instant = EngineClock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

/// Who knows the time. Logic takes an Instant as argument; only loops hold a Clock.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] WallTime wall() const override;
};

/// A clock that stands still until moved. Starts at Instant 0 and 2026-01-01T00:00:00Z.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }

  [[nodiscard]] WallTime wall() const override;

  void advance(Duration by) { now_ += by; }

  void advance_to(Instant to) { now_ = to > now_ ? to : now_; }

 private:
  Instant now_{};
};

[[nodiscard]] constexpr double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// Seconds to Duration, rounded up to a nanosecond, clamped to ±100 years.
[[nodiscard]] Duration from_seconds(double value);

/// "2026-01-31T12:00:00.123456Z".
[[nodiscard]] std::string to_iso8601(WallTime time);

/// For people: "850 ms", "12.3 s", "4 min 05 s", "6 h 12 min", "3 d 4 h".
[[nodiscard]] std::string human(Duration duration);

}  // namespace sortie::base
