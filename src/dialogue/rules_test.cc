#include "sortie/dialogue/rules.h"

#include "sortie/dialogue/prompts.h"
#include "sortie/dialogue/replies.h"
#include "sortie/dialogue/search.h"
#include "sortie/dialogue/texts.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::dialogue {
namespace {

using suite::PromptStyle;

std::vector<suite::Step> two_steps() {
  return {{.tool = "file_operations_reader",
           .arguments = {{"path", "data/a \"b\".csv"}},
           .reason = "The file is needed."},
          {.tool = "data_processing_parser",
           .arguments = {{"source", {{"$step", 0}}}, {"format", "csv"}},
           .reason = "Rows are needed."}};
}

TEST(Prompts, a_plan_shows_tools_arguments_reasons_and_earlier_results) {
  const std::string block = plan_block(two_steps());
  EXPECT_NE(block.find("1. file_operations_reader\n"
                       "   arguments: path = \"data/a \\\"b\\\".csv\"\n"
                       "   reason: The file is needed.\n"
                       "2. data_processing_parser\n"
                       "   arguments: source = the result of step 1, format = \"csv\"\n"
                       "   reason: Rows are needed.\n"),
            std::string::npos)
      << block;
  EXPECT_EQ(plan_block({}), "");
}

TEST(Prompts, lists_and_empty_arguments_are_shown_too) {
  const std::vector<suite::Step> plan = {
      {.tool = "t", .arguments = {{"all", {{{"$step", 2}}, 1, "x"}}}, .reason = "r"},
      {.tool = "u", .arguments = {}, .reason = "r"}};
  const std::string block = plan_block(plan);
  EXPECT_NE(block.find("all = [the result of step 3, 1, \"x\"]"), std::string::npos) << block;
  EXPECT_NE(block.find("arguments: none"), std::string::npos) << block;
}

TEST(Prompts, styles_differ_in_their_block_alone) {
  const std::string plan = plan_block(two_steps());
  const std::string baseline = first_prompt("Do it {now}.", "", PromptStyle::baseline);
  const std::string cot = first_prompt("Do it {now}.", "", PromptStyle::cot);
  const std::string optimal = first_prompt("Do it {now}.", plan, PromptStyle::optimal);
  EXPECT_EQ(first_prompt("Do it {now}.", plan, PromptStyle::flawed), optimal);
  const auto without = [](std::string prompt, std::string_view block) {
    const std::size_t at = prompt.find(block);
    return at == std::string::npos ? prompt : prompt.erase(at, block.size());
  };
  EXPECT_NE(cot, baseline);
  EXPECT_EQ(without(optimal, plan), baseline);
  EXPECT_EQ(without(cot, text(Text::cot)), baseline);
  EXPECT_EQ(baseline, "# Task\n\nDo it {now}.\n\nStart now.");
}

TEST(Prompts, the_system_prompt_has_the_size_that_costs_are_planned_with) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  const std::string prompt = system_prompt(catalog, suite::Protocol::text);
  EXPECT_GT(prompt.size(), 1700U);
  EXPECT_LT(prompt.size(), 2500U);
  EXPECT_NE(
      prompt.find(
          R"(<use_tool>{"name": "name of a tool", "arguments": {"parameter": "value"}}</use_tool>)"),
      std::string::npos);
  for (const suite::ToolSpec& tool : catalog.tools()) {
    EXPECT_EQ(prompt.find(tool.name), std::string::npos) << tool.name;
  }
}

TEST(Prompts, the_neutral_example_is_no_tool_of_the_catalog) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  EXPECT_EQ(catalog.find(kExampleTool), nullptr);
  EXPECT_NE(help_reply(false, false).find(kExampleTool), std::string::npos);
  for (const suite::ToolSpec& tool : catalog.tools()) {
    for (const std::string_view wording : all_texts()) {
      EXPECT_EQ(wording.find(tool.name), std::string_view::npos) << tool.name;
    }
  }
}

TEST(Search, names_and_synonyms_find_their_tool) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  const SearchIndex index(catalog);
  const auto& tools = catalog.tools();
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const auto by_name = index.find(tools[i].name);
    ASSERT_FALSE(by_name.empty()) << tools[i].name;
    EXPECT_EQ(by_name.front(), i) << tools[i].name;
    const auto by_description = index.find(tools[i].description);
    ASSERT_FALSE(by_description.empty());
    EXPECT_EQ(by_description.front(), i) << tools[i].description;
    for (const std::string& synonym : tools[i].synonyms) {
      EXPECT_EQ(std::ranges::count(index.find(synonym), i), 1)
          << synonym << " for " << tools[i].name;
    }
  }
}

