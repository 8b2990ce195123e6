#pragma once

#include "sortie/stats/proportion.h"

#include <cstdint>
#include <span>

namespace sortie::stats {

/// Independent trials of one stratum, such as a task type.
struct StratumCount {
  std::uint64_t successes = 0;
  std::uint64_t n = 0;
};

/// Score interval of a success rate over strata that weigh as much as they have trials. Wilson's
/// interval holds the rates that a score test does not reject where one rate fits all trials; this
/// one the rates that it does not reject where each stratum has its own: the variance is that
/// within strata, at the most likely rates of the strata that add up to the rate in question (score
/// method for a linear combination of proportions: Martín Andrés, Álvarez Hernández and Herranz
/// Tejedor 2011; with two strata Miettinen and Nurminen 1985). It takes the divisor n - k instead
/// of n - 1, for k rates are estimated from k strata, and is never more than that without strata,
/// which bounds it (Cochran 1977, 5.6).
///
/// So the interval lies within Wilson's, contains the share of successes, and is exactly Wilson's
/// with one stratum, with as many strata as trials, and where none or all succeeded: there strata
/// cannot have been seen to differ. Where each stratum is empty or full it has a width all the
/// same. Strata without trials count for nothing; no trials at all give [0, 1].
[[nodiscard]] Interval stratified_score(std::span<const StratumCount> strata,
                                        double confidence = 0.95);

}  // namespace sortie::stats
