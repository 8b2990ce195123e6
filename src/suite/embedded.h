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
[[nodiscard]] std::array<EmbeddedFile, kTaskTypes.size()> embedded_tasks();

}  // namespace sortie::suite
