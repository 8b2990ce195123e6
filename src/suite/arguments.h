#pragma once

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"

#include <optional>
#include <string>
#include <string_view>

// Arguments of a call against a tool's JSON Schema. The subset that a tool file may use: a closed
// object whose properties are string, integer, number or boolean (or a list of these), with enum,
// minimum, maximum, default, the formats path, url, field and identifier, and the annotation
// x-artifact for handles.

namespace sortie::suite {

struct ArgumentProblem {
  std::string parameter;
  std::string message;  // what is wrong and what was expected
};

/// The first problem in schema order, nullopt if the arguments are as the schema demands. Handles
/// are checked as text only.
[[nodiscard]] std::optional<ArgumentProblem> check_arguments(const ToolSpec& tool,
                                                             const json::Object& arguments);

/// One value against one property.
[[nodiscard]] std::optional<ArgumentProblem> check_value(std::string_view parameter,
                                                         const json::Value& property,
                                                         const json::Value& value);

/// The arguments with the defaults of absent parameters filled in.
[[nodiscard]] json::Object with_defaults(const ToolSpec& tool, const json::Object& arguments);

/// The property of a parameter, nullptr if the tool has none of this name.
[[nodiscard]] const json::Value* property_of(const ToolSpec& tool, std::string_view parameter);

/// Whether a parameter takes the handle of an earlier result, and of which kinds.
[[nodiscard]] const json::Array* accepted_kinds(const json::Value& property);
[[nodiscard]] bool accepts_kind(const json::Value& property, std::string_view kind);

[[nodiscard]] bool is_required(const ToolSpec& tool, std::string_view parameter);

/// Equal in canonical form: numbers by value, the order of members irrelevant.
[[nodiscard]] bool same_value(const json::Value& a, const json::Value& b);

}  // namespace sortie::suite
