#pragma once

#include "sortie/quota/signal.h"

#include <array>
#include <cstddef>
#include <optional>

namespace sortie::quota {

/// Which limit refuses, when refusals do not say. A limit refuses at the same reading of its own
/// meter each time, the others at whatever reading chance has brought; so each episode's readings
/// are compared with those of the episodes before (Bayes' rule over requests, tokens and requests
/// in flight). A value, pure.
class Attribution {
 public:
  /// Meters at an episode: requests and tokens a second that were delivered, requests in flight.
  struct Readings {
    double requests = 0;
    double tokens = 0;
    double in_flight = 0;
    double measured = 0;  // requests that the rates stand on
  };

  /// `is_hinted`: the refusal said how long to wait, as limits of rate do.
  void observe(const Readings& readings, bool is_hinted);

  [[nodiscard]] double probability(Dimension dimension) const;

  /// The limit to blame.
  [[nodiscard]] Dimension likeliest() const;

 private:
  static constexpr std::size_t kCandidates = 3;

  [[nodiscard]] std::array<double, kCandidates> probabilities() const;

  // Logarithms of the odds before any evidence: limits of requests are the most common, and
  // windows are mostly named.
  std::array<double, kCandidates> log_odds_{0, -1, -1};
  std::array<std::optional<double>, kCandidates> usual_;  // logarithm of the usual reading
  std::size_t episodes_ = 0;
};

}  // namespace sortie::quota
