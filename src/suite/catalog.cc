#include "sortie/suite/catalog.h"

#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/suite/embedded.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

/// Changes with every change of what a tool does or of what the world answers: results are part of
/// a trial's identity.
constexpr std::string_view kWorldRules = "world/1";

/// The same for the tools of users' suites.
constexpr std::string_view kDeclaredRules = "declared/1";

constexpr std::string_view kNetwork = "network";
constexpr std::size_t kSynonymsMin = 5;

base::Result<std::string> text_member(const json::Value& tool,
                                      std::string_view name,
                                      std::string_view where) {
  const auto text = json::get_string(tool, name);
  if (!text || text->empty()) {
    return base::bad_input(fmt::format("{}: '{}' has to be a text that is not empty", where, name));
  }
  return std::string(*text);
}

base::Result<std::vector<std::string>> texts_member(const json::Value& tool,
                                                    std::string_view name,
                                                    std::string_view where) {
  const json::Array* items = json::get_array(tool, name);
  if (items == nullptr) {
    return base::bad_input(fmt::format("{}: '{}' has to be a list of texts", where, name));
  }
  std::vector<std::string> out;
  for (const json::Value& item : *items) {
    if (!item.is_string()) {
      return base::bad_input(fmt::format("{}: '{}' has to be a list of texts", where, name));
    }
    out.emplace_back(json::view(item.get_string()));
  }
  return out;
}

base::Status check_schema(const json::Value& schema, std::string_view where) {
  if (json::get_string(schema, "type") != "object" ||
      json::get_object(schema, "properties") == nullptr ||
      json::get_array(schema, "required") == nullptr ||
      json::get_bool(schema, "additionalProperties") != false) {
    return base::bad_input(
        fmt::format("{}: 'parameters' has to be the JSON Schema of a closed object: type, "
                    "properties, required, additionalProperties false",
                    where));
  }
  return {};
}

std::vector<std::string> injected_codes(const ToolSpec& tool) {
  std::vector<std::string> codes = {"OPERATION_FAILED", "TIMEOUT"};
  if (tool.category == kNetwork) {
    codes.emplace_back("NETWORK_ERROR");
  }
  return codes;
}

base::Result<ToolSpec> tool_from(const json::Value& value, std::string_view where) {
  ToolSpec tool;
  TRY_ASSIGN(tool.name, text_member(value, "name", where));
  TRY_ASSIGN(tool.category, text_member(value, "category", where));
  TRY_ASSIGN(tool.operation, text_member(value, "operation", where));
  TRY_ASSIGN(tool.description, text_member(value, "description", where));
  TRY_ASSIGN(tool.produces, text_member(value, "produces", where));
  TRY_ASSIGN(tool.kind, text_member(value, "kind", where));
  TRY_ASSIGN(tool.synonyms, texts_member(value, "synonyms", where));
  TRY_ASSIGN(tool.error_codes, texts_member(value, "errors", where));
  if (tool.name != tool.category + "_" + tool.operation) {
    return base::bad_input(fmt::format(
        "{}: the name '{}' has to be '{}_{}'", where, tool.name, tool.category, tool.operation));
  }
  if (tool.synonyms.size() < kSynonymsMin) {
    return base::bad_input(fmt::format("{}: {} has {} synonyms, expected at least {}",
                                       where,
                                       tool.name,
                                       tool.synonyms.size(),
                                       kSynonymsMin));
  }
  const json::Value* schema = json::find(value, "parameters");
  if (schema == nullptr) {
    return base::bad_input(fmt::format("{}: 'parameters' is missing", where));
  }
  TRY(check_schema(*schema, where));
  tool.parameters = *schema;
  tool.effect = json::get_bool(value, "effect").value_or(false);
  tool.keeps_content = json::get_bool(value, "keeps_content").value_or(false);

  // Injected failures use codes that the world itself never returns.
  for (const std::string& code : injected_codes(tool)) {
    if (std::ranges::find(tool.error_codes, code) != tool.error_codes.end()) {
      return base::bad_input(
          fmt::format("{}: {} is an injected code, the world may not return it", where, code));
    }
  }
  add_injected_codes(tool);
  return tool;
}

