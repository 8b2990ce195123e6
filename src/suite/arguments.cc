#include "sortie/suite/arguments.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/catalog.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

constexpr std::size_t kTextBytesMax = 200;
constexpr std::size_t kShownBytesMax = 60;

bool has_type(const json::Value& value, std::string_view type) {
  if (type == "string") {
    return value.is_string();
  }
  if (type == "boolean") {
    return value.is_bool();
  }
  const std::optional<double> number = json::as_number(value);
  if (type == "integer") {
    return number && std::isfinite(*number) && std::floor(*number) == *number;
  }
  return type == "number" && number && std::isfinite(*number);
}

/// The types of a property in words ("integer", "number or string") and whether the value has one
/// of them.
std::pair<std::string, bool> compare_type(const json::Value& property, const json::Value& value) {
  const json::Value* type = json::find(property, "type");
  if (type == nullptr) {
    return {"", true};
  }
  if (type->is_string()) {
    return {std::string(json::view(type->get_string())),
            has_type(value, json::view(type->get_string()))};
  }
  std::vector<std::string> names;
  bool fits = false;
  if (type->is_array()) {
    for (const json::Value& item : type->get_array()) {
      if (item.is_string()) {
        names.emplace_back(json::view(item.get_string()));
        fits = fits || has_type(value, names.back());
      }
    }
  }
  return {base::join(names, " or "), fits};
}

bool is_identifier(std::string_view text, bool hyphens) {
  return !text.empty() && std::ranges::all_of(text, [hyphens](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == (hyphens ? '-' : '_');
  });
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; });
}

/// What a text of this format looks like, "" when the text is fine.
std::string_view format_problem(std::string_view format, std::string_view text) {
  if (format == "path" && (text.empty() || !is_printable(text))) {
    return "a path such as folder/name.csv";
  }
  if (format == "url" && !((text.starts_with("https://") || text.starts_with("http://")) &&
                           is_printable(text) && text.find("//") + 2 < text.size())) {
    return "an address that starts with https://";
  }
  if (format == "field" && !is_identifier(text, false)) {
    return "the name of a field";
  }
  if (format == "identifier" && !is_identifier(text, true)) {
    return "lower-case letters, digits and hyphens";
  }
  return "";
}

std::string shown(const json::Value& value) {
  return base::shortened(json::to_text(value), kShownBytesMax);
}

std::string enum_text(const json::Array& choices) {
  std::vector<std::string> names;
  for (const json::Value& choice : choices) {
    names.push_back(choice.is_string() ? std::string(json::view(choice.get_string()))
                                       : json::to_text(choice));
  }
  return base::join(names, ", ");
}

/// What a property takes, in words.
std::string expectation(const json::Value& property) {
  if (accepted_kinds(property) != nullptr) {
    return "the handle of an earlier result";
  }
  if (const json::Array* choices = json::get_array(property, "enum"); choices != nullptr) {
    return "one of: " + enum_text(*choices);
  }
  const std::string_view format = json::get_string(property, "format").value_or("");
  const std::string_view expected = format.empty() ? "" : format_problem(format, "");
  return expected.empty() ? compare_type(property, nullptr).first : std::string(expected);
}

std::optional<std::string> text_problem(const json::Value& property, std::string_view text) {
  if (text.size() > kTextBytesMax) {
    return fmt::format("is {} bytes long, at most {} are allowed", text.size(), kTextBytesMax);
  }
  const std::string_view expected =
      format_problem(json::get_string(property, "format").value_or(""), text);
  if (!expected.empty()) {
    return fmt::format("is '{}', expected {}", base::shortened(text, kShownBytesMax), expected);
  }
  return std::nullopt;
}

std::optional<std::string> range_problem(const json::Value& property, double number) {
  const std::optional<double> low = json::get_double(property, "minimum");
  const std::optional<double> high = json::get_double(property, "maximum");
  if ((low && number < *low) || (high && number > *high)) {
    return fmt::format("is {}, expected a number from {} to {}",
                       json::number_text(number),
                       low ? json::number_text(*low) : "any",
                       high ? json::number_text(*high) : "any");
  }
  return std::nullopt;
}

