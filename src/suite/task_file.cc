#include "sortie/suite/task_file.h"

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/declared_tool.h"
#include "sortie/suite/plan_check.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

constexpr std::size_t kInputsMax = kHandlesMax;

base::Status check_members(const json::Value& value,
                           std::span<const std::string> names,
                           std::string_view where) {
  if (!value.is_object()) {
    return base::bad_input(fmt::format("{}: expected an object", where));
  }
  for (const auto& [name, member] : value.get_object()) {
    if (std::ranges::find(names, std::string_view(name)) == names.end()) {
      return base::bad_input(fmt::format("{}: unknown member '{}'{}",
                                         where,
                                         std::string_view(name),
                                         base::suggestion(name, names)));
    }
  }
  for (const std::string& name : names) {
    if (json::find(value, name) == nullptr) {
      return base::bad_input(fmt::format("{}: '{}' is missing", where, name));
    }
  }
  return {};
}

base::Result<const json::Array*> list_member(const json::Value& value,
                                             std::string_view name,
                                             std::string_view where) {
  const json::Array* items = json::get_array(value, name);
  if (items == nullptr) {
    return base::bad_input(fmt::format("{}: '{}' has to be a list", where, name));
  }
  return items;
}

base::Result<const ToolSpec*> tool_member(const ToolCatalog& catalog,
                                          const json::Value& value,
                                          std::string_view where) {
  const std::string_view name = json::get_string(value, "tool").value_or("");
  const ToolSpec* tool = catalog.find(name);
  if (tool == nullptr) {
    std::vector<std::string> names;
    for (const ToolSpec& known : catalog.tools()) {
      names.push_back(known.name);
    }
    return base::bad_input(
        fmt::format("{}: there is no tool '{}'{}", where, name, base::suggestion(name, names)));
  }
  return tool;
}

/// The first of the faults.
base::Status first_of(const std::vector<StepFault>& faults, std::string_view where) {
  return faults.empty() ? base::Status()
                        : base::bad_input(fmt::format("{}: {}", where, faults.front().message));
}

base::Status read_plan(const ToolCatalog& catalog,
                       const json::Value& value,
                       std::string_view where,
                       Task& task) {
  TRY_ASSIGN(const json::Array* steps, list_member(value, "plan", where));
  if (steps->size() < kStepsMin || steps->size() > kStepsMax) {
    return base::bad_input(fmt::format("{}: the plan has {} steps, expected {} to {}",
                                       where,
                                       steps->size(),
                                       kStepsMin,
                                       kStepsMax));
  }
  const std::vector<std::string> names = {"tool", "arguments", "reason"};
  std::vector<std::string_view> kinds;
  for (const json::Value& item : *steps) {
    const std::string here = fmt::format("{}: plan step {}", where, kinds.size() + 1);
    TRY(check_members(item, names, here));
    TRY_ASSIGN(const ToolSpec* tool, tool_member(catalog, item, here));
    const json::Object* arguments = json::get_object(item, "arguments");
    const auto reason = json::get_string(item, "reason");
    if (arguments == nullptr || !reason || reason->empty()) {
      return base::bad_input(
          fmt::format("{}: 'arguments' has to be an object and 'reason' a text", here));
    }
    Step step{.tool = tool->name, .arguments = *arguments, .reason = std::string(*reason)};
    TRY(first_of(check_step(*tool, step, kinds), here));
    kinds.push_back(kind_of_step(*tool, step, kinds));
    task.plan.push_back(std::move(step));
  }
  return {};
}

/// Whole numbers below `bound`.
base::Result<std::vector<std::size_t>> positions(const json::Value& value,
                                                 std::size_t bound,
                                                 std::string_view where) {
  std::vector<std::size_t> out;
  if (value.is_array()) {
    for (const json::Value& item : value.get_array()) {
      const std::optional<double> number = json::as_number(item);
      if (number && *number >= 0 && *number < static_cast<double>(bound) &&
          std::floor(*number) == *number) {
        out.push_back(static_cast<std::size_t>(*number));
      }
    }
  }
  if (!value.is_array() || out.size() != value.get_array().size()) {
    return base::bad_input(
        fmt::format("{}: expected a list of whole numbers from 0, below {}", where, bound));
  }
  return out;
}

