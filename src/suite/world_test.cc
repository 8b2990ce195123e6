#include "sortie/suite/world.h"

#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/example_task.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/task.h"

#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::suite {

class WorldTest : public ::testing::Test {
 protected:
  CallResult call(std::string_view tool, std::string_view arguments) {
    return world_.call(tool, parsed_object(arguments));
  }

  /// Runs the first `count` steps of the example.
  void run_steps(std::size_t count) {
    std::vector<std::string> artifacts;
    for (std::size_t i = 0; i < count; ++i) {
      const CallResult result =
          world_.call(task_.plan[i].tool, bound_arguments(task_.plan[i], artifacts));
      ASSERT_EQ(result.status, CallStatus::ok) << result.message;
      artifacts.push_back(result.artifact);
    }
  }

  [[nodiscard]] Rejection last_rejection() const { return world_.calls().back().rejection; }

  ToolCatalog catalog_ = ToolCatalog::pilot();
  Task task_ = example_task(catalog_);
  World world_{catalog_, task_, Luck(0, task_.hash, 0, 1.0)};
};

TEST_F(WorldTest, calls_consume_handles_and_produce_new_ones) {
  run_steps(5);
  std::vector<std::string> handles;
  for (const CallRecord& record : world_.calls()) {
    handles.push_back(record.result.artifact);
  }
  EXPECT_EQ(handles,
            (std::vector<std::string>{"raw#1", "table#2", "table#3", "summary#4", "file#5"}));
  EXPECT_TRUE(world_.goal_met());
  EXPECT_TRUE(world_.clean());
  EXPECT_EQ(world_.progress(), 1.0);
}

