#include "sortie/spec/suite_folder.h"

#include "sortie/spec/load.h"
#include "sortie/spec/node.h"
#include "sortie/spec/node_json.h"
#include "sortie/spec/test_samples.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/suite_text.h"
#include "sortie/suite/trial.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::spec {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuite = R"(version: 1
name: orders/1
description: A shop.
tools: tools.json
tasks:
  - refunds.yaml
  - id: inline-1
    type: basic_task
    texts: {easy: "Note late on order 7, a text.", hard: "Order 7 is late, say so."}
    plan:
      - {tool: fetch_order, arguments: {number: 7}}
      - {tool: note_order, arguments: {order: {step: 1}, text: late}}
)";

constexpr std::string_view kTools = R"({"tools": [
  {"name": "fetch_order", "description": "Fetches an order.", "kind": "order",
   "parameters": {"type": "object", "required": ["number"], "properties": {"number": {"type": "integer", "x-source": true}}}},
  {"name": "note_order", "description": "Puts a note on an order.", "kind": "note", "effect": true,
   "parameters": {"type": "object", "required": ["order", "text"],
                  "properties": {"order": {"x-artifact": ["order"]}, "text": {"type": "string"}}}}
]})";

constexpr std::string_view kTasks = R"(tasks:
  - id: refund-1
    type: simple_task
    text: |
      Note damaged on order 4711.
    plan:
      - {tool: fetch_order, arguments: {number: 4711}}
      - tool: note_order
        arguments: {order: {step: 1}, text: damaged}
  - id: refund-2
    type: simple_task
    text: Note 007 on order 4712 then.
    plan:
      - {tool: fetch_order, arguments: {number: 4712}}
      - {tool: note_order, arguments: {order: {step: 1}, text: 007}}
)";

class SuiteFolder : public testing::Test {
 protected:
  SuiteFolder() {
    folder_ =
        fs::path(testing::TempDir()) /
        fmt::format("suite-{}", testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    write("suite.yaml", kSuite);
    write("tools.json", kTools);
    write("refunds.yaml", kTasks);
  }

  ~SuiteFolder() override { fs::remove_all(folder_); }

  void write(const std::string& name, std::string_view text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }

  /// Replaces one part of a file.
  void change(const std::string& name, std::string_view from, std::string_view to) const {
    std::ifstream stream(folder_ / name);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write(name, text.replace(at, from.size(), to));
  }

  /// The message of loading, with the folder's path left out.
  [[nodiscard]] std::string error() const {
    const auto loaded = load_suite(folder_.string());
    std::string message = loaded ? "" : loaded.error().message;
    const std::string prefix = folder_.string() + "/";
    for (std::size_t at = message.find(prefix); at != std::string::npos;
         at = message.find(prefix)) {
      message.erase(at, prefix.size());
    }
    return message;
  }

  fs::path folder_;
};

std::string campaign_text(std::string_view rest) {
  return fmt::format("version: 1\nname: own\nsuite: folder\nmodels: [sim-large]\n{}", rest);
}

std::string campaign_error(const suite::Suite& suite, std::string_view rest) {
  const auto campaign = parse_campaign(campaign_text(rest), "c.yaml", suite, samples::topology());
  return campaign ? "" : campaign.error().message;
}

}  // namespace

TEST_F(SuiteFolder, is_read_from_several_files) {
  const auto loaded = load_suite(folder_.string());
  ASSERT_TRUE(loaded) << loaded.error().message;
  const suite::Suite& suite = loaded->suite;
  EXPECT_EQ(suite.name(), "orders/1");
  EXPECT_FALSE(suite.built_in());
  ASSERT_EQ(suite.tasks().size(), 3U);
  EXPECT_EQ(suite.tasks()[0].id, "refund-1");
  EXPECT_EQ(suite.tasks()[2].id, "inline-1");
  EXPECT_EQ(suite.find("refund-1")->text(suite::Difficulty::easy), "Note damaged on order 4711.");
  // What JSON reads as no number is a text.
  EXPECT_EQ(json::to_text(suite.find("refund-2")->plan[1].arguments),
            R"({"order":{"$step":0},"text":"007"})");
  EXPECT_EQ(suite.catalog().tools().front().category, "orders");
  EXPECT_EQ(loaded->places.at("refund-2").file, (folder_ / "refunds.yaml").string());
  EXPECT_EQ(loaded->places.at("refund-2").line, 10);
  EXPECT_EQ(loaded->places.at("inline-1").line, 7);
}

