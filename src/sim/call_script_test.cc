#include "sortie/sim/call_script.h"

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"

#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::sim {
namespace {

json::Object object(std::string_view text) {
  return json::parse(text).value().as_object();
}

suite::Step parse_step() {
  return {.tool = "data_processing_parser",
          .arguments = object(R"({"source": {"$step": 0}, "format": "csv"})"),
          .reason = {}};
}

suite::Step read_step() {
  return {.tool = "file_operations_reader",
          .arguments = object(R"({"path": "data/orders.csv"})"),
          .reason = {}};
}

TEST(Arguments, name_the_handles_of_steps_that_are_done) {
  const json::Object arguments =
      object(R"({"a": {"$step": 0}, "b": [{"$step": 1}, 2.5], "c": {"d": "e"}})");
  EXPECT_EQ(arguments_text(arguments, {"raw#1", "table#2"}),
            R"({"a":"raw#1","b":["table#2",2.5],"c":{"d":"e"}})");
  EXPECT_EQ(arguments_text(arguments, {"raw#1", std::nullopt}),
            R"({"a":"raw#1","b":["result_of_step_2",2.5],"c":{"d":"e"}})");
}

TEST(Arguments, are_valid_json_and_compact_as_histories_write_them) {
  const json::Object arguments = object(R"({"q": "say \"hi\"\n", "n": 1.0, "e": {}, "l": []})");
  const std::string text = arguments_text(arguments, {});
  EXPECT_EQ(json::to_text(json::parse(text).value()), text);
}

TEST(Arguments, refer_to_steps_at_any_depth) {
  EXPECT_EQ(references(object(R"({"a": {"$step": 3}, "b": [{"$step": 1}], "c": {"$step": "x"}})")),
            (std::vector<std::size_t>{3, 1}));
}

TEST(WrongValue, is_another_of_the_choices_and_never_a_reference) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  EXPECT_TRUE(rc::check([&] {
    const Mistake mistake{.place = *rc::gen::inRange(0, 100) / 100.0,
                          .choice = *rc::gen::inRange(0, 100) / 100.0};
    const auto wrong = with_wrong_value(catalog, parse_step(), mistake);
    RC_ASSERT(wrong.has_value());
    RC_ASSERT(wrong->arguments.at("source") == parse_step().arguments.at("source"));
    RC_ASSERT(wrong->arguments.at("format") != parse_step().arguments.at("format"));
  }));
}

TEST(WrongValue, of_a_path_stays_a_path) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  const auto wrong = with_wrong_value(catalog, read_step(), {});
  ASSERT_TRUE(wrong.has_value());
  EXPECT_EQ(wrong->arguments.at("path").as_string(), "data/orders_v2.csv");
}

TEST(WrongTool, is_of_the_same_category_and_keeps_the_arguments_that_fit) {
  const suite::ToolCatalog catalog = suite::ToolCatalog::pilot();
  EXPECT_TRUE(rc::check([&] {
    const Mistake mistake{.place = *rc::gen::inRange(0, 100) / 100.0, .choice = 0};
    const suite::Step wrong = with_wrong_tool(catalog, parse_step(), mistake);
    RC_ASSERT(wrong.tool != "data_processing_parser");
    RC_ASSERT(wrong.tool.starts_with("data_processing_"));
    const suite::ToolSpec* tool = catalog.find(wrong.tool);
    RC_ASSERT(tool != nullptr);
    for (const auto& member : wrong.arguments) {
      RC_ASSERT(json::get_object(tool->parameters, "properties")->contains(member.key()));
    }
  }));
}

TEST(StaleHandle, is_the_result_of_an_earlier_step_or_of_none) {
  suite::Step step = parse_step();
  step.arguments["source"] = json::Object{{"$step", 2}};
  const auto stale = with_stale_handle(step, {.place = 0, .choice = 0.1});
  ASSERT_TRUE(stale.has_value());
  EXPECT_EQ(references(stale->arguments), std::vector<std::size_t>{1});
  const auto unknown = with_stale_handle(step, {.place = 0, .choice = 0.9});
  ASSERT_TRUE(unknown.has_value());
  EXPECT_TRUE(references(unknown->arguments).empty());
  EXPECT_TRUE(unknown->arguments.at("source").is_string());
  EXPECT_EQ(unknown->arguments.at("format"), step.arguments.at("format"));
}

TEST(StaleHandle, needs_an_input) {
  EXPECT_FALSE(with_stale_handle(read_step(), {}).has_value());
}

}  // namespace
}  // namespace sortie::sim
