#include "sortie/sim/call_script.h"

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

constexpr double kStaleShare = 0.5;  // of wrong inputs; the others name what does not exist

std::optional<std::size_t> referenced_step(const json::Value& value) {
  const json::Object* object = value.if_object();
  if (object == nullptr || object->size() != 1) {
    return std::nullopt;
  }
  const auto step = json::get_int(value, "$step");
  if (!step.has_value() || *step < 0) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(*step);
}

void append_resolved(std::string& out, const json::Value& value, const Handles& handles) {
  if (const auto step = referenced_step(value)) {
    const std::optional<std::string> handle =
        *step < handles.size() ? handles[*step] : std::nullopt;
    json::append_quoted(out, handle.value_or(fmt::format("result_of_step_{}", *step + 1)));
    return;
  }
  if (const json::Object* object = value.if_object()) {
    out += arguments_text(*object, handles);
    return;
  }
  if (const json::Array* array = value.if_array()) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) {
        out += ',';
      }
      append_resolved(out, (*array)[i], handles);
    }
    out += ']';
    return;
  }
  out += json::to_text(value);
}

void collect_references(const json::Value& value, std::vector<std::size_t>& out) {
  if (const auto step = referenced_step(value)) {
    out.push_back(*step);
  } else if (const json::Object* object = value.if_object()) {
    for (const auto& member : *object) {
      collect_references(member.value(), out);
    }
  } else if (const json::Array* array = value.if_array()) {
    for (const json::Value& item : *array) {
      collect_references(item, out);
    }
  }
}

bool refers(const json::Value& value) {
  std::vector<std::size_t> steps;
  collect_references(value, steps);
  return !steps.empty();
}

std::size_t pick(double uniform, std::size_t count) {
  return std::min(count - 1, static_cast<std::size_t>(uniform * static_cast<double>(count)));
}

/// Another member of the parameter's enumeration, if it has one.
std::optional<json::Value> other_choice(const json::Value& schema,
                                        const json::Value& value,
                                        double choice) {
  const json::Array* choices = json::get_array(schema, "enum");
  if (choices == nullptr) {
    return std::nullopt;
  }
  std::vector<const json::Value*> others;
  for (const json::Value& candidate : *choices) {
    if (candidate != value) {
      others.push_back(&candidate);
    }
  }
  if (others.empty()) {
    return std::nullopt;
  }
  return *others[pick(choice, others.size())];
}

std::string wrong_text(std::string_view text) {
  // Before the extension, so that a path stays a path.
  const std::size_t dot = text.rfind('.');
  const std::size_t at = dot == std::string_view::npos || dot == 0 ? text.size() : dot;
  return fmt::format("{}_v2{}", text.substr(0, at), text.substr(at));
}

/// A value of the same type that is not this one; nullopt where none is at hand.
std::optional<json::Value> wrong_value(const json::Value& schema,
                                       const json::Value& value,
                                       double choice) {
  if (auto other = other_choice(schema, value, choice)) {
    return other;
  }
  constexpr std::size_t kStepMax = 9;
  const auto distance = static_cast<std::int64_t>(1 + pick(choice, kStepMax));
  if (value.is_int64()) {
    return json::Value(value.get_int64() + distance);
  }
  if (value.is_double()) {
    return json::Value(value.get_double() + static_cast<double>(distance));
  }
  if (value.is_bool()) {
    return json::Value(!value.get_bool());
  }
  if (value.is_string()) {
    const std::string text = wrong_text(json::view(value.get_string()));
    return json::Value(std::string_view(text));
  }
  if (const json::Array* array = value.if_array(); array != nullptr && array->size() > 1) {
    json::Array shorter = *array;
    shorter.pop_back();
    return json::Value(std::move(shorter));
  }
  return std::nullopt;
}

}  // namespace

