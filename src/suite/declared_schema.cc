#include "sortie/suite/declared_schema.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/data_reader.h"
#include "sortie/suite/declared_tool.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kParametersMax = 32;
constexpr double kBoundMax = 1e15;  // values up to it are exact in every JSON reader
constexpr std::array kSchemaKeys = {
    "type"sv, "properties"sv, "required"sv, "additionalProperties"sv};
constexpr std::array kPropertyKeys = {"type"sv,
                                      "description"sv,
                                      "enum"sv,
                                      "minimum"sv,
                                      "maximum"sv,
                                      "default"sv,
                                      "format"sv,
                                      "x-artifact"sv,
                                      "x-source"sv};
constexpr std::array kTypes = {"string"sv, "integer"sv, "number"sv, "boolean"sv};
constexpr std::array kFormats = {"path"sv, "url"sv, "field"sv, "identifier"sv};

template <class Names>
bool is_one_of(std::string_view name, const Names& names) {
  return std::ranges::find(names, name) != names.end();
}

template <class Names>
std::string listed(const Names& names) {
  return base::join(std::vector<std::string>(names.begin(), names.end()), ", ");
}

/// One property of a schema.
class PropertyReader {
 public:
  PropertyReader(const json::Value& property,
                 std::string_view name,
                 DataPath path,
                 std::vector<DataProblem>& problems)
      : property_(property),
        name_(name),
        reader_(property, std::move(path), kPropertyKeys, problems) {
    if (!property.is_object()) {
      return;
    }
    static_cast<void>(reader_.text("description"));
    if (reader_.has("x-artifact")) {
      check_handle();
      return;
    }
    const std::size_t before = problems.size();
    check_type();
    check_format();
    check_range();
    if (problems.size() == before) {
      check_values();
    }
    static_cast<void>(reader_.flag("x-source", false));
  }

 private:
  /// A handle is a text; its kinds are all there is to say about it.
  void check_handle() {
    for (const std::string_view key :
         {"enum"sv, "minimum"sv, "maximum"sv, "default"sv, "format"sv, "x-source"sv}) {
      if (reader_.has(key)) {
        reader_.add(
            {key},
            "schema",
            fmt::format("'{}' takes a handle (x-artifact), so '{}' cannot stand here", name_, key));
      }
    }
    if (const json::Value* type = reader_.get("type");
        type != nullptr && *type != json::Value("string")) {
      reader_.add({"type"},
                  "schema",
                  fmt::format("'{}' takes a handle (x-artifact): its type is string", name_));
    }
    const json::Array* kinds = reader_.list("x-artifact");
    if (kinds != nullptr && kinds->empty()) {
      reader_.add({"x-artifact"},
                  "schema",
                  fmt::format("'{}': x-artifact has to list the kinds that it takes", name_));
    }
    static_cast<void>(reader_.texts("x-artifact"));
  }

  void check_type() {
    const json::Value* type = reader_.require("type");
    if (type == nullptr) {
      return;
    }
    const bool several = type->is_array() && !type->get_array().empty();
    const auto known = [](const json::Value& item) {
      return item.is_string() && is_one_of(json::view(item.get_string()), kTypes);
    };
    if (!(several ? std::ranges::all_of(type->get_array(), known) : known(*type))) {
      reader_.add({"type"},
                  "schema",
                  fmt::format("'{}': type is {}, expected one of: {} (or a list of these)",
                              name_,
                              base::shortened(json::to_text(*type), 60),
                              listed(kTypes)));
    }
  }

  void check_format() {
    const auto format = reader_.text("format");
    if (format && !is_one_of(*format, kFormats)) {
      const std::vector<std::string> names(kFormats.begin(), kFormats.end());
      reader_.add(
          {"format"},
          "schema",
          fmt::format(
              "'{}': there is no format '{}'{}", name_, *format, base::suggestion(*format, names)));
    }
  }

  void check_range() {
    for (const std::string_view key : {"minimum"sv, "maximum"sv}) {
      const json::Value* bound = reader_.get(key);
      if (bound == nullptr) {
        continue;
      }
      const auto number = json::as_number(*bound);
      if (!number) {
        reader_.add(
            {key},
            "schema",
            fmt::format("'{}': {} has to be a number, found {}", name_, key, kind_name(*bound)));
      } else if (std::abs(*number) > kBoundMax) {
        reader_.add({key},
                    "schema",
                    fmt::format("'{}': {} is {}, expected a number from -1e15 to 1e15: larger ones "
                                "are not exact in JSON",
                                name_,
                                key,
                                base::shortened(json::to_text(*bound), 60)));
      }
    }
    const auto low = json::get_double(property_, "minimum");
    const auto high = json::get_double(property_, "maximum");
    if (low && high && *low > *high) {
      reader_.add(
          {"maximum"}, "schema", fmt::format("'{}': the maximum is below the minimum", name_));
    }
  }