/// What only tools of users' suites have.
void add_declared_members(const ToolSpec& tool, json::Object& content) {
  content["category"] = tool.category;
  content["operation"] = tool.operation;
  content["unknown_source"] = tool.unknown_source;
  // The order of what a call returns is seen, too.
  content["returns"] = json::to_text(tool.returns);
}

}  // namespace

void add_injected_codes(ToolSpec& tool) {
  std::vector<std::string> injected = injected_codes(tool);
  tool.injected_codes = injected.size();
  std::ranges::move(injected, std::back_inserter(tool.error_codes));
}

std::vector<std::string_view> ToolSpec::handle_parameters() const {
  std::vector<std::string_view> out;
  for (const auto& [parameter, property] : *json::get_object(parameters, "properties")) {
    if (json::get_array(property, "x-artifact") != nullptr) {
      out.emplace_back(parameter);
    }
  }
  return out;
}

base::Result<ToolCatalog> ToolCatalog::from_text(std::string_view source, std::string_view text) {
  const auto document = json::parse(text);
  if (!document) {
    return std::unexpected(base::with_context(document.error(), source));
  }
  const json::Array* tools = json::get_array(*document, "tools");
  if (tools == nullptr) {
    return base::bad_input(fmt::format("{}: 'tools' has to be a list of tools", source));
  }
  ToolCatalog catalog;
  for (std::size_t i = 0; i < tools->size(); ++i) {
    TRY_ASSIGN(ToolSpec tool, tool_from((*tools)[i], fmt::format("{}: tool {}", source, i + 1)));
    if (catalog.find(tool.name) != nullptr) {
      return base::bad_input(
          fmt::format("{}: tool {}: the name '{}' is taken", source, i + 1, tool.name));
    }
    catalog.tools_.push_back(std::move(tool));
  }
  catalog.version_ = digest_of(catalog.tools_);
  return catalog;
}

ToolCatalog ToolCatalog::of_declared(std::vector<ToolSpec> tools) {
  ToolCatalog catalog;
  catalog.tools_ = std::move(tools);
  catalog.version_ = digest_of(catalog.tools_);
  return catalog;
}

ToolCatalog ToolCatalog::pilot() {
  auto catalog = from_text("pilot/tools.json", embedded_tools());
  CHECK(catalog.has_value());
  return std::move(*catalog);
}

const ToolSpec* ToolCatalog::find(std::string_view name) const {
  const auto found = std::ranges::find(tools_, name, &ToolSpec::name);
  return found == tools_.end() ? nullptr : &*found;
}

std::vector<std::string> ToolCatalog::categories() const {
  std::vector<std::string> out;
  for (const ToolSpec& tool : tools_) {
    if (std::ranges::find(out, tool.category) == out.end()) {
      out.push_back(tool.category);
    }
  }
  return out;
}

base::Digest ToolCatalog::digest_of(const std::vector<ToolSpec>& tools) {
  base::FieldHasher hasher("sortie.tools.v1");
  hasher.field("rules", kWorldRules);
  if (std::ranges::any_of(tools, &ToolSpec::declared)) {
    hasher.field("declared_rules", kDeclaredRules);
  }
  for (const ToolSpec& tool : tools) {
    json::Object content;
    content["name"] = tool.name;
    content["description"] = tool.description;
    content["produces"] = tool.produces;
    content["kind"] = tool.kind;
    content["effect"] = tool.effect;
    content["keeps_content"] = tool.keeps_content;
    content["synonyms"] = json::Array(tool.synonyms.begin(), tool.synonyms.end());
    content["errors"] = json::Array(tool.error_codes.begin(), tool.error_codes.end());
    // The order of parameters is what a reader of show_tool sees, so it counts: stored order, not
    // canonical.
    content["parameters"] = json::to_text(tool.parameters);
    if (tool.declared) {
      add_declared_members(tool, content);
    }
    hasher.field("tool", json::canonical(content));
  }
  return hasher.finish();
}

}  // namespace sortie::suite
