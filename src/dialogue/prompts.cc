#include "sortie/dialogue/prompts.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/dialogue/markup.h"
#include "sortie/dialogue/texts.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/args.h>
#include <fmt/format.h>

namespace sortie::dialogue {

namespace {

constexpr std::string_view kStepReference = "$step";

/// A value of a plan's argument: JSON, with earlier results in words.
void append_value(std::string& out, const json::Value& value) {
  if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const json::Value& element : value.get_array()) {
      out += first ? "" : ", ";
      append_value(out, element);
      first = false;
    }
    out += ']';
    return;
  }
  if (const auto step = json::get_int(value, kStepReference)) {
    out += fmt::format(fmt::runtime(text(Text::plan_result)), fmt::arg("number", *step + 1));
    return;
  }
  json::append_text(out, value);
}

std::string arguments_text(const json::Object& arguments) {
  if (arguments.empty()) {
    return std::string(text(Text::plan_no_arguments));
  }
  std::string out;
  for (const auto& member : arguments) {
    out += out.empty() ? "" : ", ";
    out += std::string_view(member.key());
    out += " = ";
    append_value(out, member.value());
  }
  return out;
}

std::string joined_kinds(const json::Array& kinds) {
  std::vector<std::string> names;
  for (const json::Value& kind : kinds) {
    if (kind.is_string()) {
      names.emplace_back(json::view(kind.get_string()));
    }
  }
  return base::join(names, ", ");
}

/// A property's description, with the kinds of results it takes.
std::string description_of(const json::Value& property) {
  std::string description(json::get_string(property, "description").value_or(""));
  if (const json::Array* kinds = json::get_array(property, "x-artifact")) {
    return fmt::format(fmt::runtime(text(Text::tool_kinds)),
                       fmt::arg("description", description),
                       fmt::arg("kinds", joined_kinds(*kinds)));
  }
  return description;
}

/// "string", or "number or string" where a list stands.
std::string type_name(const json::Value& property) {
  const json::Array* alternatives = json::get_array(property, "type");
  if (alternatives == nullptr) {
    return std::string(json::get_string(property, "type").value_or("any"));
  }
  std::vector<std::string> names;
  for (const json::Value& alternative : *alternatives) {
    if (alternative.is_string()) {
      names.emplace_back(json::view(alternative.get_string()));
    }
  }
  return base::join(names, " or ");
}

/// "string, one of "csv", "json"", "integer from 5 to 720", "number, default 3".
std::string type_of(const json::Value& property) {
  std::string out = type_name(property);
  if (const json::Value* items = json::find(property, "items")) {
    out += " of " + type_of(*items);
  }
  if (const json::Array* values = json::get_array(property, "enum")) {
    out += ", one of";
    bool first = true;
    for (const json::Value& value : *values) {
      out += first ? " " : ", ";
      json::append_text(out, value);
      first = false;
    }
  }
  for (const auto& [key, word] :
       {std::pair<std::string_view, std::string_view>{"minimum", " from "},
        {"maximum", " to "},
        {"default", ", default "}}) {
    if (const json::Value* bound = json::find(property, key)) {
      out += word;
      json::append_text(out, *bound);
    }
  }
  return out;
}

bool is_required(const json::Value& schema, std::string_view name) {
  const json::Array* required = json::get_array(schema, "required");
  return required != nullptr && std::ranges::any_of(*required, [&](const json::Value& entry) {
           return entry.is_string() && json::view(entry.get_string()) == name;
         });
}

json::Object told_property(const json::Value& property) {
  json::Object told;
  for (const auto& member : property.get_object()) {
    const std::string_view key = member.key();
    if (!key.starts_with("x-") && key != "format") {
      told.insert_or_assign(key, member.value());
    }
  }
  told.insert_or_assign("description", description_of(property));
  return told;
}

json::Value told_schema(const json::Value& schema) {
  json::Object told = schema.is_object() ? schema.get_object() : json::Object();
  const json::Object* properties = json::get_object(schema, "properties");
  json::Object told_properties;
  if (properties != nullptr) {
    for (const auto& property : *properties) {
      told_properties.insert_or_assign(property.key(),
                                       property.value().is_object()
                                           ? json::Value(told_property(property.value()))
                                           : property.value());
    }
  }
  told.insert_or_assign("properties", std::move(told_properties));
  return told;
}