base::Status read_order(const json::Value& value, std::string_view where, Task& task) {
  TRY_ASSIGN(const json::Array* pairs, list_member(value, "order", where));
  for (const json::Value& item : *pairs) {
    TRY_ASSIGN(const std::vector<std::size_t> pair,
               positions(item, task.plan.size(), fmt::format("{}: order", where)));
    if (pair.size() != 2 || pair[0] >= pair[1]) {
      return base::bad_input(fmt::format(
          "{}: order: each pair has to be two positions of the plan, the earlier one first",
          where));
    }
    task.order.emplace_back(pair[0], pair[1]);
  }
  return {};
}

base::Status read_goal(const ToolCatalog& catalog,
                       const json::Value& value,
                       std::string_view where,
                       Task& task) {
  TRY_ASSIGN(const json::Array* required, list_member(value, "goal", where));
  if (required->empty()) {
    return base::bad_input(fmt::format("{}: the goal names no operation", where));
  }
  const std::vector<std::string> names = {"tool", "values", "inputs"};
  for (const json::Value& item : *required) {
    const std::size_t position = task.goal.required.size();
    const std::string here = fmt::format("{}: goal operation {}", where, position + 1);
    TRY(check_members(item, names, here));
    TRY_ASSIGN(const ToolSpec* tool, tool_member(catalog, item, here));
    const json::Object* values = json::get_object(item, "values");
    if (values == nullptr) {
      return base::bad_input(fmt::format("{}: 'values' has to be an object", here));
    }
    TRY(first_of(check_values(*tool, *values), here));
    TRY_ASSIGN(std::vector<std::size_t> inputs,
               positions(*json::find(item, "inputs"), position, fmt::format("{}: inputs", here)));
    if (inputs.size() > std::min(kInputsMax, tool->handle_parameters().size())) {
      return base::bad_input(
          fmt::format("{}: {} does not take {} inputs", here, tool->name, inputs.size()));
    }
    task.goal.required.push_back(
        {.tool = tool->name, .values = *values, .inputs = std::move(inputs)});
  }
  if (const auto stray = stray_operation(task.goal)) {
    return base::bad_input(fmt::format("{}: goal: operation {} ({}) does not lead to the last one",
                                       where,
                                       *stray + 1,
                                       task.goal.required[*stray].tool));
  }
  return {};
}

/// All five levels; of a user's task at least one.
base::Status read_texts(const ToolCatalog& catalog,
                        const json::Value& value,
                        std::string_view where,
                        Task& task) {
  std::vector<std::string> names;
  for (const Difficulty difficulty : kDifficulties) {
    names.emplace_back(to_string(difficulty));
  }
  const json::Value& texts = *json::find(value, "texts");
  std::vector<std::string> expected = names;
  if (catalog.declared() && texts.is_object() && !texts.get_object().empty()) {
    std::erase_if(expected,
                  [&](const std::string& name) { return json::find(texts, name) == nullptr; });
  }
  TRY(check_members(texts, expected, fmt::format("{}: texts", where)));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::ranges::find(expected, names[i]) == expected.end()) {
      continue;
    }
    const auto text = json::get_string(texts, names[i]);
    if (!text || base::trim(*text).empty()) {
      return base::bad_input(
          fmt::format("{}: texts: '{}' has to be a text that is not empty", where, names[i]));
    }
    task.texts[i] = *text;
  }
  return {};
}

}  // namespace

