#include "sortie/suite/trial.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sortie::suite {

namespace {

// Indexed by the enums' values.
constexpr std::array<std::string_view, 5> kTaskTypeNames = {
    "simple_task", "basic_task", "data_pipeline", "api_integration", "multi_stage_pipeline"};
constexpr std::array<std::string_view, 5> kDifficultyNames = {
    "very_easy", "easy", "medium", "hard", "very_hard"};
constexpr std::array<std::string_view, 4> kPromptStyleNames = {
    "baseline", "cot", "optimal", "flawed"};
constexpr std::array<std::string_view, 8> kFlawNames = {"none",
                                                        "sequence_disorder",
                                                        "tool_misuse",
                                                        "parameter_error",
                                                        "missing_step",
                                                        "redundant_operations",
                                                        "logical_inconsistency",
                                                        "semantic_drift"};
constexpr std::array<std::string_view, 3> kSeverityNames = {"light", "medium", "severe"};
constexpr std::array<std::string_view, 2> kProtocolNames = {"text", "native"};
constexpr std::string_view kFlawedPrefix = "flawed_";

template <class Enum, std::size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : "?";
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(TaskType value) {
  return name_of(kTaskTypeNames, value);
}

std::string_view to_string(Difficulty value) {
  return name_of(kDifficultyNames, value);
}

std::string_view to_string(PromptStyle value) {
  return name_of(kPromptStyleNames, value);
}

std::string_view to_string(Flaw value) {
  return name_of(kFlawNames, value);
}

std::string_view to_string(Severity value) {
  return name_of(kSeverityNames, value);
}

std::string_view to_string(Protocol value) {
  return name_of(kProtocolNames, value);
}

std::optional<TaskType> task_type_from(std::string_view name) {
  return value_of<TaskType>(kTaskTypeNames, name);
}

std::optional<Difficulty> difficulty_from(std::string_view name) {
  return value_of<Difficulty>(kDifficultyNames, name);
}

std::optional<Severity> severity_from(std::string_view name) {
  return value_of<Severity>(kSeverityNames, name);
}

std::optional<Protocol> protocol_from(std::string_view name) {
  return value_of<Protocol>(kProtocolNames, name);
}

std::optional<Flaw> flaw_from(std::string_view name) {
  return value_of<Flaw>(kFlawNames, name);
}

std::string to_string(Prompt prompt) {
  if (prompt.style != PromptStyle::flawed) {
    return std::string(to_string(prompt.style));
  }
  return std::string(kFlawedPrefix) + std::string(to_string(prompt.flaw));
}

std::optional<Prompt> prompt_from(std::string_view name) {
  if (name.starts_with(kFlawedPrefix)) {
    const std::optional<Flaw> flaw = flaw_from(name.substr(kFlawedPrefix.size()));
    if (!flaw || *flaw == Flaw::none) {
      return std::nullopt;
    }
    return Prompt{.style = PromptStyle::flawed, .flaw = *flaw};
  }
  const std::optional<PromptStyle> style = value_of<PromptStyle>(kPromptStyleNames, name);
  if (!style || *style == PromptStyle::flawed) {
    return std::nullopt;
  }
  return Prompt{.style = *style, .flaw = Flaw::none};
}

}  // namespace sortie::suite
