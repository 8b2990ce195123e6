#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Whether the steps of a plan fit the tools.

namespace sortie::suite {

struct StepFault {
  std::string argument;  // which one is wrong or missing
  std::string message;
};

/// What is wrong with a step's arguments: unknown ones, values outside their schema, missing ones,
/// references to steps that are not before it or whose kind does not fit. `kinds` are what the
/// steps before it yield, by kind_of_step().
[[nodiscard]] std::vector<StepFault> check_step(const ToolSpec& tool,
                                                const Step& step,
                                                std::span<const std::string_view> kinds);

/// What the artifact of a step counts as: the tool's kind, or, where it keeps the content, that of
/// its first input. References that name no earlier step are skipped.
[[nodiscard]] std::string_view kind_of_step(const ToolSpec& tool,
                                            const Step& step,
                                            std::span<const std::string_view> kinds);

/// Values that stand for themselves, against the tool's schema.
[[nodiscard]] std::vector<StepFault> check_values(const ToolSpec& tool, const json::Object& values);

/// The last required operation that does not lead to the final one: the goal could be met without
/// it.
[[nodiscard]] std::optional<std::size_t> stray_operation(const Goal& goal);

}  // namespace sortie::suite
