#include "sortie/suite/suite.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/example_task.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

const Suite& pilot() {
  static const Suite suite = [] {
    auto loaded = Suite::pilot();
    CHECK(loaded.has_value());
    return std::move(*loaded);
  }();
  return suite;
}

std::string file_with(std::string_view tasks) {
  return std::string(R"({"suite": "own/1", "tasks": [)") + std::string(tasks) + "]}";
}

/// The message of loading the example with one part replaced.
std::string problem(std::string_view from, std::string_view to) {
  std::string text(kExampleTask);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  Suite suite("own/1", ToolCatalog::pilot());
  const auto status = suite.add_tasks("own.json", file_with(text));
  return status ? "" : status.error().message;
}

/// Seed, type, the first six positions drawn, a digest over all: finished runs were drawn so.
constexpr std::string_view kDrawnOfPilot =
    R"(0 simple_task 100,28,4,68,15,95 ebd8b80eb2de7c37d841c8cdcdb87ae8
0 basic_task 113,186,146,170,165,181 f674709f6a90e49d6407cb0915d5ad66
0 data_pipeline 287,291,270,293,248,262 4791c65ce3aef38be43137434eb6ef9c
0 api_integration 319,358,387,323,332,329 3659eb7e8d513f20a8de15cb19155541
0 multi_stage_pipeline 503,517,482,468,515,424 17317f5b517b344a874ede68545d3722
1 simple_task 36,31,23,35,98,33 2bbdb7893fed9acf247061a45c1caadb
1 basic_task 207,121,155,139,160,180 e23654f99c85f714eb9812bf22c162dd
1 data_pipeline 246,297,228,282,308,262 12be69130cec122e57d4e14ac9cbe738
1 api_integration 326,388,347,367,418,378 221c130fae8ceaf060c1a13ec8fcea75
1 multi_stage_pipeline 501,491,463,475,487,485 91ebe6edec0eabe06e2b9b86dd1c24c3
4000000007 simple_task 53,16,85,65,100,46 96b174e3aa75bbe29d0b5e8ca820db70
4000000007 basic_task 119,134,125,188,209,165 c320794dc95680354a6b50e123f57de7
4000000007 data_pipeline 217,254,299,257,301,308 5d25f04a94e41aadbe6a4e822a88d40d
4000000007 api_integration 359,320,403,402,385,328 9620e785a4c776184fe78b0750b20029
4000000007 multi_stage_pipeline 460,493,445,482,496,524 da6151fc8b4c611569fa9ca88c46bfeb
)";

}  // namespace

TEST(SuiteFile, a_task_reads_back_as_it_was_written) {
  const ToolCatalog catalog = ToolCatalog::pilot();
  const Task task = example_task(catalog);
  const std::string text = task_file_text("own/1", std::vector<Task>{task});
  Suite suite("own/1", catalog);
  ASSERT_TRUE(suite.add_tasks("own.json", text));
  ASSERT_EQ(suite.tasks().size(), 1U);
  EXPECT_EQ(suite.find("example-001")->hash, task.hash);
  EXPECT_EQ(json::canonical(to_json(suite.tasks()[0])), json::canonical(to_json(task)));
}

TEST(SuiteFile, the_hash_is_of_the_canonical_content) {
  const Task task = example_task(ToolCatalog::pilot());
  EXPECT_EQ(task.hash, content_hash(task));
  Task same = task;
  same.plan[2].arguments["value"] = 200.0;
  EXPECT_EQ(content_hash(same), task.hash);
  for (const auto& change :
       std::vector<void (*)(Task&)>{[](Task& t) { t.id += "x"; },
                                    [](Task& t) { t.type = TaskType::basic_task; },
                                    [](Task& t) { t.texts[3] += "."; },
                                    [](Task& t) { t.plan[0].reason = "other"; },
                                    [](Task& t) { t.plan[2].arguments["value"] = 201; },
                                    [](Task& t) { t.order.pop_back(); },
                                    [](Task& t) { t.goal.required[2].values["value"] = 201; },
                                    [](Task& t) { t.eligible = false; }}) {
    Task other = task;
    change(other);
    EXPECT_NE(content_hash(other), task.hash);
  }
}

