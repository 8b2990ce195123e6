#include "sortie/suite/catalog.h"

#include "sortie/base/json.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/embedded.h"
#include "sortie/suite/tools.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST(Catalog, has_six_categories_of_five_tools) {
  const ToolCatalog catalog = ToolCatalog::pilot();
  std::map<std::string, int> counts;
  for (const ToolSpec& tool : catalog.tools()) {
    ++counts[tool.category];
    EXPECT_EQ(tool.name, tool.category + "_" + tool.operation);
    EXPECT_EQ(catalog.find(tool.name), &tool);
  }
  EXPECT_EQ(catalog.tools().size(), 30U);
  EXPECT_EQ(catalog.categories().size(), 6U);
  for (const auto& [category, count] : counts) {
    EXPECT_EQ(count, 5) << category;
  }
  EXPECT_EQ(catalog.find("file_operations_reade"), nullptr);
}

TEST(Catalog, every_tool_has_a_function) {
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    EXPECT_NE(tool_function(tool.name), nullptr) << tool.name;
  }
  EXPECT_EQ(tool_function("file_operations"), nullptr);
}

TEST(Catalog, every_tool_has_five_synonyms_a_closed_schema_and_typed_parameters) {
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    EXPECT_GE(std::set<std::string>(tool.synonyms.begin(), tool.synonyms.end()).size(), 5U)
        << tool.name;
    EXPECT_FALSE(tool.description.empty());
    EXPECT_EQ(json::get_bool(tool.parameters, "additionalProperties"), false) << tool.name;
    const json::Object& properties = *json::get_object(tool.parameters, "properties");
    EXPECT_FALSE(properties.empty());
    for (const auto& [name, property] : properties) {
      EXPECT_NE(json::find(property, "type"), nullptr) << tool.name << " " << name;
      EXPECT_TRUE(json::get_string(property, "description")) << tool.name << " " << name;
    }
    for (const json::Value& name : *json::get_array(tool.parameters, "required")) {
      EXPECT_TRUE(properties.contains(name.get_string())) << tool.name;
    }
  }
}

TEST(Catalog, every_kind_that_a_tool_takes_is_made_by_some_tool) {
  const ToolCatalog catalog = ToolCatalog::pilot();
  std::set<std::string> made;
  for (const ToolSpec& tool : catalog.tools()) {
    made.insert(tool.kind);
  }
  for (const ToolSpec& tool : catalog.tools()) {
    for (const auto name : tool.handle_parameters()) {
      for (const json::Value& kind : *accepted_kinds(*property_of(tool, name))) {
        EXPECT_TRUE(made.contains(std::string(json::view(kind.get_string()))))
            << tool.name << " takes " << kind;
      }
    }
  }
}

TEST(Catalog, injected_codes_are_never_the_worlds) {
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    ASSERT_EQ(tool.injected_codes, tool.category == "network" ? 3U : 2U);
    const auto first_injected =
        tool.error_codes.end() - static_cast<std::ptrdiff_t>(tool.injected_codes);
    EXPECT_EQ(*first_injected, "OPERATION_FAILED");
    for (auto code = tool.error_codes.begin(); code != first_injected; ++code) {
      EXPECT_EQ(std::find(first_injected, tool.error_codes.end(), *code), tool.error_codes.end())
          << *code;
    }
  }
}

TEST(Catalog, its_version_changes_with_any_word_of_it) {
  const std::string text(embedded_tools());
  const auto version = ToolCatalog::pilot().version();
  EXPECT_EQ(ToolCatalog::pilot().version(), version);
  for (const auto& [from, to] : {std::pair{"Opens one stored file", "Opens a stored file"},
                                 std::pair{"\"ingest\"", "\"consume\""},
                                 std::pair{"Where the file is stored.", "Where it is stored."},
                                 std::pair{"\"kind\": \"raw\"", "\"kind\": \"rare\""},
                                 std::pair{"raw: the content", "raw: all content"}}) {
    const auto changed = ToolCatalog::from_text("changed", replaced(text, from, to));
    ASSERT_TRUE(changed) << changed.error().message;
    EXPECT_NE(changed->version(), version) << from;
  }
}

TEST(Catalog, broken_tool_files_are_refused_with_file_and_tool) {
  const std::string text(embedded_tools());
  const auto message = [&](std::string_view from, std::string_view to) {
    const auto catalog = ToolCatalog::from_text("t.json", replaced(text, from, to));
    return catalog ? std::string("accepted") : catalog.error().message;
  };
  EXPECT_EQ(message("\"name\": \"file_operations_reader\"", "\"name\": \"file_reader\""),
            "t.json: tool 1: the name 'file_reader' has to be 'file_operations_reader'");
  EXPECT_EQ(message("[\"open\", \"load\", ", "["),
            "t.json: tool 1: file_operations_reader has 4 synonyms, expected at least 5");
  EXPECT_EQ(message("\"FILE_NOT_FOUND\"", "\"TIMEOUT\""),
            "t.json: tool 1: TIMEOUT is an injected code, the world may not return it");
  EXPECT_NE(message("\"additionalProperties\": false", "\"additionalProperties\": true")
                .find("closed object"),
            std::string::npos);
  EXPECT_NE(ToolCatalog::from_text("t.json", "{").error().message.find("t.json"),
            std::string::npos);
  EXPECT_EQ(ToolCatalog::from_text("t.json", "{}").error().message,
            "t.json: 'tools' has to be a list of tools");
}

}  // namespace sortie::suite
