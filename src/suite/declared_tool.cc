#include "sortie/suite/declared_tool.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/data_reader.h"
#include "sortie/suite/declared_schema.h"
#include "sortie/suite/tools.h"

#include <algorithm>
#include <array>
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

using namespace std::string_view_literals;

constexpr std::string_view kUnknownSource = "NOT_FOUND";
constexpr std::size_t kCodeBytesMax = 40;
constexpr std::size_t kShownBytesMax = 60;
constexpr std::array kToolKeys = {"name"sv,
                                  "description"sv,
                                  "synonyms"sv,
                                  "category"sv,
                                  "operation"sv,
                                  "kind"sv,
                                  "produces"sv,
                                  "parameters"sv,
                                  "effect"sv,
                                  "keeps_content"sv,
                                  "unknown_source"sv,
                                  "returns"sv};
constexpr std::array kReferenceKeys = {"argument"sv, "field"sv};
/// What a dialogue calls its own commands: a tool of that name could not be told from them.
constexpr std::array kCommands = {"find_tool"sv, "show_tool"sv, "use_tool"sv, "finish"sv};
constexpr std::array kReservedCodes = {
    "INVALID_INPUT"sv, "OPERATION_FAILED"sv, "TIMEOUT"sv, "NETWORK_ERROR"sv};

bool is_code(std::string_view text) {
  return !text.empty() && text.size() <= kCodeBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// {"argument": name} or {"argument": name, "field": name}.
bool is_reference(const json::Value& value) {
  return value.is_object() && value.get_object().contains("argument");
}

class ToolReader {
 public:
  ToolReader(const json::Value& value, const DataPath& path, std::vector<DataProblem>& problems)
      : reader_(value, path, kToolKeys, problems) {}

  ToolSpec read(std::string_view category) {
    tool_.declared = true;
    tool_.name = word("name", reader_.required_text("name"));
    tool_.description = reader_.required_text("description");
    tool_.kind = word("kind", reader_.required_text("kind"));
    tool_.category = word("category", reader_.text("category").value_or(std::string(category)));
    tool_.operation = reader_.text("operation").value_or(tool_.name);
    tool_.produces = reader_.text("produces").value_or(tool_.kind);
    tool_.synonyms = reader_.texts("synonyms");
    tool_.effect = reader_.flag("effect", false);
    tool_.keeps_content = reader_.flag("keeps_content", false);
    if (std::ranges::find(kCommands, tool_.name) != kCommands.end()) {
      reader_.add(
          {"name"},
          "name",
          fmt::format("'{}' is a command of every dialogue: choose another name", tool_.name));
    }
    if (tool_.name == kExampleToolName) {
      reader_.add({"name"},
                  "name",
                  fmt::format("'{}' is the tool of every dialogue's examples: choose another name",
                              tool_.name));
    }
    if (const json::Value* parameters = reader_.require("parameters")) {
      tool_.parameters =
          read_parameters(*parameters, reader_.path({"parameters"}), reader_.problems());
    } else {
      tool_.parameters = {
          {"type", "object"}, {"properties", json::Object()}, {"required", json::Array()}};
    }
    check_kept();
    read_codes();
    read_returns();
    return std::move(tool_);
  }

 private:
  std::string word(std::string_view key, std::string text) {
    if (!text.empty() && !is_word(text)) {
      reader_.add(
          {key},
          "name",
          fmt::format("'{}' is '{}', expected one word: letters, digits, _ and -, at most 64",
                      key,
                      base::shortened(text, kShownBytesMax)));
    }
    return text;
  }

  /// Something has to be there that can be kept.
  void check_kept() {
    const auto handles = tool_.handle_parameters();
    if (tool_.keeps_content && std::ranges::none_of(handles, [&](std::string_view name) {
          return is_required(tool_, name);
        })) {
      reader_.add({"keeps_content"},
                  "schema",
                  "keeps_content needs a required parameter that takes a handle (x-artifact)");
    }
  }

  void read_codes() {
    tool_.error_codes = {"INVALID_INPUT"};
    const bool has_source = std::ranges::any_of(
        *json::get_object(tool_.parameters, "properties"), [](const auto& property) {
          return json::get_bool(property.value(), "x-source").value_or(false);
        });
    const auto code = reader_.text("unknown_source");
    if (code && !has_source) {
      reader_.add(
          {"unknown_source"}, "schema", "no parameter has x-source, so no source can be unknown");
    }
    if (code &&
        (!is_code(*code) || std::ranges::find(kReservedCodes, *code) != kReservedCodes.end())) {
      reader_.add({"unknown_source"},
                  "name",
                  fmt::format("'{}' cannot be the code: expected capital letters such as "
                              "ORDER_NOT_FOUND, and none of {}",
                              base::shortened(*code, kShownBytesMax),
                              base::join(std::vector<std::string>(kReservedCodes.begin(),
                                                                  kReservedCodes.end()),
                                         ", ")));
    }
    if (has_source) {
      tool_.unknown_source = code.value_or(std::string(kUnknownSource));
      tool_.error_codes.push_back(tool_.unknown_source);
    }
    add_injected_codes(tool_);
  }

  void read_returns() {
    const json::Value* returns = reader_.get("returns");
    if (returns == nullptr) {
      return;
    }
    if (!returns->is_object()) {
      reader_.add({"returns"},
                  "type",
                  fmt::format("'returns' has to be a mapping, found {}", kind_name(*returns)));
      return;
    }
    for (const auto& member : returns->get_object()) {
      check_template(member.value(), reader_.path({"returns", member.key()}));
    }
    tool_.returns = *returns;
  }

  void check_template(const json::Value& value, const DataPath& path) {
    const auto inside = [&path](std::string_view name) {
      DataPath out = path;
      out.emplace_back(name);
      return out;
    };
    if (is_reference(value)) {
      check_reference(value, path);
    } else if (value.is_object()) {
      for (const auto& member : value.get_object()) {
        check_template(member.value(), inside(member.key()));
      }
    } else if (value.is_array()) {
      for (std::size_t i = 0; i < value.get_array().size(); ++i) {
        check_template(value.get_array()[i], inside(fmt::to_string(i)));
      }
    }
  }

  void check_reference(const json::Value& value, const DataPath& path) {
    DataReader reference(value, path, kReferenceKeys, reader_.problems());
    const std::string name = reference.required_text("argument");
    const json::Value* property = property_of(tool_, name);
    if (!name.empty() && property == nullptr) {
      std::vector<std::string> names;
      for (const auto& known : *json::get_object(tool_.parameters, "properties")) {
        names.emplace_back(known.key());
      }
      reference.add(
          {"argument"},
          "returns",
          fmt::format("there is no parameter '{}'{}", name, base::suggestion(name, names)));
    }
    if (reference.text("field") && property != nullptr && accepted_kinds(*property) == nullptr) {
      reference.add(
          {"field"}, "returns", fmt::format("'{}' takes no handle, so it has no fields", name));
    }
  }

  DataReader reader_;
  ToolSpec tool_;
};

json::Value filled(const json::Value& pattern,
                   const json::Object& arguments,
                   std::span<const DeclaredInput> inputs) {
  if (is_reference(pattern)) {
    const std::string_view name = json::get_string(pattern, "argument").value_or("");
    const auto field = json::get_string(pattern, "field");
    const auto input = std::ranges::find(inputs, name, &DeclaredInput::parameter);
    if (field && input != inputs.end()) {
      const json::Value* found = json::find(*input->value, *field);
      return found == nullptr ? json::Value(nullptr) : *found;
    }
    const json::Value* given = arguments.if_contains(name);
    return given == nullptr ? json::Value(nullptr) : *given;
  }
  if (pattern.is_object()) {
    json::Object out;
    for (const auto& member : pattern.get_object()) {
      out[member.key()] = filled(member.value(), arguments, inputs);
    }
    return out;
  }
  if (pattern.is_array()) {
    json::Array out;
    for (const json::Value& item : pattern.get_array()) {
      out.push_back(filled(item, arguments, inputs));
    }
    return out;
  }
  return pattern;
}

}  // namespace

