#include "sortie/base/time.h"
#include "sortie/engine/core.h"
#include "sortie/engine/dispatcher_core.h"
#include "sortie/engine/forecast.h"
#include "sortie/sched/bound.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

// How long a campaign will go on, and how long its limits would let it take at least.

namespace sortie::engine {

/// nullopt too where somebody holds the run up.
std::optional<TimeLeft> Engine::Core::time_left() const {
  if (!running_ || counters_.paused || counters_.draining || stopping_) {
    return std::nullopt;
  }
  std::vector<WorkLeft> work;
  work.reserve(models_.size());
  for (const ModelState& model : models_) {
    if (model.progress.paused) {
      return std::nullopt;
    }
    work.push_back(
        {.unopened = static_cast<double>(model.unopened),
         .seconds_a_turn = model.done.service_seconds / std::max(1.0, model.done.requests)});
  }
  return forecast_.time_left(now(), work);
}

/// The turns that are expected and were not sent, each as those that were answered. One class a
/// model; none for a model without answers.
std::vector<sched::WorkClass> Engine::Core::work_left() const {
  std::vector<double> turns(models_.size());
  std::vector<double> longest(models_.size());
  for (const Stratum& stratum : strata_) {
    if (stratum.left > 0) {
      const std::size_t model = model_of(stratum);
      turns[model] += static_cast<double>(stratum.left) * turns_each(stratum);
      longest[model] = std::max(longest[model], turns_each(stratum));
    }
  }
  for (const auto& open : open_) {
    if (open != nullptr) {
      const bool is_sent = open->stage == Stage::in_flight || open->stage == Stage::turn_committing;
      turns[open->model] += turns_to_come(*open) - (is_sent ? 1 : 0);
      longest[open->model] = std::max(longest[open->model], turns_to_come(*open));
    }
  }
  std::vector<sched::WorkClass> work;
  for (std::size_t i = 0; i < models_.size(); ++i) {
    const WorkDone& done = models_[i].done;
    if (done.requests == 0) {
      continue;
    }
    const double seconds = done.service_seconds / done.requests;
    const auto max_tokens = context_.topology->models[i].sampling.max_tokens;
    work.push_back({.model = i,
                    .requests = turns[i],
                    .input_tokens = done.input_tokens / done.requests,
                    .output_tokens = done.output_tokens / done.requests,
                    .max_output_tokens = static_cast<double>(max_tokens.value_or(0)),
                    .service_seconds = seconds,
                    .dialogue_seconds = longest[i] * seconds});
  }
  return work;
}

std::optional<base::Duration> Engine::Core::bound_left(const TimeLeft& time_left) const {
  const auto seconds = sched::lower_bound_seconds(floor_.limits_in_force(), work_left());
  if (!seconds.has_value()) {
    return std::nullopt;
  }
  return std::min(base::from_seconds(*seconds), time_left.likely);
}

}  // namespace sortie::engine
