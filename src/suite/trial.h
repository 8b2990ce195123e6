#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The factors of one trial: a closed vocabulary. Names are what files, tables and keys say.

namespace sortie::suite {

enum class TaskType : std::uint8_t {
  simple_task,
  basic_task,
  data_pipeline,
  api_integration,
  multi_stage_pipeline
};
enum class Difficulty : std::uint8_t { very_easy, easy, medium, hard, very_hard };
enum class PromptStyle : std::uint8_t { baseline, cot, optimal, flawed };
enum class Flaw : std::uint8_t {
  none,
  sequence_disorder,
  tool_misuse,
  parameter_error,
  missing_step,
  redundant_operations,
  logical_inconsistency,
  semantic_drift,
};
enum class Severity : std::uint8_t { light, medium, severe };
enum class Protocol : std::uint8_t { text, native };

/// Every flaw that a plan can have.
inline constexpr std::array kPlanFlaws = {Flaw::sequence_disorder,
                                          Flaw::tool_misuse,
                                          Flaw::parameter_error,
                                          Flaw::missing_step,
                                          Flaw::redundant_operations,
                                          Flaw::logical_inconsistency,
                                          Flaw::semantic_drift};
inline constexpr std::array kSeverities = {Severity::light, Severity::medium, Severity::severe};
inline constexpr std::array kTaskTypes = {TaskType::simple_task,
                                          TaskType::basic_task,
                                          TaskType::data_pipeline,
                                          TaskType::api_integration,
                                          TaskType::multi_stage_pipeline};
inline constexpr std::array kDifficulties = {Difficulty::very_easy,
                                             Difficulty::easy,
                                             Difficulty::medium,
                                             Difficulty::hard,
                                             Difficulty::very_hard};

[[nodiscard]] std::string_view to_string(TaskType value);
[[nodiscard]] std::string_view to_string(Difficulty value);
[[nodiscard]] std::string_view to_string(PromptStyle value);
[[nodiscard]] std::string_view to_string(Flaw value);
[[nodiscard]] std::string_view to_string(Severity value);
[[nodiscard]] std::string_view to_string(Protocol value);

[[nodiscard]] std::optional<TaskType> task_type_from(std::string_view name);
[[nodiscard]] std::optional<Difficulty> difficulty_from(std::string_view name);
[[nodiscard]] std::optional<Severity> severity_from(std::string_view name);
[[nodiscard]] std::optional<Protocol> protocol_from(std::string_view name);
[[nodiscard]] std::optional<Flaw> flaw_from(std::string_view name);

/// A prompt as files write it: "baseline", "cot", "optimal", "flawed_<flaw>".
struct Prompt {
  PromptStyle style = PromptStyle::optimal;
  Flaw flaw = Flaw::none;  // only with style flawed

  bool operator==(const Prompt&) const = default;
};

[[nodiscard]] std::string to_string(Prompt prompt);
[[nodiscard]] std::optional<Prompt> prompt_from(std::string_view name);

/// Everything that decides a dialogue besides the task's content and the model.
struct TrialParams {
  Prompt prompt;
  Severity severity = Severity::severe;  // means something only with a flaw
  double tool_success_rate = 0.8;        // in (0, 1]
  Difficulty difficulty = Difficulty::easy;
  Protocol protocol = Protocol::text;
  int repeat = 0;
  std::uint64_t seed = 0;
  int max_turns = 30;

  bool operator==(const TrialParams&) const = default;
};

}  // namespace sortie::suite
