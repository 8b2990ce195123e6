#pragma once

#include "sortie/suite/trial.h"

#include <array>
#include <string_view>

// The files of suites/pilot, linked into the binary byte for byte.

namespace sortie::suite {

struct EmbeddedFile {
  TaskType type;
  std::string_view name;  // "pilot/simple_task.json"
  std::string_view text;
};

[[nodiscard]] std::string_view embedded_tools();

/// The levels of pilot/1 whose texts people have read with `sortie suite review`, and understood:
/// none so far.
inline constexpr std::array<Difficulty, 0> kPilotReviewed = {};
[[nodiscard]] std::array<EmbeddedFile, kTaskTypes.size()> embedded_tasks();

}  // namespace sortie::suite
