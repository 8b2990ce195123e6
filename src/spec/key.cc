#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/factors.h"
#include "sortie/spec/model.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstdint>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

/// "-" for a parameter that is not sent: no number looks like it.
std::string text_of(const std::optional<double>& value) {
  return value ? json::number_text(*value) : "-";
}

std::string text_of(const std::optional<std::int64_t>& value) {
  return value ? fmt::format("{}", *value) : "-";
}

}  // namespace

void add_model_fields(base::FieldHasher& hasher, const Model& model) {
  hasher.field("model", model.name)
      .field("revision", model.revision)
      .field("simulated", model.simulated ? 1 : 0)
      .field("commands_from_reasoning", model.commands_from_reasoning ? 1 : 0)
      .field("temperature", text_of(model.sampling.temperature))
      .field("top_p", text_of(model.sampling.top_p))
      .field("max_tokens", text_of(model.sampling.max_tokens));
}

void add_factor_fields(base::FieldHasher& hasher, const suite::TrialParams& params) {
  const bool flawed = params.prompt.style == suite::PromptStyle::flawed;
  hasher.field("prompt", suite::to_string(params.prompt))
      .field("severity", flawed ? suite::to_string(params.severity) : "")
      .field("tool_success_rate", json::number_text(params.tool_success_rate))
      .field("difficulty", suite::to_string(params.difficulty))
      .field("protocol", suite::to_string(params.protocol))
      .field("seed", fmt::format("{}", params.seed))
      .field("max_turns", params.max_turns);
}

base::Digest key_of(const KeyParts& parts) {
  CHECK(parts.model != nullptr);
  base::FieldHasher hasher("sortie.trial.v1");
  hasher.field("task", parts.task)
      .field("world", parts.world)
      .field("dialogue", parts.dialogue)
      .field("plan", parts.plan);
  add_model_fields(hasher, *parts.model);
  add_factor_fields(hasher, parts.params);
  hasher.field("repeat", parts.params.repeat);
  return hasher.finish();
}

base::Digest trial_key(const KeyContext& context,
                       const Topology& topology,
                       const Campaign& campaign,
                       const Trial& trial,
                       const base::Digest& plan_digest) {
  CHECK(context.suite != nullptr);
  return key_of({.task = context.suite->tasks()[trial.task].hash,
                 .world = context.suite->catalog().version(),
                 .dialogue = context.dialogue_version,
                 .plan = plan_digest,
                 .model = &topology.models[campaign.cells[trial.cell].model],
                 .params = trial.params});
}

std::int64_t provider_seed(const base::Digest& trial_key) {
  // Not the key's own low bits: those decide hash buckets and may decide samples of trials.
  const base::Digest digest =
      base::FieldHasher("sortie.provider_seed.v1").field("trial", trial_key).finish();
  constexpr std::uint64_t kMask = 0x7FFF'FFFF;
  return static_cast<std::int64_t>(digest.low64() & kMask);
}

}  // namespace sortie::spec
