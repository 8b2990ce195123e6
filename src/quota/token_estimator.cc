#include "sortie/quota/token_estimator.h"

#include "sortie/quota/limit.h"

#include <algorithm>
#include <cmath>

namespace sortie::quota {

namespace {

// Fewer new bytes tell more about message framing than about ρ.
constexpr double kBytesMin = 64;
// A sample of this many bytes moves ρ by 1 − 1/e ≈ 63 % of the difference; smaller ones by less.
constexpr double kBytesScale = 16 * 1024;
// One answer alone never moves ρ by more than this share.
constexpr double kStepMax = 0.3;
// No tokenizer in use leaves this range over a text of any length.
constexpr double kTokensPerByteMin = 0.02;
constexpr double kTokensPerByteMax = 2;
// From here on the mean forgets: an answer weighs 1/500.
constexpr double kOutputWeightMax = 500;
// More than any context window: a miscount of the server.
constexpr double kTokensMax = 1e8;

bool is_count(double tokens) {
  return tokens >= 0 && tokens <= kTokensMax;
}

}  // namespace

TokenEstimator::TokenEstimator(TokenPrior prior)
    : tokens_per_byte_(prior.tokens_per_byte),
      mean_output_(prior.output),
      output_weight_(prior.output_weight) {}

RequestSize TokenEstimator::estimate(const TurnShape& shape) const {
  RequestSize size;
  size.input = std::max(
      0.0, shape.previous_input + shape.previous_output + tokens_per_byte_ * shape.new_bytes);
  size.output = shape.max_output > 0 ? std::min(mean_output_, shape.max_output) : mean_output_;
  size.max_output = shape.max_output;
  return size;
}

void TokenEstimator::observe(const TurnShape& shape, double input, double output) {
  if (is_count(output)) {
    output_weight_ = std::min(output_weight_ + 1, kOutputWeightMax);
    mean_output_ += (output - mean_output_) / output_weight_;
  }
  if (!is_count(input) || !(shape.new_bytes >= kBytesMin)) {
    return;
  }
  const double sample = (input - shape.previous_input - shape.previous_output) / shape.new_bytes;
  // A count that contradicts the previous one (a cut context, another tokenizer) says nothing about
  // ρ.
  if (sample >= kTokensPerByteMin && sample <= kTokensPerByteMax) {
    const double step = std::min(kStepMax, 1 - std::exp(-shape.new_bytes / kBytesScale));
    tokens_per_byte_ += step * (sample - tokens_per_byte_);
  }
}

}  // namespace sortie::quota
