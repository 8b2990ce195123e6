#include "sortie/monitor/rates.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sortie::monitor {

void Rates::observe(const engine::RunStatus& status) {
  now_ = status.models;
  if (samples_.empty()) {
    at_start_ = now_;
  }
  samples_.push_back({.elapsed = status.elapsed,
                      .turns = status.turns,
                      .tokens = status.input_tokens + status.output_tokens});
  while (samples_.size() > 2 && samples_.back().elapsed - samples_[1].elapsed >= window_) {
    samples_.pop_front();
  }
}

double Rates::turns_per_second() const {
  if (samples_.size() < 2) {
    return 0;
  }
  const double span = base::seconds(samples_.back().elapsed - samples_.front().elapsed);
  return span <= 0 ? 0 : static_cast<double>(samples_.back().turns - samples_.front().turns) / span;
}

double Rates::tokens_per_second() const {
  if (samples_.size() < 2) {
    return 0;
  }
  const double span = base::seconds(samples_.back().elapsed - samples_.front().elapsed);
  return span <= 0 ? 0
                   : static_cast<double>(samples_.back().tokens - samples_.front().tokens) / span;
}

std::optional<base::Duration> Rates::remaining() const {
  if (samples_.empty() || now_.size() != at_start_.size()) {
    return std::nullopt;
  }
  // Turns of a trial, over all models; an open one is taken as half done.
  double turns = 0;
  double trials = 0;
  double closed = 0;
  for (std::size_t i = 0; i < now_.size(); ++i) {
    turns += static_cast<double>(now_[i].turns);
    closed += closed_here(i);
    trials += closed_here(i) + static_cast<double>(now_[i].running) / 2;
  }
  if (closed == 0 || turns == 0) {
    return std::nullopt;
  }
  const double per_trial = turns / trials;
  const double elapsed = base::seconds(samples_.back().elapsed);
  double longest = 0;
  for (std::size_t i = 0; i < now_.size(); ++i) {
    const engine::ModelProgress& model = now_[i];
    const auto open = static_cast<double>(model.planned - model.scored - model.lost);
    const auto done = static_cast<double>(model.turns);
    if (open == 0) {
      continue;
    }
    if (done == 0) {
      return std::nullopt;
    }
    const double left = (open + closed_here(i)) * per_trial - done;
    longest = std::max(longest, std::max(0.0, left) * elapsed / done);
  }
  return base::from_seconds(longest);
}

/// Trials of a model that were closed by this process.
double Rates::closed_here(std::size_t model) const {
  const engine::ModelProgress& now = now_[model];
  const engine::ModelProgress& then = at_start_[model];
  return static_cast<double>(now.scored + now.lost - then.scored - then.lost);
}

}  // namespace sortie::monitor