TEST(Search, order_of_words_case_and_repetition_do_not_matter) {
  const SearchIndex index(suite::ToolCatalog::pilot());
  const auto hits = index.find("parse csv rows into a table");
  EXPECT_EQ(index.find("TABLE rows, csv PARSE parse parsing!"), hits);
  EXPECT_EQ(hits.size(), kHitsMax);
}

TEST(Search, words_of_no_tool_find_nothing) {
  const SearchIndex index(suite::ToolCatalog::pilot());
  EXPECT_TRUE(index.find("").empty());
  EXPECT_TRUE(index.find("the of and tool").empty());
  EXPECT_TRUE(index.find("xylophone \xff\xfe 测试").empty());
}

TEST(Search, forms_of_a_word_meet) {
  for (const auto& [a, b] : {std::pair("parser", "parsing"),
                             {"converter", "convert"},
                             {"aggregator", "aggregate"},
                             {"aggregation", "aggregating"},
                             {"files", "file"},
                             {"copies", "copy"},
                             {"mapping", "map"},
                             {"notifier", "notifies"},
                             {"optimization", "optimizer"}}) {
    EXPECT_EQ(search_terms(a), search_terms(b)) << a << " " << b;
  }
}

TEST(Rules, tell_what_was_found) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  const Rules rules(catalog);
  EXPECT_TRUE(
      rules.find_tool("file_operations_reader").starts_with("5 found\n- file_operations_reader: "));
  EXPECT_EQ(rules.show_tool("nothing"), nullptr);
  ASSERT_NE(rules.show_tool("network_fetcher"), nullptr);
  EXPECT_TRUE(rules.show_tool("network_fetcher")->starts_with("network_fetcher: "));
  EXPECT_NE(rules.show_tool("data_processing_filter")->find("value (number or string, required)"),
            std::string::npos)
      << *rules.show_tool("data_processing_filter");
}

TEST(Rules, a_search_without_a_hit_lists_the_six_categories) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  const Rules rules(catalog);
  EXPECT_EQ(rules.find_tool("xylophone"),
            "nothing found. The categories of the catalog are: file_operations, data_processing, "
            "network, computation, integration, utility");
}

TEST(Rules, the_version_follows_the_catalog) {
  const auto catalog_of = [](std::string_view description) {
    const json::Value tools = {{"suite", "t/1"},
                               {"tools",
                                {{{"name", "a_b"},
                                  {"category", "a"},
                                  {"operation", "b"},
                                  {"description", description},
                                  {"synonyms", {"1", "2", "3", "4", "5"}},
                                  {"parameters",
                                   {{"type", "object"},
                                    {"properties", json::Object()},
                                    {"required", json::Array()},
                                    {"additionalProperties", false}}},
                                  {"kind", "k"},
                                  {"produces", "k: x"},
                                  {"errors", {"INVALID_INPUT"}}}}}};
    return suite::ToolCatalog::from_text("test", json::to_text(tools)).value();
  };
  const suite::ToolCatalog one = catalog_of("one");
  const suite::ToolCatalog two = catalog_of("two");
  EXPECT_EQ(Rules(one).version(), Rules(one).version());
  EXPECT_NE(Rules(one).version(), Rules(two).version());
}

TEST(Rules, plans_are_identified_by_their_text) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  const Rules rules(catalog);
  suite::Task task;
  task.plan = two_steps();
  suite::TrialParams params{.prompt = {.style = PromptStyle::baseline}};
  EXPECT_EQ(rules.plan_digest(task, params), base::digest_of(""));
  params.prompt.style = PromptStyle::cot;
  EXPECT_EQ(rules.plan_digest(task, params), base::digest_of(""));
  params.prompt.style = PromptStyle::optimal;
  EXPECT_EQ(rules.plan_digest(task, params), base::digest_of(plan_block(task.plan)));
  EXPECT_EQ(rules.plan_text(task, params), plan_block(task.plan));
}

}  // namespace
}  // namespace sortie::dialogue
