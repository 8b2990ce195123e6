#pragma once

#include "bench/common.h"
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

// A benchmark against a reference of the same run. Absolute figures belong to a machine; of two
// that were taken side by side the ratio hardly does, and so it can be compared with what was
// recorded.

namespace sortie::bench {

/// Of all threads of this process: what is comparable while the machine is busy.
inline double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// Of an odd number of values.
inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// A check takes the median of so many measurements: other work disturbs single ones.
inline constexpr int kCheckRounds = 3;

/// The part of a recorded ratio that may be lost before it counts as a loss.
inline constexpr double kTolerance = 0.3;

/// Lines "name ratio"; "#" begins a comment.
inline std::optional<double> recorded_ratio(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    if (word == name) {
      double ratio = 0;
      return file >> ratio ? std::optional(ratio) : std::nullopt;
    }
    std::getline(file, word);
  }
  return std::nullopt;
}

/// The exit code: 1 where `measured` (more is better) is worse than what the file records.
inline int compare_ratio(const std::string& path, const std::string& name, double measured) {
  const std::optional<double> recorded = recorded_ratio(path, name);
  if (!recorded.has_value()) {
    fmt::print(stderr, "{} records no ratio '{}': measured {:.3f}\n", path, name, measured);
    return 1;
  }
  const double least = *recorded * (1 - kTolerance);
  fmt::print("{}: {:.3f} of the reference, {:.3f} recorded\n", name, measured, *recorded);
  if (measured < least) {
    fmt::print(stderr,
               "{} fell below {:.3f}. If that is meant, write the new ratio into {}\n",
               name,
               least,
               path);
    return 1;
  }
  return 0;
}

}  // namespace sortie::bench
