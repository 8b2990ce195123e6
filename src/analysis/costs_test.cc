#include "sortie/analysis/costs.h"

#include "sortie/analysis/report_data.h"
#include "sortie/analysis/speeds.h"
#include "sortie/analysis/test_run.h"
#include "sortie/base/json.h"

#include <string>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

TEST(Costs, count_attempts_without_a_known_bill_as_reserved) {
  TestRun run;
  const auto optimal = run.cell("m", "optimal", "baseline", 2);
  const auto plain = run.cell("m", "baseline", "baseline", 1);
  run.scored(optimal, "simple-1", true);  // 4 micro-dollars over e/k/m
  run.unknown_attempt("e/k2/a/b", 700);
  run.scored(plain, "simple-1", true);
  const auto costs = read_costs(*run.reader());
  ASSERT_TRUE(costs.has_value()) << costs.error().message;
  EXPECT_EQ(costs->total.attempts, 3U);
  EXPECT_EQ(costs->total.unknown, 1U);
  EXPECT_EQ(costs->total.cost, 708);
  EXPECT_EQ(costs->total.reserved, 700);
  ASSERT_EQ(costs->models.size(), 1U);
  EXPECT_EQ(costs->models[0].cost, 708);

  ASSERT_EQ(costs->keys.size(), 2U);
  EXPECT_EQ(costs->keys[0].name, "e/k");
  EXPECT_EQ(costs->keys[0].cost, 8);
  EXPECT_EQ(costs->keys[1].name, "e/k2") << "an API name may hold a slash";
  EXPECT_EQ(costs->keys[1].input_tokens, 100);

  ASSERT_EQ(costs->cells.size(), 2U);
  EXPECT_EQ(costs->cells[0].name, "m, baseline, easy, rate 0.8, text");
  EXPECT_EQ(costs->cells[0].cost, 4);
  EXPECT_EQ(costs->cells[1].cost, 704);
}

TEST(Costs, agree_as_json_and_as_a_table) {
  TestRun run;
  run.scored(run.cell("m", "optimal", "baseline", 1), "simple-1", true);
  const auto costs = read_costs(*run.reader());
  ASSERT_TRUE(costs.has_value()) << costs.error().message;
  const json::Value document = to_json(*costs);
  EXPECT_EQ(json::get_int(document.at("total"), "cost_micro_usd"), 4);
  EXPECT_EQ(json::get_string(document.at("keys").at(0), "key"), "e/k");
  const std::string table = to_text(cost_table("key", costs->keys, Language::english));
  EXPECT_NE(table.find("e/k"), std::string::npos);
  EXPECT_NE(table.find("0.0000"), std::string::npos) << table;
}

TEST(Speeds, of_every_start_stand_in_one_table) {
  TestRun run;
  run.scored(run.cell("m", "optimal", "baseline", 1), "simple-1", true);
  run.event("run_speed",
            "t",
            R"({"seconds": 4, "bound_seconds": 1, "fraction": 0.25, "domain": "", "limit": "",
                "lost_seconds": {}})");
  run.event("run_speed",
            "t",
            R"({"seconds": 20, "bound_seconds": 19, "fraction": 0.95, "domain": "a/k",
                "limit": "requests", "lost_seconds": {"ramp": 0.25, "tail": 0.75}})");
  const auto speeds = read_speeds(*run.reader());
  ASSERT_TRUE(speeds.has_value()) << speeds.error().message;
  ASSERT_EQ(speeds->size(), 2U);
  const ResultTable table = speed_table(*speeds, Language::english);
  for (const Row& row : table.rows) {
    EXPECT_EQ(row.values.size(), table.columns.size());
  }
  const std::string text = to_text(table);
  EXPECT_NE(text.find("95.0 %"), std::string::npos) << text;
  EXPECT_NE(text.find("requests of a/k"), std::string::npos) << text;
  EXPECT_NE(text.find("the longest dialogue"), std::string::npos) << text;
  EXPECT_NE(text.find("0.75"), std::string::npos) << text;
}

TEST(Events, say_who_changed_what_and_why) {
  TestRun run;
  run.scored(run.cell("m", "optimal", "baseline", 1), "simple-1", true);
  run.event("control",
            "alpha/key-1",
            R"j({"action": "disable", "author": "ada (uid 7)", "reason": "leaked",
                 "changes": ["route a disabled", "route b disabled"]})j");
  run.event("control", "run", "no JSON");
  const auto data = collect_report(*run.reader(), {.tables = false});
  ASSERT_TRUE(data.has_value()) << data.error().message;
  ASSERT_EQ(data->events.size(), 2U);
  EXPECT_EQ(data->events[0], " route a disabled; route b disabled by ada (uid 7): leaked");
  EXPECT_EQ(data->events[1], " control run no JSON");
}

}  // namespace
}  // namespace sortie::analysis
