#include "sortie/quota/attribution.h"

#include "sortie/quota/signal.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>

namespace sortie::quota {

namespace {

constexpr std::array kDimensions = {Dimension::requests, Dimension::tokens, Dimension::concurrency};
// Standard deviations of the logarithm of a reading: of the limit that refuses, and of any other.
// Slots are counted exactly, rates are measured.
constexpr double kRateSpread = 0.05;
constexpr double kSlotSpread = 0.02;
constexpr double kOtherSpread = 0.3;
constexpr double kEvidenceMax = 3;   // one episode is never worth more
constexpr double kOddsMax = 5;       // so that a change of mind takes a few episodes, no more
constexpr double kMeasuredMin = 20;  // requests, for a rate to be evidence
constexpr double kReadingWeight = 0.3;
constexpr double kHintedWindow = -0.7;  // a wait is told for rates, seldom for slots

/// log N(deviation; 0, own) − log N(deviation; 0, other)
double evidence(double deviation, double own) {
  const double own_z = deviation / own;
  const double other_z = deviation / kOtherSpread;
  const double value = std::log(kOtherSpread / own) - (own_z * own_z - other_z * other_z) / 2;
  return std::clamp(value, -kEvidenceMax, kEvidenceMax);
}

}  // namespace

void Attribution::observe(const Readings& readings, bool is_hinted) {
  const std::array values = {readings.requests, readings.tokens, readings.in_flight};
  if (is_hinted && episodes_ == 0) {
    log_odds_.back() += kHintedWindow;
  }
  // Half a slot of few is worth something.
  const double slot = std::hypot(kSlotSpread, 0.5 / std::max(1.0, readings.in_flight));
  const std::array own = {kRateSpread, kRateSpread, slot};
  for (std::size_t i = 0; i < kCandidates; ++i) {
    const bool is_rate = kDimensions[i] != Dimension::concurrency;
    if (is_rate && readings.measured < kMeasuredMin) {
      continue;
    }
    const double reading = std::log(std::max(values[i], 1e-3));
    std::optional<double>& usual = usual_[i];
    if (usual) {
      const double deviation = reading - *usual;
      log_odds_[i] += evidence(deviation, own[i]);
      *usual += kReadingWeight * deviation;
    } else {
      usual = reading;
    }
  }
  const double most = *std::max_element(log_odds_.begin(), log_odds_.end());
  for (double& odds : log_odds_) {
    odds = std::max(odds - most, -kOddsMax);
  }
  episodes_ += 1;
}

std::array<double, Attribution::kCandidates> Attribution::probabilities() const {
  std::array<double, kCandidates> result{};
  double sum = 0;
  for (std::size_t i = 0; i < kCandidates; ++i) {
    result[i] = std::exp(log_odds_[i]);
    sum += result[i];
  }
  for (double& one : result) {
    one /= sum;
  }
  return result;
}

double Attribution::probability(Dimension dimension) const {
  const auto place = std::find(kDimensions.begin(), kDimensions.end(), dimension);
  return place == kDimensions.end()
             ? 0
             : probabilities()[static_cast<std::size_t>(place - kDimensions.begin())];
}

Dimension Attribution::likeliest() const {
  const auto most = std::max_element(log_odds_.begin(), log_odds_.end());
  return kDimensions[static_cast<std::size_t>(most - log_odds_.begin())];
}

}  // namespace sortie::quota
