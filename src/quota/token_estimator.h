#pragma once

#include "sortie/quota/limit.h"

#include <cstdint>

namespace sortie::quota {

/// What is known about a request before it is sent. In the first turn of a dialogue nothing
/// precedes, and `new_bytes` is the whole request: messages and tool schemas.
struct TurnShape {
  double previous_input = 0;   // input tokens of the previous turn, as the provider counted them
  double previous_output = 0;  // output tokens of it that are sent back (without hidden reasoning)
  double new_bytes = 0;        // bytes of text that neither of the two counts
  double max_output = 0;       // parameter that is sent; 0: none
};

/// Where learning starts: values of ordinary English text and JSON.
struct TokenPrior {
  double tokens_per_byte = 0.27;
  double output = 300;       // expected output tokens of a request
  double output_weight = 8;  // observations that the prior output is worth
};

/// Tokens of a request before it is sent, for one model. Input: the provider's own count of the
/// previous turn, plus ρ tokens for each new byte, ρ being learned from the counts; so that errors
/// do not add up over a dialogue. Output: the mean of what was seen, since many requests share a
/// window. Pure.
class TokenEstimator {
 public:
  explicit TokenEstimator(TokenPrior prior = {});

  [[nodiscard]] RequestSize estimate(const TurnShape& shape) const;

  /// Learns from the provider's counts for a request of that shape. Absurd counts are ignored.
  void observe(const TurnShape& shape, double input, double output);

  [[nodiscard]] double tokens_per_byte() const { return tokens_per_byte_; }

  [[nodiscard]] double mean_output() const { return mean_output_; }

 private:
  double tokens_per_byte_;
  double mean_output_;
  double output_weight_;
};

}  // namespace sortie::quota