TEST(SuiteFile, broken_files_are_refused_with_file_task_and_what_was_expected) {
  EXPECT_EQ(problem("\"example-001\"", "\"\""),
            "own.json: task 1: 'id' has to be a text that is not empty");
  EXPECT_EQ(problem("\"data_pipeline\"", "\"data_pipelin\""),
            "own.json: task 1: example-001: there is no task type 'data_pipelin'; did you mean "
            "'data_pipeline'?");
  EXPECT_EQ(problem("\"eligible\": true", "\"eligible\": 1"),
            "own.json: task 1: example-001: 'eligible' has to be true or false");
  EXPECT_EQ(problem("\"eligible\": true", "\"eligible\": true, \"extra\": 1").substr(0, 57),
            "own.json: task 1: example-001: unknown member 'extra'; ex");
  EXPECT_EQ(problem("\"easy\": \"b\"", "\"easy\": \" \""),
            "own.json: task 1: example-001: texts: 'easy' has to be a text that is not empty");
  EXPECT_EQ(problem("\"easy\": \"b\", ", ""),
            "own.json: task 1: example-001: texts: 'easy' is missing");
  EXPECT_EQ(problem("\"file_operations_reader\"", "\"file_operations_readr\""),
            "own.json: task 1: example-001: plan step 1: there is no tool 'file_operations_readr'; "
            "did you mean "
            "'file_operations_reader'?");
  EXPECT_EQ(problem("\"format\": \"csv\"}", "\"format\": \"cvs\"}"),
            "own.json: task 1: example-001: plan step 2: 'format' is \"cvs\", expected one of: "
            "csv, json, xml, yaml, lines");
  EXPECT_EQ(
      problem(", \"format\": \"csv\"}", "}"),
      "own.json: task 1: example-001: plan step 2: 'format' of data_processing_parser is missing");
  EXPECT_EQ(problem("{\"source\": {\"$step\": 0}", "{\"source\": {\"$step\": 1}"),
            "own.json: task 1: example-001: plan step 2: 'source' has to name an earlier step as "
            "{\"$step\": k}, k from 0 to 0");
  EXPECT_EQ(problem("{\"source\": {\"$step\": 2}", "{\"source\": {\"$step\": 0}"),
            "own.json: task 1: example-001: plan step 4: 'source' names a step of kind raw, which "
            "it does not take");
  EXPECT_EQ(problem("[0, 1], ", "[1, 0], "),
            "own.json: task 1: example-001: order: each pair has to be two positions of the plan, "
            "the earlier one first");
  EXPECT_EQ(
      problem("[0, 1], ", "[0, 9], "),
      "own.json: task 1: example-001: order: expected a list of whole numbers from 0, below 5");
  EXPECT_EQ(
      problem("[0, 1], ", "[0, 1.5], "),
      "own.json: task 1: example-001: order: expected a list of whole numbers from 0, below 5");
  EXPECT_EQ(problem("\"inputs\": [3]", "\"inputs\": [4]"),
            "own.json: task 1: example-001: goal operation 5: inputs: expected a list of whole "
            "numbers from 0, below 4");
  EXPECT_EQ(problem("\"inputs\": [3]", "\"inputs\": [2]"),
            "own.json: task 1: example-001: goal: operation 4 (data_processing_aggregator) does "
            "not lead to the last one");
  EXPECT_EQ(problem("{\"format\": \"csv\"}, \"inputs\"", "{\"fmt\": \"csv\"}, \"inputs\""),
            "own.json: task 1: example-001: goal operation 2: data_processing_parser has no "
            "parameter 'fmt'; expected one of: source, format");
}

