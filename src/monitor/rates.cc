#include "sortie/monitor/rates.h"

#include <cstddef>
#include <cstdint>

namespace sortie::monitor {

void Rates::observe(const engine::RunStatus& status) {
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

}  // namespace sortie::monitor
