#include "sortie/monitor/rates.h"

#include <cstddef>
#include <utility>

namespace sortie::monitor {

void Rates::observe(const engine::RunStatus& status) {
  Sample sample{.elapsed = status.elapsed,
                .turns = static_cast<double>(status.turns),
                .tokens = static_cast<double>(status.input_tokens + status.output_tokens),
                .turns_by_model = {}};
  for (const engine::ModelProgress& model : status.models) {
    sample.turns_by_model.push_back(static_cast<double>(model.turns));
  }
  samples_.push_back(std::move(sample));
  while (samples_.size() > 2 && samples_.back().elapsed - samples_[1].elapsed >= window_) {
    samples_.pop_front();
  }
}

template <class Value>
double Rates::rate(Value value) const {
  if (samples_.size() < 2) {
    return 0;
  }
  const double span = base::seconds(samples_.back().elapsed - samples_.front().elapsed);
  return span <= 0 ? 0 : (value(samples_.back()) - value(samples_.front())) / span;
}

double Rates::turns_per_second() const {
  return rate([](const Sample& sample) { return sample.turns; });
}

double Rates::tokens_per_second() const {
  return rate([](const Sample& sample) { return sample.tokens; });
}

double Rates::turns_per_second(std::size_t model) const {
  return rate([model](const Sample& sample) {
    return model < sample.turns_by_model.size() ? sample.turns_by_model[model] : 0;
  });
}

}  // namespace sortie::monitor