TEST(SuiteFile, a_wrong_suite_a_syntax_error_and_a_taken_id_are_refused_and_add_nothing) {
  Suite suite("own/1", ToolCatalog::pilot());
  EXPECT_EQ(suite.add_tasks("a.json", R"({"suite": "other/1", "tasks": []})").error().message,
            "a.json: 'suite' is 'other/1', expected 'own/1'");
  EXPECT_NE(suite.add_tasks("a.json", "{").error().message.find("a.json"), std::string::npos);
  EXPECT_EQ(suite.add_tasks("a.json", R"({"suite": "own/1"})").error().message,
            "a.json: 'tasks' has to be a list of tasks");
  const std::string twice = std::string(kExampleTask) + "," + std::string(kExampleTask);
  EXPECT_EQ(suite.add_tasks("a.json", file_with(twice)).error().message,
            "a.json: task 2: the id 'example-001' is taken");
  EXPECT_TRUE(suite.tasks().empty());
  EXPECT_EQ(suite.find("example-001"), nullptr);
  ASSERT_TRUE(suite.add_tasks("a.json", file_with(kExampleTask)));
  EXPECT_FALSE(suite.add_tasks("b.json", file_with(kExampleTask)));
  EXPECT_EQ(suite.tasks().size(), 1U);
}

TEST(PilotSuite, has_a_hundred_eligible_tasks_of_every_type) {
  EXPECT_EQ(pilot().name(), "pilot/1");
  for (const TaskType type : kTaskTypes) {
    EXPECT_GE(pilot().eligible(type), 100U) << to_string(type);
  }
  for (const Task& task : pilot().tasks()) {
    EXPECT_EQ(pilot().find(task.id), &task);
  }
  EXPECT_EQ(pilot().find("simple_task-0001"), nullptr);
}

TEST(PilotSuite, plans_have_the_length_of_their_type) {
  const std::map<TaskType, std::pair<std::size_t, std::size_t>> lengths = {
      {TaskType::simple_task, {3, 3}},
      {TaskType::basic_task, {3, 4}},
      {TaskType::data_pipeline, {3, 5}},
      {TaskType::api_integration, {3, 5}},
      {TaskType::multi_stage_pipeline, {4, 6}}};
  for (const Task& task : pilot().tasks()) {
    EXPECT_GE(task.plan.size(), lengths.at(task.type).first) << task.id;
    EXPECT_LE(task.plan.size(), lengths.at(task.type).second) << task.id;
  }
}

TEST(PilotSuite, every_multi_stage_task_has_a_branch_that_joins) {
  for (const Task& task : pilot().tasks()) {
    const bool joins = std::ranges::any_of(task.goal.required,
                                           [](const Required& r) { return r.inputs.size() == 2; });
    EXPECT_EQ(joins, task.type == TaskType::multi_stage_pipeline) << task.id;
  }
}

TEST(PilotSuite, results_are_short_and_the_same_in_every_trial) {
  for (const Task& task : pilot().tasks()) {
    const Execution once = execute_literally(pilot().catalog(), task, task.plan);
    const Execution lucky =
        execute(pilot().catalog(), task, task.plan, Luck(99, task.hash, 3, 1.0));
    for (std::size_t i = 0; i < once.world.calls().size(); ++i) {
      const std::string text = json::to_text(once.world.calls()[i].result.value);
      EXPECT_LE(text.size(), 400U) << task.id << " " << text;
      EXPECT_EQ(text, json::to_text(lucky.world.calls()[i].result.value)) << task.id;
    }
  }
}

TEST(PilotSuite, a_retrying_agent_solves_every_task_at_rate_0_6) {
  for (const Task& task : pilot().tasks()) {
    World world(pilot().catalog(), task, Luck(1, task.hash, 0, 0.6));
    std::vector<std::string> artifacts;
    for (const Step& step : task.plan) {
      CallResult result;
      do {
        result = world.call(step.tool, bound_arguments(step, artifacts));
      } while (result.status == CallStatus::injected);
      artifacts.push_back(result.artifact);
    }
    EXPECT_TRUE(world.goal_met()) << task.id;
    EXPECT_TRUE(world.clean()) << task.id;
  }
}