  /// The choices have the property's type, the default is a value that a call may give.
  void check_values() {
    const json::Array* choices = reader_.list("enum");
    if (choices == nullptr && reader_.has("enum")) {
      return;
    }
    if (choices != nullptr && choices->empty()) {
      reader_.add(
          {"enum"}, "schema", fmt::format("'{}': enum has to list at least one value", name_));
      return;
    }
    json::Value without_choices = property_;
    without_choices.get_object().erase("enum");
    for (std::size_t i = 0; choices != nullptr && i < choices->size(); ++i) {
      if (const auto problem = check_value(name_, without_choices, (*choices)[i])) {
        reader_.add({"enum", fmt::to_string(i)}, "schema", "enum: " + problem->message);
      }
    }
    if (const json::Value* standard = reader_.get("default")) {
      if (const auto problem = check_value(name_, property_, *standard)) {
        reader_.add({"default"}, "schema", "default: " + problem->message);
      }
    }
  }

  const json::Value& property_;
  std::string_view name_;
  DataReader reader_;
};

void check_required(DataReader& reader, const json::Object* properties) {
  const std::vector<std::string> required = reader.texts("required");
  std::vector<std::string> names;
  for (const auto& property : properties == nullptr ? json::Object() : *properties) {
    names.emplace_back(property.key());
  }
  for (std::size_t i = 0; i < required.size(); ++i) {
    if (std::ranges::find(names, required[i]) == names.end()) {
      reader.add({"required", fmt::to_string(i)},
                 "schema",
                 fmt::format("required: there is no property '{}'{}",
                             required[i],
                             base::suggestion(required[i], names)));
    }
  }
}

void check_properties(DataReader& reader,
                      const json::Object& properties,
                      std::vector<DataProblem>& problems) {
  std::size_t handles = 0;
  for (const auto& property : properties) {
    const std::string_view name = property.key();
    if (!is_word(name)) {
      reader.add(
          {"properties", name},
          "schema",
          fmt::format("the name '{}' of a parameter has to be one word: letters, digits, _ and -",
                      base::shortened(name, 60)));
    }
    const PropertyReader checked(
        property.value(), name, reader.path({"properties", name}), problems);
    handles += accepted_kinds(property.value()) != nullptr ? 1U : 0U;
  }
  if (handles > kHandlesMax) {
    reader.add(
        {"properties"},
        "schema",
        fmt::format(
            "{} parameters take handles (x-artifact), at most {} can", handles, kHandlesMax));
  }
  if (properties.size() > kParametersMax) {
    reader.add({"properties"}, "schema", fmt::format("more than {} parameters", kParametersMax));
  }
}

}  // namespace

json::Value read_parameters(const json::Value& schema,
                            const DataPath& path,
                            std::vector<DataProblem>& problems) {
  DataReader reader(schema, path, kSchemaKeys, problems);
  if (const json::Value* type = reader.get("type");
      type != nullptr && *type != json::Value("object")) {
    reader.add({"type"}, "schema", "the type of a tool's parameters is object");
  }
  if (reader.flag("additionalProperties", false)) {
    reader.add({"additionalProperties"},
               "schema",
               "arguments that no property describes cannot be checked: additionalProperties has "
               "to be false");
  }
  const json::Object* properties = json::get_object(schema, "properties");
  if (const json::Value* given = reader.require("properties"); given != nullptr) {
    if (properties == nullptr) {
      reader.add({"properties"},
                 "type",
                 fmt::format("'properties' has to be a mapping, found {}", kind_name(*given)));
    } else {
      check_properties(reader, *properties, problems);
    }
  }
  check_required(reader, properties);
  // The same members in the same order as the built-in tools have them.
  json::Object out;
  out["type"] = "object";
  out["properties"] = properties == nullptr ? json::Object() : *properties;
  for (auto& property : out["properties"].get_object()) {
    if (accepted_kinds(property.value()) != nullptr) {
      property.value().get_object()["type"] = "string";
    }
  }
  const std::vector<std::string> required = [&] {
    std::vector<DataProblem> known;  // reported above
    return DataReader(schema, path, kSchemaKeys, known).texts("required");
  }();
  out["required"] = json::Array(required.begin(), required.end());
  out["additionalProperties"] = false;
  return out;
}

}  // namespace sortie::suite
