#include "sortie/base/time.h"

#include <algorithm>
#include <cmath>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace sortie::base {

Instant SystemClock::now() const {
  return Instant(std::chrono::steady_clock::now().time_since_epoch());
}

WallTime SystemClock::wall() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

WallTime ManualClock::wall() const {
  constexpr std::chrono::sys_days kStart = std::chrono::year(2026) / 1 / 1;
  return kStart + std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch());
}

Duration from_seconds(double value) {
  constexpr double kCenturySeconds = 100.0 * 365.25 * 86400.0;
  const double clamped =
      std::isnan(value) ? 0.0 : std::clamp(value, -kCenturySeconds, kCenturySeconds);
  return Duration(static_cast<std::int64_t>(std::ceil(clamped * 1e9)));
}

std::string to_iso8601(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = (time - whole).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                     micros);
}

std::string human(Duration duration) {
  const double s = seconds(duration);
  if (s < 0.9995) {
    return fmt::format("{:.0f} ms", s * 1e3);
  }
  if (s < 99.95) {
    return fmt::format("{:.1f} s", s);
  }
  const auto whole = static_cast<std::int64_t>(std::llround(s));
  if (whole < 3600) {
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  if (whole < 86400) {
    return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  }
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

}  // namespace sortie::base