TEST_F(SuiteFolder, in_one_json_file_is_the_same_suite) {
  const auto loaded = load_suite(folder_.string());
  ASSERT_TRUE(loaded);
  Problems problems("x", kTasks);
  const auto tasks = parse_yaml(kTasks, problems);
  const auto tools = json::parse(kTools);
  ASSERT_TRUE(tasks && tools);
  json::Array all = *json::get_array(to_json(*tasks), "tasks");
  Problems own_problems("x", kSuite);
  const json::Value own = to_json(*parse_yaml(kSuite, own_problems));
  all.push_back((*json::get_array(own, "tasks"))[1]);
  fs::remove(folder_ / "suite.yaml");
  write("suite.json",
        json::to_pretty_text(json::Object{{"version", 1},
                                          {"name", "orders/1"},
                                          {"tools", *json::find(*tools, "tools")},
                                          {"tasks", all}}));
  const auto again = load_suite(folder_.string());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(suite::suite_text(again->suite), suite::suite_text(loaded->suite));
}

TEST_F(SuiteFolder, says_which_levels_people_have_reviewed) {
  EXPECT_TRUE(load_suite(folder_.string())->suite.reviewed().empty());
  change("suite.yaml", "description: A shop.", "reviewed: [easy, hard]");
  const auto reviewed = load_suite(folder_.string());
  ASSERT_TRUE(reviewed) << reviewed.error().message;
  EXPECT_EQ(reviewed->suite.reviewed(),
            (std::set<suite::Difficulty>{suite::Difficulty::easy, suite::Difficulty::hard}));
  change("suite.yaml", "[easy, hard]", "[esay]");
  const auto wrong = load_suite(folder_.string());
  ASSERT_FALSE(wrong);
  EXPECT_NE(
      wrong.error().message.find("suite.yaml:3:12: unknown level 'esay'; did you mean 'easy'?"),
      std::string::npos)
      << wrong.error().message;
}

TEST_F(SuiteFolder, a_changed_task_changes_its_hash_alone) {
  const auto before = load_suite(folder_.string());
  change("refunds.yaml", "damaged on", "damaged to");
  const auto after = load_suite(folder_.string());
  ASSERT_TRUE(before && after);
  EXPECT_NE(after->suite.tasks()[0].hash, before->suite.tasks()[0].hash);
  EXPECT_EQ(after->suite.tasks()[1].hash, before->suite.tasks()[1].hash);
  EXPECT_EQ(after->suite.catalog().version(), before->suite.catalog().version());
}

TEST_F(SuiteFolder, a_mistake_has_its_file_line_and_column) {
  change("refunds.yaml", "number: 4711", "numbr: 4711");
  EXPECT_EQ(error(),
            "refunds.yaml:7:40: task 'refund-1': argument: step 1: 'number' of fetch_order is "
            "missing\n"
            "refunds.yaml:7:48: task 'refund-1': argument: step 1: fetch_order has no parameter "
            "'numbr'; did you mean 'number'?");
}

TEST_F(SuiteFolder, mistakes_of_several_tasks_are_told_at_once) {
  change("refunds.yaml", "type: simple_task", "type: easy_task");
  change("suite.yaml", "{step: 1}", "{step: 9}");
  const std::string found = error();
  EXPECT_NE(found.find("suite.yaml:12:47: task 'inline-1': reference:"), std::string::npos)
      << found;
  EXPECT_NE(found.find("refunds.yaml:3:11: task 'refund-1': type:"), std::string::npos) << found;
}