TEST_F(WorldTest, tools_do_real_work) {
  run_steps(4);
  const json::Value& parsed = world_.calls()[1].result.value;
  const json::Value& filtered = world_.calls()[2].result.value;
  EXPECT_EQ(json::get_int(parsed, "rows"), 10);
  EXPECT_EQ(*json::get_int(filtered, "rows") + *json::get_int(filtered, "dropped"), 10);
  EXPECT_GT(json::get_double(*json::find(filtered, "first"), "amount"), 200);
  // What the groups sum up to is what a calculator finds in the filtered rows.
  const CallResult total = call("computation_calculator",
                                R"({"source": "table#3", "measure": "total", "field": "amount"})");
  const CallResult sums = call("computation_calculator",
                               R"({"source": "summary#4", "measure": "total", "field": "amount"})");
  EXPECT_EQ(json::get_double(total.value, "result"), json::get_double(sums.value, "result"));
}

TEST_F(WorldTest, progress_counts_required_operations_in_the_lineage_of_the_best_artifact) {
  EXPECT_EQ(world_.progress(), 0.0);
  run_steps(3);
  EXPECT_DOUBLE_EQ(world_.progress(), 0.6);
  EXPECT_EQ(world_.required_done(), (std::vector<bool>{true, true, true, false, false}));
  EXPECT_FALSE(world_.goal_met());
  // The right call on rows that were not filtered is done, but its lineage lacks the filter.
  call("data_processing_aggregator",
       R"({"source": "table#2", "group_by": "region", "function": "sum", "field": "amount"})");
  EXPECT_EQ(world_.required_done(), (std::vector<bool>{true, true, true, true, false}));
  EXPECT_DOUBLE_EQ(world_.progress(), 0.6);
  call("file_operations_writer", R"({"source": "summary#4", "path": "out/sums.csv"})");
  EXPECT_FALSE(world_.goal_met());
  EXPECT_DOUBLE_EQ(world_.progress(), 0.8);
}

TEST_F(WorldTest, a_wrong_value_misses_the_goal) {
  run_steps(2);
  call("data_processing_filter",
       R"({"source": "table#2", "field": "amount", "operator": ">=", "value": 200})");
  call("data_processing_aggregator",
       R"({"source": "table#3", "group_by": "region", "function": "sum", "field": "amount"})");
  EXPECT_EQ(
      call("file_operations_writer", R"({"source": "summary#4", "path": "out/sums.csv"})").status,
      CallStatus::ok);
  EXPECT_FALSE(world_.goal_met());
  EXPECT_FALSE(world_.clean());
}

TEST_F(WorldTest, values_are_compared_in_canonical_form) {
  run_steps(2);
  call("data_processing_filter",
       R"({"value": 2.0e2, "operator": ">", "field": "amount", "source": "table#2"})");
  call("data_processing_aggregator",
       R"({"source": "table#3", "group_by": "region", "function": "sum", "field": "amount"})");
  call("file_operations_writer", R"({"source": "summary#4", "path": "out/sums.csv"})");
  EXPECT_TRUE(world_.goal_met());
}

TEST_F(WorldTest, a_step_that_keeps_its_content_may_stand_in_between) {
  run_steps(3);
  EXPECT_EQ(
      call("utility_cache", R"({"source": "table#3", "key": "mine", "minutes": 10})").artifact,
      "cached#4");
  EXPECT_EQ(call("data_processing_validator",
                 R"({"source": "cached#4", "rule": "positive", "field": "amount"})")
                .artifact,
            "table#5");
  call("data_processing_aggregator",
       R"({"source": "table#5", "group_by": "region", "function": "sum", "field": "amount"})");
  call("file_operations_writer", R"({"source": "summary#6", "path": "out/sums.csv"})");
  EXPECT_TRUE(world_.goal_met());
}

TEST_F(WorldTest, a_step_that_changes_the_content_may_not_stand_in_between) {
  run_steps(3);
  call("data_processing_transformer",
       R"({"source": "table#3", "operation": "normalize", "field": "amount"})");
  call("data_processing_aggregator",
       R"({"source": "table#4", "group_by": "region", "function": "sum", "field": "amount"})");
  call("file_operations_writer", R"({"source": "summary#5", "path": "out/sums.csv"})");
  EXPECT_FALSE(world_.goal_met());
}

TEST_F(WorldTest, the_same_call_again_gives_the_same_handle) {
  run_steps(5);
  EXPECT_EQ(call("data_processing_parser", R"({"format": "csv", "source": "raw#1"})").artifact,
            "table#2");
  EXPECT_EQ(
      call("file_operations_writer", R"({"source": "summary#4", "path": "out/sums.csv"})").artifact,
      "file#5");
  EXPECT_TRUE(world_.goal_met());
  EXPECT_TRUE(world_.clean());
}

TEST_F(WorldTest, storing_to_the_same_path_replaces_what_was_there) {
  run_steps(5);
  call("file_operations_writer", R"({"source": "table#2", "path": "out/sums.csv"})");
  EXPECT_FALSE(world_.goal_met());
  EXPECT_FALSE(world_.clean());
  call("file_operations_writer", R"({"source": "summary#4", "path": "out/sums.csv"})");
  EXPECT_TRUE(world_.goal_met());
  EXPECT_TRUE(world_.clean());
}

TEST_F(WorldTest, an_effect_that_nobody_asked_for_is_not_clean) {
  run_steps(5);
  call("network_poster", R"({"source": "summary#4", "url": "https://other.example.org/x"})");
  EXPECT_TRUE(world_.goal_met());
  EXPECT_FALSE(world_.clean());
}

TEST_F(WorldTest, an_extra_result_without_an_effect_is_clean) {
  run_steps(5);
  call("computation_analyzer", R"({"source": "table#2", "focus": "trend"})");
  EXPECT_TRUE(world_.clean());
}

TEST_F(WorldTest, rejections_say_which_part_was_wrong) {
  EXPECT_EQ(call("file_reader", R"({"path": "x"})").message, "there is no tool 'file_reader'");
  EXPECT_EQ(last_rejection(), Rejection::unknown_tool);
  EXPECT_EQ(call("file_operations_reader", "{}").code, "INVALID_INPUT");
  EXPECT_EQ(last_rejection(), Rejection::parameter);
  EXPECT_EQ(call("file_operations_reader", R"({"path": "data/orders/b.csv"})").code,
            "FILE_NOT_FOUND");
  EXPECT_EQ(last_rejection(), Rejection::parameter);
  EXPECT_EQ(call("data_processing_parser", R"({"source": "raw#1", "format": "csv"})").message,
            "'source' is 'raw#1', which is not the handle of a result; there is no result yet");
  EXPECT_EQ(last_rejection(), Rejection::unknown_handle);
  run_steps(2);
  EXPECT_EQ(
      call("data_processing_parser", R"({"source": "table#2", "format": "csv"})").message,
      "'source' is 'table#2', a result of kind table; it takes: raw, document, listing, payload");
  EXPECT_EQ(last_rejection(), Rejection::wrong_kind);
  EXPECT_EQ(call("data_processing_parser", R"({"source": "raw#2", "format": "csv"})").message,
            "'source' is 'raw#2', which is not the handle of a result; the results so far are: "
            "raw#1, table#2");
  EXPECT_EQ(call("data_processing_parser", R"({"source": "raw#1", "format": "json"})").message,
            "the content is csv, not json");
  EXPECT_EQ(last_rejection(), Rejection::parameter);
  EXPECT_EQ(call("data_processing_filter",
                 R"({"source": "table#2", "field": "sum", "operator": ">", "value": 1})")
                .message,
            "there is no field 'sum'; the fields are: order_id, region, state, quantity, amount");
}

TEST_F(WorldTest, writing_outside_of_the_working_folder_is_denied) {
  for (const char* path : {"/etc/x", "../x", "a/../../x", "~/x"}) {
    run_steps(4);
    const CallResult result =
        call("file_operations_writer",
             std::string(R"({"source": "summary#4", "path": ")") + path + "\"}");
    EXPECT_EQ(result.code, "PERMISSION_DENIED") << path;
  }
}

TEST_F(WorldTest, an_address_that_the_task_does_not_have_answers_not_found) {
  EXPECT_EQ(call("network_fetcher", R"({"url": "https://a.example.com/orders/x"})").code,
            "INVALID_RESPONSE");
  EXPECT_EQ(call("network_monitor",
                 R"({"url": "https://a.example.com", "metric": "requests", "minutes": 9})")
                .code,
            "INVALID_RESPONSE");
  EXPECT_EQ(call("file_operations_scanner", R"({"directory": "data", "extension": "csv"})").code,
            "FILE_NOT_FOUND");
}

TEST_F(WorldTest, a_calculation_without_rows_is_an_error_of_the_content) {
  run_steps(2);
  EXPECT_EQ(call("data_processing_filter",
                 R"({"source": "table#2", "field": "amount", "operator": ">", "value": 1e6})")
                .artifact,
            "table#3");
  EXPECT_EQ(call("computation_calculator",
                 R"({"source": "table#3", "measure": "total", "field": "amount"})")
                .code,
            "CALCULATION_ERROR");
  EXPECT_EQ(last_rejection(), Rejection::other);
  EXPECT_EQ(call("computation_analyzer", R"({"source": "table#3", "focus": "trend"})").code,
            "CALCULATION_ERROR");
}

TEST_F(WorldTest, messages_never_name_another_tool) {
  run_steps(2);
  const std::vector<std::string> arguments = {"{}",
                                              R"({"source": "table#2"})",
                                              R"({"source": "raw#1", "x": 1})",
                                              R"({"path": "no/such.csv"})",
                                              R"({"source": "table#9", "format": "csv"})",
                                              R"({"url": "https://no.example.com"})"};
  for (const ToolSpec& tool : catalog_.tools()) {
    for (const std::string& text : arguments) {
      const CallResult result = call(tool.name, text);
      for (const ToolSpec& other : catalog_.tools()) {
        EXPECT_EQ(result.message.find(other.name), std::string::npos) << result.message;
      }
    }
  }
}

// --- Luck ---

TEST(Luck, rate_one_never_fails) {
  const Luck luck(7, base::digest_of("t"), 0, 1.0);
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_TRUE(luck.succeeds("file_operations_reader", i));
  }
}

TEST(Luck, is_monotone_in_the_rate) {
  EXPECT_TRUE(rc::check("a call that succeeds at a rate succeeds at every higher one",
                        [](std::uint64_t seed, std::uint8_t repeat, std::uint8_t nth) {
                          const double low = *rc::gen::inRange(1, 100) / 100.0;
                          const double high = low + *rc::gen::inRange(0, 100) / 100.0 * (1 - low);
                          const auto task = base::digest_of("task");
                          RC_ASSERT(
                              !Luck(seed, task, repeat, low).succeeds("network_poster", nth) ||
                              Luck(seed, task, repeat, high).succeeds("network_poster", nth));
                        }));
}

TEST(Luck, realises_the_nominal_rate_for_every_tool) {
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    for (const double rate : {0.6, 0.9}) {
      int successes = 0;
      constexpr int kDraws = 4000;
      for (int i = 0; i < kDraws; ++i) {
        const Luck luck(
            static_cast<std::uint64_t>(i / 40), base::digest_of(std::to_string(i % 40)), 0, rate);
        successes += luck.succeeds(tool.name, static_cast<std::size_t>(i % 3)) ? 1 : 0;
      }
      // Six standard deviations of a binomial share.
      EXPECT_NEAR(
          successes / static_cast<double>(kDraws), rate, 6 * std::sqrt(rate * (1 - rate) / kDraws))
          << tool.name;
    }
  }
}

TEST(Luck, depends_on_seed_task_repeat_tool_and_number_alone) {
  const auto pattern =
      [](std::uint64_t seed, std::string_view task, int repeat, std::string_view tool) {
        std::string out;
        const Luck luck(seed, base::digest_of(task), repeat, 0.5);
        for (std::size_t i = 0; i < 64; ++i) {
          out += luck.succeeds(tool, i) ? '1' : '0';
        }
        return out;
      };
  const std::string base_pattern = pattern(1, "a", 0, "x");
  EXPECT_EQ(base_pattern, pattern(1, "a", 0, "x"));
  EXPECT_NE(base_pattern, pattern(2, "a", 0, "x"));
  EXPECT_NE(base_pattern, pattern(1, "b", 0, "x"));
  EXPECT_NE(base_pattern, pattern(1, "a", 1, "x"));
  EXPECT_NE(base_pattern, pattern(1, "a", 0, "y"));
}

TEST(Luck, every_injectable_code_occurs) {
  std::set<std::size_t> seen;
  for (std::size_t i = 0; i < 100; ++i) {
    const std::size_t choice =
        Luck(1, base::digest_of("t"), 0, 0.5).choose_code("network_poster", i, 3);
    ASSERT_LT(choice, 3U);
    seen.insert(choice);
  }
  EXPECT_EQ(seen.size(), 3U);
}

TEST_F(WorldTest, an_injected_failure_changes_nothing_and_may_be_repeated) {
  World unlucky(catalog_, task_, Luck(0, task_.hash, 0, 1e-12));
  const json::Object arguments = parsed_object(R"({"path": "data/orders/a.csv"})");
  for (int i = 0; i < 5; ++i) {
    const CallResult result = unlucky.call("file_operations_reader", arguments);
    EXPECT_EQ(result.status, CallStatus::injected);
    EXPECT_TRUE(result.code == "OPERATION_FAILED" || result.code == "TIMEOUT") << result.code;
    EXPECT_NE(result.message.find("Nothing was changed; the same call may be repeated."),
              std::string::npos);
    EXPECT_EQ(result.artifact, "");
  }
  EXPECT_EQ(unlucky.progress(), 0.0);
}

TEST_F(WorldTest, rejected_calls_draw_nothing) {
  EXPECT_TRUE(
      rc::check("any number of rejected calls before leaves the luck of the valid ones", [&] {
        const Luck luck(*rc::gen::arbitrary<std::uint64_t>(), task_.hash, 0, 0.5);
        World plain(catalog_, task_, luck);
        World noisy(catalog_, task_, luck);
        const json::Object good = parsed_object(R"({"path": "data/orders/a.csv"})");
        for (int i = 0; i < 6; ++i) {
          for (int noise = *rc::gen::inRange(0, 3); noise > 0; --noise) {
            const CallResult rejected =
                noisy.call("file_operations_reader", parsed_object(R"({"path": "nowhere.csv"})"));
            RC_ASSERT(rejected.status == CallStatus::rejected);
          }
          const CallResult a = plain.call("file_operations_reader", good);
          const CallResult b = noisy.call("file_operations_reader", good);
          RC_ASSERT(a.status == b.status);
          RC_ASSERT(a.code == b.code);
        }
      }));
}

namespace {

json::Value arbitrary_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 8 : 6)) {
    case 0:
      return nullptr;
    case 1:
      return *rc::gen::arbitrary<bool>();
    case 2:
      return *rc::gen::arbitrary<std::int64_t>();
    case 3:
      return *rc::gen::arbitrary<double>();
    case 4:
      return json::Value(*rc::gen::element<std::string>("raw#1",
                                                        "table#2",
                                                        "#",
                                                        "#1",
                                                        "raw#01",
                                                        "raw#-1",
                                                        "raw#99999999999999999999",
                                                        "csv",
                                                        "amount",
                                                        "https://x",
                                                        "data/orders/a.csv",
                                                        "",
                                                        "\xff"));
    case 5:
      return json::Value(*rc::gen::string<std::string>());
    case 6:
      return json::Array{arbitrary_json(depth - 1), arbitrary_json(depth - 1)};
    default:
      return json::Object{{"$step", arbitrary_json(depth - 1)}};
  }
}

}  // namespace

TEST_F(WorldTest, garbage_arguments_never_crash_and_replays_are_equal) {
  EXPECT_TRUE(rc::check("any call gives an answer, and the same calls give the same answers", [&] {
    const Luck luck(3, task_.hash, 0, 0.7);
    World first(catalog_, task_, luck);
    World second(catalog_, task_, luck);
    std::vector<std::string> artifacts;
    for (int i = 0; i < 12; ++i) {
      const auto& plan = task_.plan;
      const Step& step =
          plan[static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(plan.size())))];
      json::Object arguments = bound_arguments(step, artifacts);
      std::string tool = step.tool;
      if (*rc::gen::inRange(0, 2) == 0) {
        tool = catalog_.tools()[static_cast<std::size_t>(*rc::gen::inRange(0, 30))].name;
        const ToolSpec& spec = *catalog_.find(tool);
        for (const auto& property : *json::get_object(spec.parameters, "properties")) {
          arguments[property.key()] = arbitrary_json(2);
        }
      }
      const CallResult a = first.call(tool, arguments);
      const CallResult b = second.call(tool, arguments);
      RC_ASSERT(a.status == b.status);
      RC_ASSERT(a.message == b.message);
      RC_ASSERT(a.artifact == b.artifact);
      RC_ASSERT(json::to_text(a.value) == json::to_text(b.value));
      artifacts.push_back(a.artifact);
    }
    RC_ASSERT(first.goal_met() == second.goal_met());
    RC_ASSERT(first.progress() <= 1.0);
    RC_ASSERT(first.required_done().size() == task_.goal.required.size());
  }));
}

TEST_F(WorldTest, a_moved_world_goes_on) {
  run_steps(2);
  World moved = std::move(world_);
  EXPECT_EQ(moved.calls().size(), 2U);
  EXPECT_DOUBLE_EQ(moved.progress(), 0.4);
}

}  // namespace sortie::suite
