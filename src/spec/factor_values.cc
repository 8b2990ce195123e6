#include "sortie/spec/factor_values.h"

#include "sortie/spec/node.h"
#include "sortie/spec/reader.h"
#include "sortie/suite/trial.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::spec {
namespace {

constexpr std::int64_t kMaxTurnsMax = 10'000;

std::vector<std::string> prompt_names() {
  std::vector<std::string> names = {"baseline", "cot", "optimal"};
  for (int flaw = static_cast<int>(suite::Flaw::sequence_disorder);
       flaw <= static_cast<int>(suite::Flaw::semantic_drift);
       ++flaw) {
    names.push_back(suite::to_string(suite::Prompt{.style = suite::PromptStyle::flawed,
                                                   .flaw = static_cast<suite::Flaw>(flaw)}));
  }
  return names;
}

template <class Values>
std::vector<std::string> names_of(const Values& values) {
  std::vector<std::string> names;
  for (const auto value : values) {
    names.emplace_back(suite::to_string(value));
  }
  return names;
}

/// Reads one of a closed set of names into `target`.
template <class Value, class FromName>
bool read_choice(const Node& node,
                 std::string_view label,
                 FromName from_name,
                 const std::vector<std::string>& known,
                 Value& target,
                 Problems& problems) {
  const std::optional<std::string> name = read_text(node, label, problems);
  if (!name) {
    return false;
  }
  const std::optional<Value> value = from_name(*name);
  if (!value) {
    report_unknown(label, {.text = *name, .mark = node.mark}, known, problems);
    return false;
  }
  target = *value;
  return true;
}

bool apply_rate(const Node& node, suite::TrialParams& params, Problems& problems) {
  const auto rate =
      read_number(node, "tool_success_rate", {.min = 0, .max = 1, .above_min = true}, problems);
  params.tool_success_rate = rate.value_or(params.tool_success_rate);
  return rate.has_value();
}

bool apply_max_turns(const Node& node, suite::TrialParams& params, Problems& problems) {
  const auto turns = read_integer(node, "max_turns", 1, kMaxTurnsMax, problems);
  params.max_turns = static_cast<int>(turns.value_or(params.max_turns));
  return turns.has_value();
}

}  // namespace

std::vector<std::string> factor_names() {
  return {"prompt", "difficulty", "tool_success_rate", "severity", "protocol", "max_turns"};
}

bool apply_factor(std::string_view factor,
                  const Node& value,
                  suite::TrialParams& params,
                  Problems& problems) {
  if (factor == "prompt") {
    return read_choice(value, factor, suite::prompt_from, prompt_names(), params.prompt, problems);
  }
  if (factor == "difficulty") {
    return read_choice(value,
                       factor,
                       suite::difficulty_from,
                       names_of(suite::kDifficulties),
                       params.difficulty,
                       problems);
  }
  if (factor == "severity") {
    return read_choice(value,
                       factor,
                       suite::severity_from,
                       names_of(suite::kSeverities),
                       params.severity,
                       problems);
  }
  if (factor == "protocol") {
    constexpr std::array kProtocols = {suite::Protocol::text, suite::Protocol::native};
    return read_choice(
        value, factor, suite::protocol_from, names_of(kProtocols), params.protocol, problems);
  }
  if (factor == "tool_success_rate") {
    return apply_rate(value, params, problems);
  }
  return apply_max_turns(value, params, problems);
}

void copy_factor(std::string_view factor, const suite::TrialParams& from, suite::TrialParams& to) {
  if (factor == "prompt") {
    to.prompt = from.prompt;
  } else if (factor == "difficulty") {
    to.difficulty = from.difficulty;
  } else if (factor == "severity") {
    to.severity = from.severity;
  } else if (factor == "protocol") {
    to.protocol = from.protocol;
  } else if (factor == "tool_success_rate") {
    to.tool_success_rate = from.tool_success_rate;
  } else {
    to.max_turns = from.max_turns;
  }
}

std::vector<std::string> apply_factors(Mapping& mapping,
                                       suite::TrialParams& params,
                                       Problems& problems) {
  std::vector<std::string> present;
  for (const std::string& factor : factor_names()) {
    if (const Node* value = mapping.get(factor)) {
      apply_factor(factor, *value, params, problems);
      present.push_back(factor);
    }
  }
  return present;
}

std::vector<suite::TaskType> read_task_types(const Node& node, Problems& problems) {
  std::vector<suite::TaskType> types;
  for (const Name& name : read_names(node, "task_types", problems)) {
    if (const auto type = suite::task_type_from(name.text)) {
      types.push_back(*type);
    } else {
      report_unknown("task type", name, names_of(suite::kTaskTypes), problems);
    }
  }
  return types;
}

}  // namespace sortie::spec
