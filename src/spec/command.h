#pragma once

#include "sortie/base/error.h"
#include "sortie/base/time.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace sortie::spec {

struct CommandLimits {
  std::size_t bytes_max = 4'096;
  base::Duration time_max = std::chrono::seconds(10);
};

/// The first line that a program prints; argv without a shell, no input, its error output is
/// discarded. Blocks. Errors say what went wrong ("ended with exit code 2") and never what was
/// printed. Whatever it started ends with it.
[[nodiscard]] base::Result<std::string> first_line_of(const std::vector<std::string>& arguments,
                                                      CommandLimits limits);

}  // namespace sortie::spec
