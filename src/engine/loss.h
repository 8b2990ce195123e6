#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sortie::engine {

/// Where the time of a limit went that was not used for answers.
enum class Loss : std::uint8_t {
  ramp,       // nothing had been answered over it yet, or nothing had ever waited for it; where
              // nothing is declared: no limit had been found yet
  margin,     // something waited for it: requests are spaced wider than the limit
  cut,        // something waited for a limit that was learned: after a refusal it is used less
  gate,       // the server had said to wait
  idle,       // nothing was ready to be sent
  tail,       // the same, and no trial was left to begin
  retry,      // used by requests that were rejected
  fault,      // used by requests that failed, or its routes were out
  paused,     // a person paused what uses it
  placement,  // work that the best plan sends over other limits; see SpeedReport
};

inline constexpr std::size_t kLossKinds = 10;

/// Seconds by Loss.
using Losses = std::array<double, kLossKinds>;

[[nodiscard]] std::string_view to_string(Loss loss);

}  // namespace sortie::engine
