#include "sortie/sched/sharing_evidence.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace sortie::sched {

namespace {

constexpr double kDeviation = 0.05;    // of the load at which a limit refuses, relative
constexpr double kEvidenceFloor = -6;  // what loads alone can say against it
constexpr double kEvidenceMax = 2;     // of one refusal: loads have outliers

std::pair<std::size_t, std::size_t> name_of(std::size_t a, std::size_t b) {
  return std::minmax(a, b);
}

/// The change of a load is minus the other's (one limit), or nothing (its own).
double log_ratio(double load, double change, double change_of_other) {
  const double variance = 2 * kDeviation * kDeviation * load * load;
  const double shared = change + change_of_other;
  return std::clamp(
      (change * change - shared * shared) / (2 * variance), -kEvidenceMax, kEvidenceMax);
}

}  // namespace

void SharingEvidence::refused(std::size_t pool, const Loads& loads) {
  const auto [place, is_first] = before_.try_emplace(pool, loads);
  Loads& before = place->second;
  before.resize(loads.size());
  if (!is_first && loads[pool] && before[pool]) {
    const double load = *loads[pool];
    for (std::size_t other = 0; other < loads.size(); ++other) {
      if (other == pool || !loads[other] || !before[other]) {
        continue;
      }
      double& evidence = evidence_[name_of(pool, other)];
      const double more = log_ratio(load, load - *before[pool], *loads[other] - *before[other]);
      evidence += evidence + more > kEvidenceFloor || more > 0 ? more : 0;
    }
  }
  before = loads;
}

double SharingEvidence::of(std::size_t a, std::size_t b) const {
  const auto found = evidence_.find(name_of(a, b));
  return found != evidence_.end() ? found->second : 0;
}

void SharingEvidence::set(std::size_t a, std::size_t b, double evidence) {
  evidence_[name_of(a, b)] = evidence;
}

}  // namespace sortie::sched