std::optional<ToolSpec> declared_tool(const json::Value& value,
                                      const DataPath& path,
                                      std::string_view category,
                                      std::vector<DataProblem>& problems) {
  const std::size_t before = problems.size();
  ToolSpec tool = ToolReader(value, path, problems).read(category);
  return problems.size() == before ? std::optional(std::move(tool)) : std::nullopt;
}

json::Object to_json(const ToolSpec& tool) {
  json::Object out;
  out["name"] = tool.name;
  out["category"] = tool.category;
  out["operation"] = tool.operation;
  out["description"] = tool.description;
  out["synonyms"] = json::Array(tool.synonyms.begin(), tool.synonyms.end());
  out["parameters"] = tool.parameters;
  out["kind"] = tool.kind;
  out["produces"] = tool.produces;
  out["effect"] = tool.effect;
  out["keeps_content"] = tool.keeps_content;
  if (!tool.unknown_source.empty()) {
    out["unknown_source"] = tool.unknown_source;
  }
  if (!tool.returns.is_null()) {
    out["returns"] = tool.returns;
  }
  return out;
}

void check_kinds(const std::vector<ToolSpec>& tools,
                 std::size_t position,
                 std::vector<DataProblem>& problems) {
  std::vector<std::string> made;
  for (const ToolSpec& tool : tools) {
    made.push_back(tool.kind);
  }
  const ToolSpec& tool = tools[position];
  for (const std::string_view name : tool.handle_parameters()) {
    const json::Array& kinds = *accepted_kinds(*property_of(tool, name));
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      const std::string kind(json::view(kinds[i].get_string()));
      if (std::ranges::find(made, kind) == made.end()) {
        problems.push_back(
            {.path =
                 {"parameters", "properties", std::string(name), "x-artifact", fmt::to_string(i)},
             .rule = "kind",
             .message = fmt::format("'{}' takes the kind '{}', which no tool makes{}",
                                    name,
                                    kind,
                                    base::suggestion(kind, made))});
      }
    }
  }
}

json::Object declared_result(const ToolSpec& tool,
                             const json::Object& arguments,
                             std::span<const DeclaredInput> inputs) {
  if (tool.returns.is_object()) {
    json::Object out;
    for (const auto& member : tool.returns.get_object()) {
      out[member.key()] = filled(member.value(), arguments, inputs);
    }
    return out;
  }
  json::Array from;
  json::Object values = arguments;
  for (const DeclaredInput& input : inputs) {
    from.push_back(arguments.at(input.parameter));
    values.erase(input.parameter);
  }
  return {{"kind", tool.kind}, {"from", std::move(from)}, {"values", std::move(values)}};
}

Refusal unknown_source_refusal(const ToolSpec& tool,
                               std::string_view parameter,
                               const json::Object& arguments) {
  const json::Value* given = arguments.if_contains(parameter);
  return {
      .code = tool.unknown_source,
      .message = fmt::format(
          "'{}' is {}, and there is nothing of that name",
          parameter,
          given == nullptr ? "missing" : base::shortened(json::to_text(*given), kShownBytesMax))};
}

}  // namespace sortie::suite
