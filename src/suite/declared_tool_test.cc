#include "sortie/suite/declared_tool.h"

#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/own_suite.h"
#include "sortie/suite/world.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

std::string problem(std::string_view from, std::string_view to) {
  std::vector<DataProblem> problems;
  static_cast<void>(tools_from(changed(kOwnTools, from, to), problems));
  return lines_of(problems);
}

json::Object arguments(std::string_view text) {
  return parsed(text).get_object();
}

class DeclaredWorld : public testing::Test {
 protected:
  CallResult call(std::string_view tool, std::string_view text) {
    return world_.call(tool, arguments(text));
  }

  ToolCatalog catalog_ = own_catalog();
  Task task_ = own_task(catalog_);
  World world_{catalog_, task_, Luck(0, task_.hash, 0, 1.0)};
};

}  // namespace

TEST(DeclaredTool, has_the_defaults_that_the_reference_names) {
  const ToolCatalog catalog = own_catalog();
  const ToolSpec& tool = *catalog.find("fetch_order");
  EXPECT_EQ(tool.category, "shop");
  EXPECT_EQ(tool.operation, "fetch_order");
  EXPECT_EQ(tool.produces, "order");
  EXPECT_EQ(tool.error_codes,
            (std::vector<std::string>{
                "INVALID_INPUT", "ORDER_NOT_FOUND", "OPERATION_FAILED", "TIMEOUT"}));
  EXPECT_EQ(json::get_bool(tool.parameters, "additionalProperties"), false);
  EXPECT_TRUE(json::get_array(catalog.find("fetch_policy")->parameters, "required") != nullptr);
  EXPECT_EQ(catalog.categories(), (std::vector<std::string>{"shop", "bank"}));
}

TEST(DeclaredTool, reads_back_from_its_own_data) {
  const ToolCatalog catalog = own_catalog();
  std::vector<ToolSpec> again;
  std::vector<DataProblem> problems;
  for (const ToolSpec& tool : catalog.tools()) {
    auto read = declared_tool(to_json(tool), {}, "", problems);
    ASSERT_TRUE(read) << lines_of(problems);
    again.push_back(std::move(*read));
  }
  EXPECT_EQ(ToolCatalog::of_declared(std::move(again)).version(), catalog.version());
}

TEST(DeclaredTool, every_member_that_decides_results_is_in_the_version) {
  std::set<std::string> versions = {own_catalog().version().hex()};
  const std::vector<std::pair<std::string_view, std::string_view>> changes = {
      {"fetch_order", "get_order"},
      {"Fetches one order", "Fetches an order"},
      {"ORDER_NOT_FOUND", "NO_ORDER"},
      {"\"total\": 120", "\"total\": 121"},
      {"\"x-source\": true", "\"x-source\": true, \"minimum\": 1"},
      {"\"required\": [\"number\"]", "\"required\": []"},
      {"\"effect\": true", "\"effect\": false"},
      {"\"keeps_content\": true", "\"keeps_content\": false"},
      {"\"category\": \"bank\"", "\"category\": \"money\""},
      {"\"kind\": \"payment\"", "\"kind\": \"transfer\""},
      {"\"effect\": true", "\"effect\": true, \"operation\": \"pay\""},
      {"\"effect\": true", "\"effect\": true, \"produces\": \"a payment\""},
      {"\"effect\": true", "\"effect\": true, \"synonyms\": [\"pay\"]"},
      {"\"default\": false", "\"default\": true"}};
  for (const auto& [from, to] : changes) {
    EXPECT_TRUE(versions.insert(own_catalog(changed(kOwnTools, from, to)).version().hex()).second)
        << from << " → " << to;
  }
}