/// A function with one text parameter.
chat::ToolSchema command_function(CommandKind kind,
                                  Text description,
                                  std::string_view parameter,
                                  Text parameter_description) {
  const json::Value schema = {
      {"type", "object"},
      {"properties",
       {{parameter, {{"type", "string"}, {"description", text(parameter_description)}}}}},
      {"required", json::Array{json::Value(parameter)}},
      {"additionalProperties", false}};
  return {.name = std::string(to_string(kind)),
          .description = std::string(text(description)),
          .parameters = schema};
}

}  // namespace

std::string system_prompt(const suite::ToolCatalog& catalog, suite::Protocol protocol) {
  const std::vector<std::string> categories = catalog.categories();
  const std::string world = fmt::format(fmt::runtime(text(Text::world)),
                                        fmt::arg("count", categories.size()),
                                        fmt::arg("categories", base::join(categories, ", ")));
  const Text which = protocol == suite::Protocol::native ? Text::system_native : Text::system_text;
  return fmt::format(fmt::runtime(text(which)), fmt::arg("world", world));
}

std::string plan_block(std::span<const suite::Step> plan) {
  if (plan.empty()) {
    return {};
  }
  std::string steps;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    steps += fmt::format(fmt::runtime(text(Text::plan_step)),
                         fmt::arg("number", i + 1),
                         fmt::arg("tool", plan[i].tool),
                         fmt::arg("arguments", arguments_text(plan[i].arguments)),
                         fmt::arg("reason", plan[i].reason));
  }
  return fmt::format(fmt::runtime(text(Text::plan)), fmt::arg("steps", steps));
}

std::string first_prompt(std::string_view task, std::string_view plan, suite::PromptStyle style) {
  std::string prompt = fmt::format(fmt::runtime(text(Text::task)), fmt::arg("task", task));
  prompt += plan;
  if (style == suite::PromptStyle::cot) {
    prompt += text(Text::cot);
  }
  prompt += text(Text::start);
  return prompt;
}

std::string tool_description(const suite::ToolSpec& tool) {
  std::string out = fmt::format(fmt::runtime(text(Text::tool_head)),
                                fmt::arg("name", tool.name),
                                fmt::arg("description", tool.description));
  const json::Object* properties = json::get_object(tool.parameters, "properties");
  if (properties == nullptr || properties->empty()) {
    out += '\n';
    out += text(Text::tool_no_parameters);
  } else {
    for (const auto& property : *properties) {
      const std::string_view name = property.key();
      out += '\n';
      out += fmt::format(
          fmt::runtime(text(Text::tool_parameter)),
          fmt::arg("name", name),
          fmt::arg("type", type_of(property.value())),
          fmt::arg("required", is_required(tool.parameters, name) ? "required" : "optional"),
          fmt::arg("description", description_of(property.value())));
    }
  }
  out += '\n';
  out += fmt::format(fmt::runtime(text(Text::tool_produces)), fmt::arg("produces", tool.produces));
  out += '\n';
  out += fmt::format(fmt::runtime(text(Text::tool_errors)),
                     fmt::arg("codes", base::join(tool.error_codes, ", ")));
  return out;
}

std::vector<chat::ToolSchema> function_schemas(const suite::ToolCatalog& catalog) {
  std::vector<chat::ToolSchema> functions;
  for (const suite::ToolSpec& tool : catalog.tools()) {
    functions.push_back({.name = tool.name,
                         .description = tool.description,
                         .parameters = told_schema(tool.parameters)});
  }
  functions.push_back(command_function(
      CommandKind::find_tool, Text::function_find, "query", Text::function_find_query));
  functions.push_back(command_function(
      CommandKind::show_tool, Text::function_show, "name", Text::function_show_name));
  functions.push_back(command_function(
      CommandKind::finish, Text::function_finish, "result", Text::function_finish_result));
  return functions;
}

}  // namespace sortie::dialogue