std::string arguments_text(const json::Object& arguments, const Handles& handles) {
  std::string out = "{";
  for (const auto& member : arguments) {
    if (out.size() > 1) {
      out += ',';
    }
    json::append_quoted(out, member.key());
    out += ':';
    append_resolved(out, member.value(), handles);
  }
  out += '}';
  return out;
}

std::vector<std::size_t> references(const json::Object& arguments) {
  std::vector<std::size_t> out;
  for (const auto& member : arguments) {
    collect_references(member.value(), out);
  }
  return out;
}

std::optional<suite::Step> with_wrong_value(const suite::ToolCatalog& catalog,
                                            const suite::Step& step,
                                            const Mistake& mistake) {
  const suite::ToolSpec* tool = catalog.find(step.tool);
  const json::Object* properties =
      tool == nullptr ? nullptr : json::get_object(tool->parameters, "properties");
  std::vector<std::pair<std::string, json::Value>> candidates;
  for (const auto& member : step.arguments) {
    if (refers(member.value())) {
      continue;
    }
    const json::Value* schema =
        properties == nullptr ? nullptr : properties->if_contains(member.key());
    auto wrong =
        wrong_value(schema == nullptr ? json::Value() : *schema, member.value(), mistake.choice);
    if (wrong.has_value()) {
      candidates.emplace_back(member.key(), std::move(*wrong));
    }
  }
  if (candidates.empty()) {
    return std::nullopt;
  }
  suite::Step out = step;
  auto& [name, value] = candidates[pick(mistake.place, candidates.size())];
  out.arguments[name] = std::move(value);
  return out;
}

suite::Step with_wrong_tool(const suite::ToolCatalog& catalog,
                            const suite::Step& step,
                            const Mistake& mistake,
                            const std::vector<suite::Step>& plan) {
  const suite::ToolSpec* right = catalog.find(step.tool);
  std::vector<const suite::ToolSpec*> others;
  std::vector<const suite::ToolSpec*> unused;
  for (const suite::ToolSpec& tool : catalog.tools()) {
    if (right != nullptr && tool.category == right->category && tool.name != right->name) {
      others.push_back(&tool);
      if (std::ranges::find(plan, tool.name, &suite::Step::tool) == plan.end()) {
        unused.push_back(&tool);
      }
    }
  }
  if (!unused.empty()) {
    others = std::move(unused);
  }
  if (others.empty()) {
    return step;
  }
  const suite::ToolSpec& other = *others[pick(mistake.place, others.size())];
  suite::Step out{.tool = other.name, .arguments = {}, .reason = step.reason};
  const json::Object* properties = json::get_object(other.parameters, "properties");
  for (const auto& member : step.arguments) {
    if (properties != nullptr && properties->contains(member.key())) {
      out.arguments[member.key()] = member.value();
    }
  }
  return out;
}

std::optional<suite::Step> with_stale_handle(const suite::Step& step, const Mistake& mistake) {
  std::vector<std::pair<std::string, std::size_t>> inputs;
  for (const auto& member : step.arguments) {
    if (const auto meant = referenced_step(member.value())) {
      inputs.emplace_back(member.key(), *meant);
    }
  }
  if (inputs.empty()) {
    return std::nullopt;
  }
  const auto& [name, meant] = inputs[pick(mistake.place, inputs.size())];
  suite::Step out = step;
  if (meant > 0 && mistake.choice < kStaleShare) {
    out.arguments[name] = json::Object{{"$step", static_cast<std::int64_t>(meant) - 1}};
  } else {
    constexpr std::size_t kNumberMin = 20;  // beyond every result of a dialogue
    constexpr std::size_t kNumbers = 80;
    out.arguments[name] = fmt::format("result#{}", kNumberMin + pick(mistake.choice, kNumbers));
  }
  return out;
}

suite::Step without_arguments(const suite::Step& step) {
  return {.tool = step.tool, .arguments = {}, .reason = step.reason};
}

}  // namespace sortie::sim