TEST_F(SuiteFolder, tools_are_checked_before_the_tasks_that_use_them) {
  change("tools.json", "\"integer\"", "\"int\"");
  EXPECT_EQ(
      error(),
      "tools.json:3:95: tool 'fetch_order': schema: 'number': type is \"int\", expected one of: "
      "string, integer, number, boolean (or a list of these)");
  change("tools.json", "\"int\"", "\"integer\"");
  change("tools.json", "[\"order\"]}", "[\"ordr\"]}");
  EXPECT_EQ(
      error(),
      "tools.json:6:59: tool 'note_order': kind: 'order' takes the kind 'ordr', which no tool "
      "makes; did you mean 'order'?");
}

TEST_F(SuiteFolder, names_are_unique) {
  change("refunds.yaml", "id: refund-2", "id: refund-1");
  EXPECT_EQ(error(),
            "refunds.yaml:10:9: task 'refund-1': unique: another task has the id 'refund-1', in " +
                (folder_ / "refunds.yaml").string().substr(folder_.string().size() + 1) + ":2");
  change("tools.json", "\"note_order\"", "\"fetch_order\"");
  EXPECT_NE(error().find("tools.json:4:12: tool 'fetch_order': unique: another tool has the name"),
            std::string::npos)
      << error();
}

TEST_F(SuiteFolder, a_suite_file_says_what_it_lacks) {
  const std::vector<std::vector<std::string_view>> cases = {
      {"name: orders/1",
       "name: orders",
       "suite.yaml:2:7: suite: name: 'orders' is no name of a suite"},
      {"name: orders/1",
       "name: pilot/1",
       "suite.yaml:2:7: suite: name: 'pilot/1' is the built-in suite"},
      {"version: 1", "version: 2", "suite.yaml:1:10: version: this program reads version 1"},
      {"tools: tools.json",
       "tools: []",
       "suite.yaml:4:8: suite: tools: expected a list of tools or the name of a file with one, "
       "found an empty list"},
      {"tools: tools.json", "tools: tool.json", "suite.yaml:4:8: suite: tools: there is no file"},
      {"tools: tools.json",
       "tools: ../tools.json",
       "suite.yaml:4:8: suite: tools: '../tools.json' is not inside the suite's folder"},
      {"tools: tools.json", "tols: tools.json", "unknown key 'tols'; did you mean 'tools'?"},
      {"tools: tools.json",
       "tools: refunds.yaml",
       "refunds.yaml:1:1: file of tools: unknown key 'tasks'"}};
  for (const auto& change_of : cases) {
    write("suite.yaml", kSuite);
    change("suite.yaml", change_of[0], change_of[1]);
    EXPECT_NE(error().find(change_of[2]), std::string::npos) << change_of[1] << "\n" << error();
  }
}

TEST_F(SuiteFolder, unreadable_yaml_has_its_place) {
  write("refunds.yaml", "tasks:\n  - {id: x\n");
  EXPECT_EQ(error().substr(0, 20), "refunds.yaml:2:5: no") << error();
}

TEST_F(SuiteFolder, a_folder_without_a_suite_is_refused) {
  fs::remove(folder_ / "suite.yaml");
  EXPECT_NE(error().find("holds no suite.yaml"), std::string::npos) << error();
  write("suite.yml", kSuite);
  EXPECT_EQ(error(), "");
  write("suite.yaml", kSuite);
  EXPECT_NE(error().find("a suite has one of them"), std::string::npos) << error();
  EXPECT_FALSE(load_suite((folder_ / "nowhere").string()));
}

TEST_F(SuiteFolder, a_campaign_names_it_relative_to_itself) {
  const fs::path campaign = folder_.parent_path() / (folder_.filename().string() + ".yaml");
  std::ofstream(campaign) << "version: 1\nname: x\nsuite: " << folder_.filename().string() << "\n";
  const auto suite = load_suite_of(campaign.string());
  ASSERT_TRUE(suite) << suite.error().message;
  EXPECT_EQ(suite->name(), "orders/1");
  std::ofstream(campaign) << "version: 1\nname: x\nsuite: nowhere\n";
  const auto missing = load_suite_of(campaign.string());
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find(
                ":3:8: suite: expected pilot/1 or the folder of a suite, and there is no folder"),
            std::string::npos)
      << missing.error().message;
  std::ofstream(campaign) << "version: 1\nname: x\n";
  EXPECT_TRUE(load_suite_of(campaign.string())->built_in());
  fs::remove(campaign);
}

