#include "sortie/engine/lengths.h"

#include <algorithm>

namespace sortie::engine {

namespace {

constexpr double kPriorWeight = 5;  // dialogues that the prior counts as

}  // namespace

DialogueLengths::DialogueLengths(std::size_t turns_max, double prior_turns)
    : prior_(prior_turns), at_least_(turns_max + 1), turns_beyond_(turns_max + 1) {}

void DialogueLengths::finished(std::size_t turns) {
  const std::size_t last = std::min(turns, at_least_.size() - 1);
  for (std::size_t t = 0; t <= last; ++t) {
    ++at_least_[t];
    turns_beyond_[t] += static_cast<double>(turns - t);
  }
}

double DialogueLengths::remaining(std::size_t done) const {
  return remaining(done, std::max(1.0, prior_ - static_cast<double>(done)));
}

double DialogueLengths::remaining(std::size_t done, double prior) const {
  const std::size_t t = std::min(done, at_least_.size() - 1);
  const double mean = (turns_beyond_[t] + kPriorWeight * prior) /
                      (static_cast<double>(at_least_[t]) + kPriorWeight);
  return std::max(1.0, mean);
}

}  // namespace sortie::engine