TEST(DeclaredTool, a_mistake_is_named_with_its_place_and_what_was_expected) {
  const std::vector<std::vector<std::string_view>> cases = {
      {"\"kind\": \"order\"",
       "\"knd\": \"order\"",
       "0/knd: unknown_key: unknown key 'knd'; did you mean 'kind'?"},
      {"\"name\": \"fetch_order\"",
       "\"name\": \"fetch order\"",
       "0/name: name: 'name' is 'fetch order', expected one word"},
      {"\"name\": \"fetch_order\"",
       "\"name\": \"finish\"",
       "0/name: name: 'finish' is a command of every dialogue"},
      {"\"name\": \"fetch_order\"",
       "\"name\": \"garden_watering\"",
       "0/name: name: 'garden_watering' is the tool of every dialogue's examples"},
      {"\"name\": \"fetch_order\"",
       "\"name\": 7",
       "0/name: type: 'name' has to be a text that is not empty, found a number; in quotes it is "
       "one: \"7\""},
      {"\"type\": \"integer\", \"x-source\"",
       "\"type\": \"int\", \"x-source\"",
       "0/parameters/properties/number/type: schema: 'number': type is \"int\", expected one of: "
       "string, integer"},
      {"\"x-source\": true",
       "\"pattern\": \"[0-9]\"",
       "0/parameters/properties/number/pattern: unknown_key: unknown key 'pattern'"},
      {"\"required\": [\"number\"]",
       "\"required\": [\"numbr\"]",
       "0/parameters/required/0: schema: required: there is no property 'numbr'; did you mean "
       "'number'?"},
      {"\"required\": [\"number\"]",
       "\"additionalProperties\": true",
       "0/parameters/additionalProperties: schema: arguments that no property describes"},
      {"[\"no\", \"pt\", \"jp\"]",
       "[\"no\", 5]",
       "1/parameters/properties/country/enum/1: schema: enum: 'country' is 5, expected string"},
      {"[\"no\", \"pt\", \"jp\"]",
       "[]",
       "1/parameters/properties/country/enum: schema: 'country': enum has to list at least one "
       "value"},
      {"\"x-artifact\": [\"order\"]",
       "\"x-artifact\": [\"ordr\"]",
       "2/parameters/properties/order/x-artifact/0: kind: 'order' takes the kind 'ordr', which no "
       "tool makes; did you mean 'order'?"},
      {"\"x-artifact\": [\"order\"]",
       "\"x-artifact\": [\"order\"], \"default\": \"x\"",
       "2/parameters/properties/order/default: schema: 'order' takes a handle (x-artifact), so "
       "'default' cannot stand here"},
      {"\"minimum\": 1, \"maximum\": 100",
       "\"minimum\": 5, \"maximum\": 1",
       "2/parameters/properties/percent/maximum: schema: 'percent': the maximum is below the "
       "minimum"},
      {"\"minimum\": 1, \"maximum\": 100",
       "\"minimum\": 1, \"maximum\": 1e300",
       "2/parameters/properties/percent/maximum: schema: 'percent': maximum is 1e+300, expected a "
       "number from -1e15 to 1e15"},
      {"\"default\": false",
       "\"default\": \"no\"",
       "2/parameters/properties/rounded/default: schema: default: 'rounded' is \"no\", expected "
       "boolean"},
      {"\"rounded\": {\"type\": \"boolean\", \"default\": false}",
       "\"third\": {\"x-artifact\": [\"order\"]}",
       "2/parameters/properties: schema: 3 parameters take handles (x-artifact), at most 2 can"},
      {"\"field\": \"total\"",
       "\"feld\": \"total\"",
       "2/returns/of/feld: unknown_key: unknown key 'feld'; did you mean 'field'?"},
      {"{\"argument\": \"percent\"}",
       "{\"argument\": \"percnt\"}",
       "2/returns/detail/share/0/argument: returns: there is no parameter 'percnt'; did you mean "
       "'percent'?"},
      {"{\"argument\": \"percent\"}",
       "{\"argument\": \"percent\", \"field\": \"x\"}",
       "2/returns/detail/share/0/field: returns: 'percent' takes no handle"},
      {"\"unknown_source\": \"ORDER_NOT_FOUND\"",
       "\"unknown_source\": \"TIMEOUT\"",
       "0/unknown_source: name: 'TIMEOUT' cannot be the code"},
      {"\"effect\": true",
       "\"effect\": true, \"unknown_source\": \"GONE\"",
       "4/unknown_source: schema: no parameter has x-source"},
      {"\"effect\": true",
       "\"effect\": \"yes\"",
       "4/effect: type: 'effect' has to be true or false, found a text"},
      {"\"effect\": true",
       "\"keeps_content\": true, \"synonyms\": [3]",
       "4/synonyms/0: type: 'synonyms' has to be a list of texts, found a number in it"},
      {"\"kind\": \"order\",\n  \"parameters\": {\"type\"",
       "\"kind\": \"order\", \"keeps_content\": true,\n  \"parameters\": {\"type\"",
       "0/keeps_content: schema: keeps_content needs a required parameter"},
      {"\"format\": \"identifier\"",
       "\"format\": \"email\"",
       "4/parameters/properties/account/format: schema: 'account': there is no format 'email'"}};
  for (const auto& change : cases) {
    const std::string found = problem(change[0], change[1]);
    EXPECT_NE(found.find(change[2]), std::string::npos) << change[1] << "\n" << found;
  }
}