std::optional<std::string> value_problem(const json::Value& property, const json::Value& value) {
  if (accepted_kinds(property) != nullptr) {
    if (!value.is_string()) {
      return fmt::format("is {}, expected the handle of an earlier result, such as \"name#1\"",
                         shown(value));
    }
    return std::nullopt;
  }
  const auto [types, fits] = compare_type(property, value);
  if (!fits) {
    return fmt::format("is {}, expected {}", shown(value), types);
  }
  if (const json::Array* choices = json::get_array(property, "enum"); choices != nullptr) {
    if (std::ranges::none_of(
            *choices, [&](const json::Value& choice) { return same_value(choice, value); })) {
      return fmt::format("is {}, expected one of: {}", shown(value), enum_text(*choices));
    }
  }
  if (value.is_string()) {
    return text_problem(property, json::view(value.get_string()));
  }
  if (const std::optional<double> number = json::as_number(value)) {
    return range_problem(property, *number);
  }
  return std::nullopt;
}

}  // namespace

std::optional<ArgumentProblem> check_value(std::string_view parameter,
                                           const json::Value& property,
                                           const json::Value& value) {
  std::optional<std::string> problem = value_problem(property, value);
  if (!problem) {
    return std::nullopt;
  }
  return ArgumentProblem{.parameter = std::string(parameter),
                         .message = fmt::format("'{}' {}", parameter, *problem)};
}

std::optional<ArgumentProblem> check_arguments(const ToolSpec& tool,
                                               const json::Object& arguments) {
  const json::Object& properties = *json::get_object(tool.parameters, "properties");
  for (const auto& [name, property] : properties) {
    const json::Value* value = arguments.if_contains(name);
    if (value == nullptr) {
      if (is_required(tool, name)) {
        return ArgumentProblem{
            .parameter = std::string(name),
            .message = fmt::format(
                "'{}' is missing, expected {}", std::string_view(name), expectation(property))};
      }
      continue;
    }
    if (auto problem = check_value(name, property, *value)) {
      return problem;
    }
  }
  for (const auto& [name, value] : arguments) {
    if (!properties.contains(name)) {
      std::vector<std::string> names;
      for (const auto& property : properties) {
        names.emplace_back(property.key());
      }
      return ArgumentProblem{
          .parameter = std::string(name),
          .message = fmt::format("'{}' is not a parameter here; the parameters are: {}",
                                 base::shortened(std::string_view(name), kShownBytesMax),
                                 base::join(names, ", "))};
    }
  }
  return std::nullopt;
}

json::Object with_defaults(const ToolSpec& tool, const json::Object& arguments) {
  json::Object out = arguments;
  for (const auto& [name, property] : *json::get_object(tool.parameters, "properties")) {
    const json::Value* standard = json::find(property, "default");
    if (standard != nullptr && !out.contains(name)) {
      out[name] = *standard;
    }
  }
  return out;
}

const json::Value* property_of(const ToolSpec& tool, std::string_view parameter) {
  const json::Value* properties = json::find(tool.parameters, "properties");
  return properties == nullptr ? nullptr : json::find(*properties, parameter);
}

const json::Array* accepted_kinds(const json::Value& property) {
  return json::get_array(property, "x-artifact");
}

bool accepts_kind(const json::Value& property, std::string_view kind) {
  const json::Array* kinds = accepted_kinds(property);
  return kinds != nullptr && std::ranges::any_of(*kinds, [kind](const json::Value& item) {
           return item.is_string() && json::view(item.get_string()) == kind;
         });
}

bool is_required(const ToolSpec& tool, std::string_view parameter) {
  const json::Array* required = json::get_array(tool.parameters, "required");
  return required != nullptr &&
         std::ranges::any_of(*required, [parameter](const json::Value& item) {
           return item.is_string() && json::view(item.get_string()) == parameter;
         });
}

bool same_value(const json::Value& a, const json::Value& b) {
  const std::optional<double> x = json::as_number(a);
  const std::optional<double> y = json::as_number(b);
  if (x && y) {
    return *x == *y;
  }
  if (a.is_string() && b.is_string()) {
    return a.get_string() == b.get_string();
  }
  return json::canonical(a) == json::canonical(b);
}

}  // namespace sortie::suite
