#include "sortie/sched/answer_times.h"

#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace sortie::sched {

namespace {

constexpr std::size_t kSamplesMax = 512;
constexpr std::size_t kRefreshAfter = 32;  // values
constexpr std::size_t kSamplesMin = 200;

constexpr double kFirstTokenSecondsMin = 30;
constexpr double kFirstTokenSecondsUnknown = 60;
constexpr double kFirstTokenFactor = 4;
constexpr double kPromptTokensPerUnit = 5000;  // a prompt of so many takes twice as long as none

constexpr double kSilentSecondsMin = 600;
constexpr double kSilentTokensPerSecond = 10;
constexpr double kMaxTokensUnknown = 4096;
constexpr double kQueueSeconds = 60;
constexpr double kSlownessFactor = 2;
// Shorter answers say more about the first token than about the speed.
constexpr double kOutputTokensMin = 100;

// Half of what a route that shows life may be silent.
constexpr double kSilenceSecondsMax = 30;

/// In which any answer of that length ends, at a speed that no route falls below.
double most_seconds(double output_tokens_max) {
  const double tokens = output_tokens_max > 0 ? output_tokens_max : kMaxTokensUnknown;
  return std::max(kSilentSecondsMin, tokens / kSilentTokensPerSecond);
}

double prompt_units(double input_tokens) {
  return 1 + input_tokens / kPromptTokensPerUnit;
}

}  // namespace

double usual_seconds(double input_tokens, double output_tokens) {
  return 0.5 + input_tokens / 10'000 + output_tokens / 50;
}

void Percentile99::add(double value) {
  if (values_.size() < kSamplesMax) {
    values_.push_back(value);
  } else {
    values_[next_] = value;
    next_ = (next_ + 1) % kSamplesMax;
  }
  ++known_age_;
}

std::optional<double> Percentile99::value(std::size_t samples_min) const {
  if (values_.size() < samples_min) {
    return std::nullopt;
  }
  if (!known_ || known_age_ >= kRefreshAfter) {
    std::vector<double> sorted = values_;
    const auto place = static_cast<std::ptrdiff_t>((sorted.size() * 99) / 100);
    std::nth_element(sorted.begin(), sorted.begin() + place, sorted.end());
    known_ = sorted[static_cast<std::size_t>(place)];
    known_age_ = 0;
  }
  return known_;
}

void AnswerTimes::answered(double input_tokens,
                           double output_tokens,
                           base::Duration took,
                           std::optional<base::Duration> first_token) {
  if (first_token) {
    first_token_.add(base::seconds(*first_token) / prompt_units(input_tokens));
  }
  if (output_tokens >= kOutputTokensMin) {
    per_token_.add(base::seconds(took) / output_tokens);
  }
}

void AnswerTimes::streamed(const StreamTiming& timing) {
  const bool is_silent = base::seconds(timing.longest_silence) > kSilenceSecondsMax;
  was_silent_ = was_silent_ || is_silent;
  // A short wait proves nothing, unless thoughts were sent.
  showed_life_ = showed_life_ || timing.reasoned_openly ||
                 (!is_silent && base::seconds(timing.first_token) >= kSilenceSecondsMax);
}

base::Duration AnswerTimes::first_token_limit(double input_tokens) const {
  const std::optional<double> p99 = first_token_.value(kSamplesMin);
  if (!p99) {
    return base::from_seconds(kFirstTokenSecondsUnknown);
  }
  return base::from_seconds(
      std::max(kFirstTokenSecondsMin, kFirstTokenFactor * *p99 * prompt_units(input_tokens)));
}

base::Duration AnswerTimes::progress_limit(double output_tokens_max) {
  return base::from_seconds(most_seconds(output_tokens_max));
}

base::Duration AnswerTimes::whole_limit(double output_tokens_max) const {
  const double most = most_seconds(output_tokens_max);
  const std::optional<double> p99 = per_token_.value(kSamplesMin);
  if (!p99 || output_tokens_max <= 0) {
    return base::from_seconds(most);
  }
  return base::from_seconds(
      std::min(most, kQueueSeconds + kSlownessFactor * *p99 * output_tokens_max));
}

}  // namespace sortie::sched