TEST(Draw, gives_distinct_eligible_tasks_of_the_type) {
  for (const TaskType type : kTaskTypes) {
    const auto drawn = pilot().draw(7, type, pilot().eligible(type));
    EXPECT_EQ(std::set<std::size_t>(drawn.begin(), drawn.end()).size(), drawn.size());
    for (const std::size_t position : drawn) {
      EXPECT_EQ(pilot().tasks()[position].type, type);
      EXPECT_TRUE(pilot().tasks()[position].eligible);
    }
  }
}

TEST(Draw, a_larger_count_contains_the_smaller_in_the_same_order) {
  const auto all = pilot().draw(7, TaskType::data_pipeline, 100);
  for (const std::size_t count : {0U, 1U, 20U, 60U}) {
    const auto some = pilot().draw(7, TaskType::data_pipeline, count);
    ASSERT_EQ(some.size(), count);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()));
  }
}

TEST(Draw, is_keyed_by_seed_and_type) {
  EXPECT_EQ(pilot().draw(1, TaskType::simple_task, 20), pilot().draw(1, TaskType::simple_task, 20));
  EXPECT_NE(pilot().draw(1, TaskType::simple_task, 20), pilot().draw(2, TaskType::simple_task, 20));
}

TEST(Draw, no_sequence_occurs_more_than_three_times_among_twenty) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (const TaskType type : kTaskTypes) {
      std::map<std::string, int> counts;
      for (const std::size_t position : pilot().draw(seed, type, 20)) {
        EXPECT_LE(++counts[operation_sequence(pilot().tasks()[position])], 3);
      }
    }
  }
}

TEST(Draw, the_drawn_tasks_of_pilot_1_never_change) {
  std::string found;
  for (const std::uint64_t seed : {0U, 1U, 4'000'000'007U}) {
    for (const TaskType type : kTaskTypes) {
      const auto drawn = pilot().draw(seed, type, pilot().available(type));
      std::string all;
      for (const std::size_t position : drawn) {
        all += fmt::format("{} ", position);
      }
      found += fmt::format("{} {} {} {}\n",
                           seed,
                           to_string(type),
                           fmt::join(drawn.begin(), drawn.begin() + 6, ","),
                           base::digest_of(all).hex());
    }
  }
  EXPECT_EQ(found, kDrawnOfPilot);
}

TEST(Draw, balance_gives_way_when_a_suite_has_too_few_sequences) {
  Suite suite("own/1", ToolCatalog::pilot());
  std::string tasks;
  for (int i = 0; i < 10; ++i) {
    std::string task(kExampleTask);
    task.replace(task.find("example-001"), 11, "example-" + std::to_string(100 + i));
    tasks += (i == 0 ? "" : ",") + task;
  }
  ASSERT_TRUE(suite.add_tasks("own.json", file_with(tasks)));
  const auto drawn = suite.draw(1, TaskType::data_pipeline, 10);
  EXPECT_EQ(std::set<std::size_t>(drawn.begin(), drawn.end()).size(), 10U);
}

TEST(Draw, a_task_that_is_not_eligible_is_never_drawn) {
  Suite suite("own/1", ToolCatalog::pilot());
  std::string task(kExampleTask);
  task.replace(task.find("\"eligible\": true"), 16, "\"eligible\": false");
  ASSERT_TRUE(suite.add_tasks("own.json", file_with(task)));
  EXPECT_EQ(suite.eligible(TaskType::data_pipeline), 0U);
  EXPECT_TRUE(suite.draw(1, TaskType::data_pipeline, 0).empty());
}

}  // namespace sortie::suite
