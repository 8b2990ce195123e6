#include "sortie/suite/arguments.h"

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/example_task.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::suite {

class Arguments : public ::testing::Test {
 protected:
  /// "" if the arguments are fine, else the message.
  [[nodiscard]] std::string problem(std::string_view tool, std::string_view arguments) const {
    const auto found = check_arguments(*catalog_.find(tool), parsed_object(arguments));
    return found ? found->message : "";
  }

  ToolCatalog catalog_ = ToolCatalog::pilot();
};

TEST_F(Arguments, fitting_ones_are_accepted) {
  EXPECT_EQ(problem("file_operations_reader", R"({"path": "a/b.csv"})"), "");
  EXPECT_EQ(problem("data_processing_filter",
                    R"({"source": "table#1", "field": "x", "operator": ">=", "value": 2.5})"),
            "");
  EXPECT_EQ(problem("data_processing_filter",
                    R"({"source": "table#1", "field": "x", "operator": "==", "value": "open"})"),
            "");
  EXPECT_EQ(problem("network_fetcher", R"({"url": "https://a.example.com/x"})"), "");
}

TEST_F(Arguments, a_missing_parameter_is_named_with_what_it_takes) {
  EXPECT_EQ(problem("data_processing_parser", R"({"source": "raw#1"})"),
            "'format' is missing, expected one of: csv, json, xml, yaml, lines");
  EXPECT_EQ(problem("data_processing_parser", R"({"format": "csv"})"),
            "'source' is missing, expected the handle of an earlier result");
  EXPECT_EQ(problem("file_operations_reader", "{}"),
            "'path' is missing, expected a path such as folder/name.csv");
  EXPECT_EQ(problem("computation_predictor", R"({"source": "series#1", "method": "naive"})"),
            "'horizon' is missing, expected integer");
}

TEST_F(Arguments, an_unknown_parameter_is_named_with_the_known_ones) {
  EXPECT_EQ(problem("data_processing_parser", R"({"source": "raw#1", "format": "csv", "mode": 1})"),
            "'mode' is not a parameter here; the parameters are: source, format");
}

TEST_F(Arguments, types_are_checked) {
  EXPECT_EQ(problem("file_operations_reader", R"({"path": 7})"), "'path' is 7, expected string");
  EXPECT_EQ(problem("utility_tracker", R"({"source": 1, "prefix": "INV"})"),
            "'source' is 1, expected the handle of an earlier result, such as \"name#1\"");
  EXPECT_EQ(problem("data_processing_filter",
                    R"({"source": "t#1", "field": "x", "operator": "==", "value": true})"),
            "'value' is true, expected number or string");
  EXPECT_EQ(problem("integration_queue", R"({"source": "a#1", "lane": "bulk", "priority": "5"})"),
            "'priority' is \"5\", expected integer");
}

TEST_F(Arguments, a_whole_number_may_be_written_with_a_fraction_of_zero) {
  EXPECT_EQ(problem("integration_queue", R"({"source": "a#1", "lane": "bulk", "priority": 5.0})"),
            "");
  EXPECT_NE(problem("integration_queue", R"({"source": "a#1", "lane": "bulk", "priority": 5.5})"),
            "");
}

TEST_F(Arguments, ranges_are_closed) {
  for (const char* inside : {"1", "9"}) {
    EXPECT_EQ(
        problem("integration_queue",
                std::string(R"({"source": "a#1", "lane": "bulk", "priority": )") + inside + "}"),
        "");
  }
  EXPECT_EQ(problem("integration_queue", R"({"source": "a#1", "lane": "bulk", "priority": 0})"),
            "'priority' is 0, expected a number from 1 to 9");
  EXPECT_EQ(problem("integration_queue", R"({"source": "a#1", "lane": "bulk", "priority": 10})"),
            "'priority' is 10, expected a number from 1 to 9");
}

TEST_F(Arguments, choices_are_closed) {
  EXPECT_EQ(problem("utility_tracker", R"({"source": "a#1", "prefix": "inv"})"),
            "'prefix' is \"inv\", expected one of: INV, SHP, REQ, TCK, PKG");
}

TEST_F(Arguments, formats_are_checked) {
  EXPECT_EQ(problem("network_fetcher", R"({"url": "ftp://x"})"),
            "'url' is 'ftp://x', expected an address that starts with https://");
  EXPECT_NE(problem("network_fetcher", R"({"url": "https://"})"), "");
  EXPECT_NE(problem("file_operations_reader", R"({"path": ""})"), "");
  EXPECT_NE(problem("file_operations_reader", R"({"path": "two words.csv"})"), "");
  EXPECT_NE(problem("utility_cache", R"({"source": "a#1", "key": "Big Key", "minutes": 5})"), "");
  EXPECT_NE(
      problem("computation_calculator", R"({"source": "a#1", "measure": "total", "field": "a-b"})"),
      "");
}

TEST_F(Arguments, a_huge_text_is_refused_and_not_repeated_in_full) {
  const std::string message =
      problem("file_operations_reader", R"({"path": ")" + std::string(100000, 'x') + "\"}");
  EXPECT_FALSE(message.empty());
  EXPECT_LT(message.size(), 200U);
}

TEST_F(Arguments, numbers_are_equal_by_value_and_objects_in_any_order) {
  EXPECT_TRUE(same_value(json::Value(1), json::Value(1.0)));
  EXPECT_FALSE(same_value(json::Value(1), json::Value("1")));
  EXPECT_TRUE(
      same_value(parsed_object(R"({"a": 1, "b": 2})"), parsed_object(R"({"b": 2.0, "a": 1})")));
  EXPECT_FALSE(same_value(json::Value("a"), json::Value("A")));
}

TEST_F(Arguments, defaults_fill_absent_parameters_only) {
  ToolSpec tool;
  tool.parameters = parsed_object(
      R"({"type": "object", "properties": {"level": {"type": "integer", "default": 6}}, "required": [], "additionalProperties": false})");
  EXPECT_EQ(json::canonical(with_defaults(tool, {})), R"({"level":6})");
  EXPECT_EQ(json::canonical(with_defaults(tool, parsed_object(R"({"level": 2})"))),
            R"({"level":2})");
}

}  // namespace sortie::suite