json::Object to_json(const Task& task) {
  json::Object texts;
  for (std::size_t i = 0; i < task.texts.size(); ++i) {
    if (!task.texts[i].empty()) {
      texts[to_string(kDifficulties[i])] = task.texts[i];
    }
  }
  json::Array plan;
  for (const Step& step : task.plan) {
    plan.push_back(
        json::Object{{"tool", step.tool}, {"arguments", step.arguments}, {"reason", step.reason}});
  }
  json::Array order;
  for (const auto& [before, after] : task.order) {
    order.push_back(json::Array{before, after});
  }
  json::Array goal;
  for (const Required& required : task.goal.required) {
    goal.push_back(
        json::Object{{"tool", required.tool},
                     {"values", required.values},
                     {"inputs", json::Array(required.inputs.begin(), required.inputs.end())}});
  }
  json::Object out;
  out["id"] = task.id;
  out["type"] = to_string(task.type);
  out["texts"] = std::move(texts);
  out["plan"] = std::move(plan);
  out["order"] = std::move(order);
  out["goal"] = std::move(goal);
  out["eligible"] = task.eligible;
  return out;
}

base::Digest content_hash(const Task& task) {
  return base::FieldHasher("sortie.task.v1")
      .field("content", json::canonical(to_json(task)))
      .finish();
}

base::Result<Task> task_from_json(const ToolCatalog& catalog,
                                  const json::Value& value,
                                  std::string_view where) {
  const std::vector<std::string> names = {
      "id", "type", "texts", "plan", "order", "goal", "eligible"};
  const std::string_view id = json::get_string(value, "id").value_or("");
  const std::string here = id.empty() ? std::string(where) : fmt::format("{}: {}", where, id);
  TRY(check_members(value, names, here));
  if (id.empty()) {
    return base::bad_input(fmt::format("{}: 'id' has to be a text that is not empty", where));
  }
  Task task;
  task.id = id;
  const std::string_view type_name = json::get_string(value, "type").value_or("");
  const std::optional<TaskType> type = task_type_from(type_name);
  if (!type) {
    std::vector<std::string> types;
    for (const TaskType known : kTaskTypes) {
      types.emplace_back(to_string(known));
    }
    return base::bad_input(fmt::format(
        "{}: there is no task type '{}'{}", here, type_name, base::suggestion(type_name, types)));
  }
  task.type = *type;
  const std::optional<bool> eligible = json::get_bool(value, "eligible");
  if (!eligible) {
    return base::bad_input(fmt::format("{}: 'eligible' has to be true or false", here));
  }
  task.eligible = *eligible;
  TRY(read_texts(catalog, value, here, task));
  TRY(read_plan(catalog, value, here, task));
  TRY(read_order(value, here, task));
  TRY(read_goal(catalog, value, here, task));
  task.hash = content_hash(task);
  return task;
}

namespace {

/// A list or object with one item per line, each compact: a changed step is one changed line.
void append_items(std::string& out, const json::Value& value) {
  const bool object = value.is_object();
  out += object ? "{" : "[";
  bool first = true;
  const auto separate = [&] {
    out += first ? "\n   " : ",\n   ";
    first = false;
  };
  if (object) {
    for (const auto& [name, member] : value.get_object()) {
      separate();
      json::append_quoted(out, name);
      out += ": " + json::to_text(member);
    }
  } else {
    for (const json::Value& item : value.get_array()) {
      separate();
      out += json::to_text(item);
    }
  }
  out += object ? "}" : "]";
}

}  // namespace

std::string task_file_text(std::string_view suite, std::span<const Task> tasks) {
  std::string out = fmt::format("{{\"suite\": \"{}\", \"tasks\": [", suite);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    out += i == 0 ? "\n {" : ",\n {";
    bool first = true;
    for (const auto& [name, member] : to_json(tasks[i])) {
      out += first ? "" : ",\n  ";
      first = false;
      json::append_quoted(out, name);
      out += ": ";
      const std::string_view key = name;
      if (key == "texts" || key == "plan" || key == "goal") {
        append_items(out, member);
      } else {
        out += json::to_text(member);
      }
    }
    out += "}";
  }
  return out + "\n]}\n";
}

}  // namespace sortie::suite
