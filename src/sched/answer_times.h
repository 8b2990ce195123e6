#pragma once

#include "sortie/base/time.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace sortie::sched {

/// The 99th percentile of the last 512 values.
class Percentile99 {
 public:
  void add(double value);

  /// Nullopt until there are `samples_min` values.
  [[nodiscard]] std::optional<double> value(std::size_t samples_min) const;

 private:
  std::vector<double> values_;  // a ring once it is full
  std::size_t next_ = 0;
  mutable std::optional<double> known_;
  mutable std::size_t known_age_ = 0;
};

/// What an answer of that size takes somewhere; only ratios matter.
[[nodiscard]] double usual_seconds(double input_tokens, double output_tokens);

/// How long a route may be silent before a request counts as dead. The rule must not depend on the
/// answer: a limit that an answer can miss because it is long would, with a retry, select shorter
/// answers. So there are two limits, neither of which looks at the answer:
/// - a route that shows life while it thinks: the first token, by max(30 s, 4·p99 of that for as
///   long a prompt);
/// - a silent route: the time in which an answer of the maximum length ends even at half the speed
///   of the slowest in a hundred, and a minute of queueing; at most max(600 s, max_tokens ÷ 10 per
///   second), which holds until the speed is known.
class AnswerTimes {
 public:
  void answered(double input_tokens,
                double output_tokens,
                base::Duration took,
                std::optional<base::Duration> first_token);

  [[nodiscard]] base::Duration first_token_limit(double input_tokens) const;

  /// `output_tokens_max` as sent; 0: none was sent.
  [[nodiscard]] base::Duration whole_limit(double output_tokens_max) const;

 private:
  Percentile99 first_token_;  // seconds, divided by what the prompt's length explains
  Percentile99 per_token_;    // seconds of a whole answer per token of output
};

}  // namespace sortie::sched
