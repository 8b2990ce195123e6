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

/// How a streamed answer came.
struct StreamTiming {
  base::Duration first_token;      // from sending; of reasoning too
  base::Duration longest_silence;  // without a byte, from sending to the last one
  bool reasoned_openly = false;    // tokens of reasoning were sent
};

/// How long a route may be silent before a request counts as dead. The rule must not depend on the
/// answer: a limit that an answer can miss because it is long would, with a retry, select shorter
/// answers. So there are two limits, neither of which looks at the answer:
/// - a route that shows life while it thinks: the first token, by max(30 s, 4·p99 of that for as
///   long a prompt);
/// - a silent route: the time in which an answer of the maximum length ends even at half the speed
///   of the slowest in a hundred, and a minute of queueing; at most max(600 s, max_tokens ÷ 10 per
///   second), which holds until the speed is known.
/// A route counts as silent until an answer of it showed life: a model may think for minutes before
/// its first byte, and only its answers tell.
class AnswerTimes {
 public:
  void answered(double input_tokens,
                double output_tokens,
                base::Duration took,
                std::optional<base::Duration> first_token);

  /// How a streamed answer came.
  void streamed(const StreamTiming& timing);

  /// Its streams show life while the model thinks: one did, and none was silent for long.
  [[nodiscard]] bool shows_life() const { return showed_life_ && !was_silent_; }

  [[nodiscard]] base::Duration first_token_limit(double input_tokens) const;

  /// `output_tokens_max` as sent; 0: none was sent.
  [[nodiscard]] base::Duration whole_limit(double output_tokens_max) const;

  /// Of a stream that shows life: until its first token, and between two. It covers a queue of ten
  /// minutes, and thoughts of `output_tokens_max` tokens of which nothing is sent.
  [[nodiscard]] static base::Duration progress_limit(double output_tokens_max);

 private:
  Percentile99 first_token_;  // seconds, divided by what the prompt's length explains
  Percentile99 per_token_;    // seconds of a whole answer per token of output
  bool showed_life_ = false;
  bool was_silent_ = false;  // for good: what thinks silently once may do so again
};

}  // namespace sortie::sched
