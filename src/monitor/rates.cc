#include "sortie/monitor/rates.h"

#include <cstdint>
#include <optional>

namespace sortie::monitor {

void Rates::observe(const engine::RunStatus& status) {
  closed_ = status.scored() + status.lost();
  planned_ = status.planned();
  if (!begun_) {
    begun_ = true;
    closed_at_start_ = closed_;
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
  const std::uint64_t done = closed_ - closed_at_start_;
  if (samples_.empty() || done == 0) {
    return std::nullopt;
  }
  const double pace = base::seconds(samples_.back().elapsed) / static_cast<double>(done);
  return base::from_seconds(pace * static_cast<double>(planned_ - closed_));
}

}  // namespace sortie::monitor
