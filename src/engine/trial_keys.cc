#include "sortie/engine/trial_keys.h"

namespace sortie::engine {

namespace {

base::Digest key_with(const RunContext& context,
                      const spec::Trial& trial,
                      const base::Digest& plan) {
  const spec::KeyContext keys{.suite = context.suite, .dialogue_version = context.rules->version()};
  return spec::trial_key(keys, *context.topology, *context.campaign, trial, plan);
}

base::Digest plan_of(const RunContext& context, const spec::Trial& trial) {
  return context.rules->plan_digest(context.suite->tasks()[trial.task], trial.params);
}

}  // namespace

base::Digest key_of(const RunContext& context, const spec::Trial& trial) {
  return key_with(context, trial, plan_of(context, trial));
}

TrialKeys::TrialKeys(const RunContext& context) : context_(context) {}

base::Digest TrialKeys::of(const spec::Trial& trial) {
  const std::size_t place = trial.cell * context_.suite->tasks().size() + trial.task;
  auto known = plans_.find(place);
  if (known == plans_.end()) {
    known = plans_.emplace(place, plan_of(context_, trial)).first;
  }
  return key_with(context_, trial, known->second);
}

}  // namespace sortie::engine
