#include "sortie/analysis/run_suite.h"

#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/suite/suite.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::analysis {

namespace {

constexpr const char* kSuite = R"({"suite": "own/1", "tools": [
 {"name": "make", "description": "Makes it.", "kind": "thing",
  "parameters": {"properties": {"size": {"type": "integer"}}}},
 {"name": "ship", "description": "Ships it.", "kind": "parcel",
  "parameters": {"required": ["thing"], "properties": {"thing": {"x-artifact": ["thing"]}}}}],
 "tasks": [{"id": "t-1", "type": "simple_task", "texts": {"easy": "Make size 3 and ship it."},
  "plan": [{"tool": "make", "arguments": {"size": 3}, "reason": "r"},
           {"tool": "ship", "arguments": {"thing": {"$step": 0}}, "reason": "r"}],
  "order": [[0, 1]],
  "goal": [{"tool": "make", "values": {"size": 3}, "inputs": []},
           {"tool": "ship", "values": {}, "inputs": [0]}],
  "eligible": false}]})";

/// The suite of a run whose manifest holds these entries.
base::Result<suite::Suite> suite_with(
    const std::vector<std::pair<std::string, std::string>>& entries) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "run-suite" /
      testing::UnitTest::GetInstance()->current_test_info()->name();
  std::filesystem::remove_all(folder);
  {
    auto ledger = ledger::Ledger::open(folder.string(), {}, {});
    EXPECT_TRUE(ledger);
    for (const auto& [name, value] : entries) {
      (*ledger)->append(ledger::ManifestRecord{.generation = 1, .name = name, .value = value});
    }
    EXPECT_TRUE((*ledger)->flush());
  }
  auto reader = ledger::Reader::open(folder.string());
  EXPECT_TRUE(reader);
  return suite_of(**reader);
}

}  // namespace

TEST(RunSuite, of_a_run_that_names_none_is_the_built_in_one) {
  const auto suite = suite_with({});
  ASSERT_TRUE(suite);
  EXPECT_TRUE(suite->built_in());
}

TEST(RunSuite, of_a_user_comes_from_the_run_itself) {
  const auto suite = suite_with({{"suite", "own/1"}, {"suite_text", kSuite}});
  ASSERT_TRUE(suite) << suite.error().message;
  EXPECT_EQ(suite->name(), "own/1");
  EXPECT_NE(suite->find("t-1"), nullptr);
}

TEST(RunSuite, that_the_run_does_not_hold_is_an_error_and_never_another_one) {
  const auto suite = suite_with({{"suite", "own/1"}});
  ASSERT_FALSE(suite);
  EXPECT_EQ(suite.error().message, "the run was made with suite 'own/1' and does not hold it");
}

}  // namespace sortie::analysis
