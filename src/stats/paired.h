#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::stats {

/// Two-sided exact McNemar test: the probability of a split as uneven as `only_first` against
/// `only_second` among the discordant pairs when neither side is better. 1 without discordant
/// pairs.
[[nodiscard]] double mcnemar_exact(std::uint64_t only_first, std::uint64_t only_second);

/// Holm's step-down adjustment of a family of p-values (Holm 1979), in the order given.
[[nodiscard]] std::vector<double> holm(const std::vector<double>& p_values);

struct PowerQuestion {
  std::uint64_t tasks = 100;  // pairs
  double discordant = 0.2;    // share of pairs that differ
  double alpha = 0.05;        // of one comparison; divide for a family
  double power = 0.8;
};

/// The smallest difference of two success rates, in shares, that the exact McNemar test finds with
/// the given power. 1 when none can be found.
[[nodiscard]] double detectable_difference(const PowerQuestion& question);

}  // namespace sortie::stats