TEST_F(SuiteFolder, a_campaign_takes_the_types_and_as_many_tasks_as_there_are) {
  const auto loaded = load_suite(folder_.string());
  ASSERT_TRUE(loaded);
  const auto campaign = parse_campaign(
      campaign_text("scenarios: [baseline]\n"), "c.yaml", loaded->suite, samples::topology());
  ASSERT_TRUE(campaign) << campaign.error().message;
  EXPECT_EQ(campaign->suite_name, "orders/1");
  // Two types, one task each: the rarer type decides.
  EXPECT_EQ(campaign->trial_count(), 2U);
  EXPECT_EQ(campaign_error(loaded->suite, "task_types: [simple_task]\nscenarios: [baseline]\n"),
            "");
}

TEST_F(SuiteFolder, a_campaign_that_asks_for_more_than_there_is_is_refused_with_its_line) {
  const auto loaded = load_suite(folder_.string());
  ASSERT_TRUE(loaded);
  EXPECT_EQ(campaign_error(loaded->suite, "instances: 3\nscenarios: [baseline]\n"),
            "c.yaml:5:1: instances: 3 of each task type, but suite 'orders/1' has only 2 tasks of "
            "type simple_task\n"
            "c.yaml:5:1: instances: 3 of each task type, but suite 'orders/1' has only 1 tasks of "
            "type basic_task");
  EXPECT_EQ(campaign_error(loaded->suite, "difficulty: hard\nscenarios: [baseline]\n"),
            "c.yaml:6:13: difficulty hard: the drawn task refund-2 has no text at this level; it "
            "has: easy");
  EXPECT_EQ(campaign_error(loaded->suite,
                           "difficulty: hard\ntask_types: [basic_task]\nscenarios: [baseline]\n"),
            "");
  const std::string flawed = campaign_error(loaded->suite, "scenarios: [flawed]\n");
  EXPECT_NE(flawed.find("all flaws exist for eligible tasks, which are drawn first: 0 of "
                        "simple_task, 0 of basic_task"),
            std::string::npos)
      << flawed;
}

TEST(NodeJson, reads_scalars_as_json_would) {
  const std::string_view text =
      "[1, -2.5, 1e3, 007, +1, .5, 0x10, true, yes, ~, \"1\", '2', 1.2.3, -, nan]";
  Problems problems("x", text);
  const auto node = parse_yaml(text, problems);
  ASSERT_TRUE(node);
  EXPECT_EQ(json::to_text(to_json(*node)),
            R"([1,-2.5,1000,"007","+1",".5","0x10",true,"yes",null,"1","2","1.2.3","-","nan"])");
}

TEST(NodeJson, finds_the_place_of_a_path_as_far_as_it_exists) {
  const std::string_view text = "a:\n  - {b: 1}\n  - {c: [x, y]}\n";
  Problems problems("x", text);
  const auto node = parse_yaml(text, problems);
  ASSERT_TRUE(node);
  const auto place = [&](std::vector<std::string> path, bool at_key = false) {
    const Mark mark = mark_of_path(*node, path, at_key);
    return fmt::format("{}:{}", mark.line + 1, mark.column + 1);
  };
  EXPECT_EQ(place({"a", "1", "c", "1"}), "3:13");
  EXPECT_EQ(place({"a", "0", "b"}), "2:9");
  EXPECT_EQ(place({"a", "0", "b"}, true), "2:6");
  EXPECT_EQ(place({"a", "0", "z"}), "2:5");
  EXPECT_EQ(place({"a", "7"}), "2:3");
}

}  // namespace sortie::spec