TEST_F(DeclaredWorld, a_result_is_made_of_constants_arguments_and_earlier_results) {
  const CallResult order = call("fetch_order", R"({"number": 4711})");
  ASSERT_EQ(order.status, CallStatus::ok) << order.message;
  EXPECT_EQ(order.artifact, "order#1");
  EXPECT_EQ(json::to_text(order.value), R"({"number":4711,"total":120,"state":"open"})");
  const CallResult refund = call("compute_refund", R"({"percent": 80, "order": "order#1"})");
  EXPECT_EQ(json::to_text(refund.value),
            R"({"of":120,"order":"order#1","detail":{"share":[80,"percent"]}})");
  const CallResult paid = call("pay_out", R"({"refund": "refund#2", "account": "credit"})");
  EXPECT_EQ(json::to_text(paid.value),
            R"({"kind":"payment","from":["refund#2"],"values":{"account":"credit"}})");
  EXPECT_TRUE(world_.goal_met());
  EXPECT_TRUE(world_.clean());
}

TEST_F(DeclaredWorld, sources_are_those_that_the_task_names) {
  const CallResult unknown = call("fetch_order", R"({"number": 4712})");
  EXPECT_EQ(unknown.status, CallStatus::rejected);
  EXPECT_EQ(unknown.code, "ORDER_NOT_FOUND");
  EXPECT_EQ(unknown.message, "'number' is 4712, and there is nothing of that name");
  EXPECT_EQ(world_.calls().front().rejection, Rejection::parameter);
  EXPECT_EQ(call("fetch_order", R"({"number": 4711.0})").status, CallStatus::ok);
}

TEST_F(DeclaredWorld, rejections_are_those_of_every_world) {
  static_cast<void>(call("fetch_policy", R"({"country": "no"})"));
  EXPECT_EQ(call("fetch_policy", R"({"country": "xx"})").code, "INVALID_INPUT");
  EXPECT_EQ(call("compute_refund", R"({"order": "policy#1", "percent": 5})").message,
            "'order' is 'policy#1', a result of kind policy; it takes: order");
  EXPECT_EQ(call("compute_refund", R"({"order": "order#7", "percent": 5})").code, "INVALID_INPUT");
  EXPECT_EQ(call("reader", "{}").message, "there is no tool 'reader'");
}

TEST_F(DeclaredWorld, a_wrong_value_or_another_input_misses_the_goal) {
  static_cast<void>(call("fetch_order", R"({"number": 4711})"));
  static_cast<void>(call("compute_refund", R"({"order": "order#1", "percent": 70})"));
  static_cast<void>(call("pay_out", R"({"refund": "refund#2", "account": "credit"})"));
  EXPECT_FALSE(world_.goal_met());
  EXPECT_FALSE(world_.clean());
  EXPECT_LT(world_.progress(), 1);
}

TEST_F(DeclaredWorld, what_keeps_the_content_does_no_harm_in_between) {
  static_cast<void>(call("fetch_order", R"({"number": 4711})"));
  EXPECT_EQ(call("note_order", R"({"order": "order#1", "text": "late"})").artifact, "note#2");
  static_cast<void>(call("compute_refund", R"({"order": "note#2", "percent": 80})"));
  static_cast<void>(call("pay_out", R"({"refund": "refund#3", "account": "credit"})"));
  EXPECT_TRUE(world_.goal_met());
}

TEST_F(DeclaredWorld, a_second_input_may_come_in_any_order_of_arguments) {
  static_cast<void>(call("fetch_order", R"({"number": 4711})"));
  static_cast<void>(call("fetch_policy", R"({"country": "no"})"));
  const CallResult refund =
      call("compute_refund", R"({"policy": "policy#2", "percent": 80, "order": "order#1"})");
  EXPECT_EQ(json::find(refund.value, "of")->get_int64(), 120);
}

TEST(DeclaredTool, may_share_its_name_with_a_built_in_function_and_still_does_what_its_data_says) {
  const ToolCatalog catalog = own_catalog(
      changed(kOwnTools, "\"name\": \"fetch_policy\"", "\"name\": \"file_operations_reader\""));
  const Task task = own_task(catalog);
  World world(catalog, task, Luck(0, task.hash, 0, 1.0));
  const CallResult result = world.call("file_operations_reader", arguments(R"({"country": "pt"})"));
  EXPECT_EQ(json::to_text(result.value),
            R"({"kind":"policy","from":[],"values":{"country":"pt"}})");
}

TEST(DeclaredTool, of_kind_file_needs_no_path) {
  const ToolCatalog catalog =
      own_catalog(changed(kOwnTools, "\"kind\": \"payment\"", "\"kind\": \"file\""));
  const Task task = own_task(catalog);
  World world(catalog, task, Luck(0, task.hash, 0, 1.0));
  static_cast<void>(world.call("fetch_order", arguments(R"({"number": 4711})")));
  static_cast<void>(
      world.call("compute_refund", arguments(R"({"order": "order#1", "percent": 80})")));
  EXPECT_EQ(
      world.call("pay_out", arguments(R"({"refund": "refund#2", "account": "credit"})")).artifact,
      "file#3");
}

}  // namespace sortie::suite
