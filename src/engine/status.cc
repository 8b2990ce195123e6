#include "sortie/engine/status.h"

#include <cstdint>

namespace sortie::engine {

namespace {

std::uint64_t sum(const std::vector<ModelProgress>& models, std::uint64_t ModelProgress::* member) {
  std::uint64_t total = 0;
  for (const ModelProgress& model : models) {
    total += model.*member;
  }
  return total;
}

}  // namespace

TrialCounts& TrialCounts::operator+=(const TrialCounts& other) {
  planned += other.planned;
  scored += other.scored;
  succeeded += other.succeeded;
  lost += other.lost;
  running += other.running;
  in_flight += other.in_flight;
  return *this;
}

std::uint64_t RunStatus::planned() const {
  return sum(models, &ModelProgress::planned);
}

std::uint64_t RunStatus::scored() const {
  return sum(models, &ModelProgress::scored);
}

std::uint64_t RunStatus::lost() const {
  return sum(models, &ModelProgress::lost);
}

}  // namespace sortie::engine
