#include "sortie/suite/plan_check.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

/// What is wrong with the argument of a parameter that takes a handle; "" if nothing is.
std::string reference_problem(std::string_view name,
                              const json::Value& property,
                              const json::Value& value,
                              std::span<const std::string_view> kinds) {
  const std::ptrdiff_t reference = step_reference(value);
  if (reference < 0 || static_cast<std::size_t>(reference) >= kinds.size()) {
    return fmt::format("'{}' has to name an earlier step as {{\"$step\": k}}, k from 0 to {}",
                       name,
                       static_cast<std::ptrdiff_t>(kinds.size()) - 1);
  }
  const std::string_view kind = kinds[static_cast<std::size_t>(reference)];
  return accepts_kind(property, kind)
             ? ""
             : fmt::format("'{}' names a step of kind {}, which it does not take", name, kind);
}

}  // namespace

std::vector<StepFault> check_values(const ToolSpec& tool, const json::Object& values) {
  std::vector<StepFault> faults;
  for (const auto& [name, value] : values) {
    const json::Value* property = property_of(tool, name);
    if (property == nullptr) {
      std::vector<std::string> names;
      for (const auto& known : *json::get_object(tool.parameters, "properties")) {
        names.emplace_back(known.key());
      }
      faults.push_back({.argument = name,
                        .message = fmt::format("{} has no parameter '{}'{}",
                                               tool.name,
                                               std::string_view(name),
                                               base::suggestion(name, names))});
    } else if (accepted_kinds(*property) == nullptr) {
      if (auto problem = check_value(name, *property, value)) {
        faults.push_back({.argument = name, .message = std::move(problem->message)});
      }
    }
  }
  return faults;
}

std::vector<StepFault> check_step(const ToolSpec& tool,
                                  const Step& step,
                                  std::span<const std::string_view> kinds) {
  std::vector<StepFault> faults = check_values(tool, step.arguments);
  for (const json::Value& name : *json::get_array(tool.parameters, "required")) {
    if (name.is_string() && !step.arguments.contains(name.get_string())) {
      faults.push_back({.argument = std::string(json::view(name.get_string())),
                        .message = fmt::format(
                            "'{}' of {} is missing", json::view(name.get_string()), tool.name)});
    }
  }
  for (const auto& [name, value] : step.arguments) {
    const json::Value* property = property_of(tool, name);
    if (property == nullptr || accepted_kinds(*property) == nullptr) {
      continue;
    }
    if (std::string problem = reference_problem(name, *property, value, kinds); !problem.empty()) {
      faults.push_back({.argument = name, .message = std::move(problem)});
    }
  }
  return faults;
}

std::string_view kind_of_step(const ToolSpec& tool,
                              const Step& step,
                              std::span<const std::string_view> kinds) {
  if (!tool.keeps_content) {
    return tool.kind;
  }
  for (const std::string_view name : tool.handle_parameters()) {
    const json::Value* value = step.arguments.if_contains(name);
    const std::ptrdiff_t reference = value == nullptr ? -1 : step_reference(*value);
    if (reference >= 0 && static_cast<std::size_t>(reference) < kinds.size()) {
      return kinds[static_cast<std::size_t>(reference)];
    }
  }
  return tool.kind;
}

std::optional<std::size_t> stray_operation(const Goal& goal) {
  std::vector<bool> reached(goal.required.size());
  reached.back() = true;
  for (std::size_t i = goal.required.size(); i > 0; --i) {
    if (!reached[i - 1]) {
      return i - 1;
    }
    for (const std::size_t input : goal.required[i - 1].inputs) {
      reached[input] = true;
    }
  }
  return std::nullopt;
}

}  // namespace sortie::suite
