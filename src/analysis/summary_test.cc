#include "sortie/analysis/summary.h"

#include "sortie/analysis/report.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/test_run.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

Summary summary_of(TestRun& run) {
  auto summary = summarize(*run.reader());
  EXPECT_TRUE(summary.has_value()) << summary.error().message;
  return std::move(summary).value();
}

TEST(Summary, infrastructure_outcomes_are_in_no_denominator) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 10);
  for (int i = 0; i < 6; ++i) {
    run.scored(cell, "simple-" + std::to_string(i), i < 3);
  }
  run.lost(cell, "simple-6", "throttled");
  run.lost(cell, "simple-7", "timeout");
  const Summary summary = summary_of(run);
  ASSERT_EQ(summary.cells.size(), 1U);
  const CellSummary& only = summary.cells[0];
  EXPECT_EQ(only.tally.scored, 6U);
  EXPECT_DOUBLE_EQ(only.tally.success_rate(), 0.5);
  EXPECT_EQ(only.lost_total(), 2U);
  EXPECT_EQ(only.open, 2U);
  EXPECT_FALSE(only.complete());
  EXPECT_EQ(only.tally.labels.at("early_finish"), 3U);
  // planned = scored + lost + open
  EXPECT_EQ(only.planned, only.tally.scored + only.lost_total() + only.open);
}

TEST(Summary, pools_over_shared_tasks_by_a_bootstrap_and_one_type_by_wilson) {
  TestRun run;
  const auto optimal = run.cell("m", "optimal", "baseline,prompts", 20);
  const auto cot = run.cell("m", "cot", "prompts", 20);
  for (int i = 0; i < 20; ++i) {
    run.scored(optimal, "simple-" + std::to_string(i), i % 2 == 0);
    run.scored(cot, "simple-" + std::to_string(i), i % 2 == 0);
  }
  const Summary summary = summary_of(run);
  ASSERT_EQ(summary.groups.size(), 2U);
  EXPECT_EQ(summary.groups[0].scenario, "baseline");
  EXPECT_EQ(summary.groups[0].interval_method, "wilson");
  EXPECT_EQ(summary.groups[1].scenario, "prompts");
  EXPECT_EQ(summary.groups[1].interval_method, "bootstrap over tasks");
  EXPECT_EQ(summary.groups[1].tally.scored, 40U);
  // Twice the trials on the same tasks tell hardly more than once: the width must not shrink by √2.
  const double single = summary.groups[0].success.high - summary.groups[0].success.low;
  const double pooled = summary.groups[1].success.high - summary.groups[1].success.low;
  EXPECT_GT(pooled, 0.9 * single);
}

TEST(Summary, has_the_same_bytes_whatever_the_order_of_the_facts) {
  TestRun forward;
  TestRun backward;
  const auto a = forward.cell("m", "optimal", "baseline", 30);
  const auto b = backward.cell("m", "optimal", "baseline", 30);
  for (int i = 0; i < 30; ++i) {
    forward.scored(a, "simple-" + std::to_string(i), i % 3 == 0, i / 31.0);
    backward.scored(b, "simple-" + std::to_string(29 - i), (29 - i) % 3 == 0, (29 - i) / 31.0);
  }
  EXPECT_EQ(json::to_text(to_json(summary_of(forward))),
            json::to_text(to_json(summary_of(backward))));
}

TEST(Report, escapes_what_came_from_outside_and_needs_no_network) {
  TestRun run;
  const auto cell = run.cell("<script>alert(1)</script>", "optimal", "baseline", 1);
  run.scored(cell, "simple-1", true);
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value()) << data.error().message;
  const std::string html = to_html(*data);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(html.find("t&lt;e&gt;st"), std::string::npos);
  EXPECT_EQ(html.find("http://"), std::string::npos);
  EXPECT_EQ(html.find("https://"), std::string::npos);
  EXPECT_NE(html.find("Not comparable with earlier tables"), std::string::npos);
}

TEST(Report, shows_unknown_attempts_with_what_they_reserved) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 2);
  run.scored(cell, "simple-1", true);
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value());
  ASSERT_EQ(data->routes.size(), 1U);
  EXPECT_EQ(data->routes[0].answered, 1U);
  EXPECT_EQ(data->routes[0].unknown, 0U);
  EXPECT_EQ(data->routes[0].cost, 4);
  EXPECT_EQ(data->routes[0].served, "m");
  EXPECT_NEAR(data->routes[0].latency_median_s, 0.002, 1e-9);
}

TEST(Report, has_the_scenarios_tables_the_diagnosis_and_what_is_not_comparable_in_every_form) {
  TestRun run;
  const auto optimal = run.cell("m", "optimal", "baseline,prompts", 20);
  const auto none = run.cell("m", "baseline", "prompts", 20);
  for (int i = 0; i < 20; ++i) {
    run.scored(optimal, "simple-" + std::to_string(i), true);
    run.scored(none, "simple-" + std::to_string(i), i % 2 == 0);
  }
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value()) << data.error().message;
  ASSERT_EQ(data->diagnoses.size(), 1U);
  const std::string& line = data->diagnoses.begin()->second;
  EXPECT_NE(line.find("20 of 20 succeeded"), std::string::npos) << line;
  EXPECT_NE(line.find("ends: finish 20"), std::string::npos) << line;
  EXPECT_NE(line.find("served: m "), std::string::npos) << line;
  EXPECT_NE(line.find("look at trials "), std::string::npos) << line;
  EXPECT_EQ(data->times.size(), 2U);
  const std::string text = to_text(*data);
  const std::string html = to_html(*data);
  const std::string json = json::to_text(tables_json(*data));
  for (const std::string& form : {text, html, json}) {
    EXPECT_NE(form.find("Not comparable with earlier tables"), std::string::npos);
    EXPECT_NE(form.find("What plan and reasoning add"), std::string::npos);
    EXPECT_NE(form.find("marked †"), std::string::npos);
  }
  EXPECT_NE(text.find("Cells at 0 or 100 %"), std::string::npos);
  EXPECT_NE(html.find("20 of 20 succeeded"), std::string::npos);
  // Times, served names and trial numbers say how a run went: they are not in the scored tables.
  EXPECT_EQ(json.find("look at"), std::string::npos);
  const ReportData only = only_scenario(*data, "prompts");
  EXPECT_EQ(to_text(only).find("5.1"), std::string::npos);
  EXPECT_NE(to_text(only).find("5.5"), std::string::npos);
}

TEST(Report, marks_a_route_with_empty_answers_as_suspect) {
  EXPECT_FALSE((AnswerCount{.all = 100, .empty = 2}).suspect());
  EXPECT_TRUE((AnswerCount{.all = 100, .empty = 3}).suspect());
  EXPECT_FALSE(AnswerCount{}.suspect());
  TestRun run;
  run.scored(run.cell("m", "optimal", "baseline", 1), "simple-1", true);
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(data->routes[0].answers, (AnswerCount{.all = 1, .empty = 0}));
}

TEST(Summary, marks_simulated_models_in_the_text_table) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 1);
  run.scored(cell, "simple-1", true);
  const std::string text = to_text(summary_of(run));
  EXPECT_NE(text.find("m (simulated)"), std::string::npos);
  EXPECT_NE(text.find("never contestants"), std::string::npos);
}

TEST(Report, marks_simulated_models_wherever_one_is_named) {
  TestRun run;
  const auto cell = run.cell("m", "flawed_missing_step", "flawed", 2, "medium");
  run.scored(cell, "simple-1", true);
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value()) << data.error().message;
  const std::string text = to_text(*data);
  EXPECT_NE(text.find("flawed, m (simulated): 50.0 % if all missing"), std::string::npos) << text;
  EXPECT_NE(text.find("\nm (simulated), flawed_missing_step, medium, easy"), std::string::npos)
      << text;
  const std::string html = to_html(*data);
  EXPECT_NE(html.find("text-anchor=\"end\">m (simulated)</text>"), std::string::npos);
  const std::size_t validity = html.find("<h2>Validity</h2>");
  for (const std::string_view title :
       {"What was sent, per model</h3>", "Requests, per route</h3>"}) {
    const std::size_t table = html.find(title, validity);
    ASSERT_NE(table, std::string::npos) << title;
    EXPECT_LT(html.find("<td class=\"text mark\">simulated</td>", table),
              html.find("</table>", table));
  }
}

TEST(Report, lists_losses_by_outcome_and_shows_the_bounds_of_what_is_incomplete) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 10);
  for (int i = 0; i < 6; ++i) {
    run.scored(cell, "simple-" + std::to_string(i), i < 3);
  }
  run.lost(cell, "simple-6", "timeout");
  run.lost(cell, "simple-7", "throttled");
  run.lost(cell, "simple-8", "throttled");
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value()) << data.error().message;
  EXPECT_NE(to_text(*data).find("3 (throttled 2, timeout 1)"), std::string::npos) << to_text(*data);
  const std::string html = to_html(*data);
  const std::size_t cells = html.find("<h2>Cells</h2>");
  const std::string scenario = html.substr(0, cells);
  for (const std::string& part : {scenario, html.substr(cells)}) {
    EXPECT_NE(part.find("3 (throttled 2, timeout 1)"), std::string::npos);
    EXPECT_NE(part.find("30.0–70.0 %"), std::string::npos);
  }
  // Equal scores and numbers of losses give equal bytes, whatever the losses were due to.
  EXPECT_EQ(json::to_text(tables_json(*data)).find("throttled"), std::string::npos);
}

TEST(Summary, counts_what_the_world_rejects_apart_from_injected_failures) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 2);
  run.rejected = 3;
  run.scored(cell, "simple-1", true);
  run.rejected = 1;
  run.scored(cell, "simple-2", true);
  const Summary summary = summary_of(run);
  EXPECT_EQ(summary.cells[0].tally.injected_failures, 2U);
  EXPECT_EQ(summary.cells[0].tally.rejected_calls, 4U);
  const json::Value json = to_json(summary);
  EXPECT_EQ(json::get_double(json::get_array(json, "cells")->front(), "rejected_calls"), 4);
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value());
  EXPECT_NE(to_html(*data).find("rejected by the world</th>"), std::string::npos);
  EXPECT_NE(to_html(*data).find("<td>0.50</td><td>2</td><td>4</td>"), std::string::npos);
}

TEST(Summary, says_what_repeats_of_a_task_have_in_common) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 4);
  run.scored(cell, "simple-1", true);
  run.scored(cell, "simple-1", false);
  run.scored(cell, "simple-2", true);
  run.scored(cell, "simple-2", true);
  const Summary summary = summary_of(run);
  ASSERT_TRUE(summary.cells[0].repeats.has_value());
  EXPECT_EQ(summary.cells[0].repeats->k, 2U);
  EXPECT_DOUBLE_EQ(summary.cells[0].repeats->pass_at_k, 1);
  EXPECT_DOUBLE_EQ(summary.cells[0].repeats->pass_hat_k, 0.5);
}

TEST(Summary, names_the_interval_of_a_cell_with_several_types) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 20);
  for (int i = 0; i < 10; ++i) {
    run.scored(cell, "basic-" + std::to_string(i), i < 9);
    run.scored(cell, "simple-" + std::to_string(i), i < 1);
  }
  const Summary summary = summary_of(run);
  EXPECT_EQ(summary.cells[0].interval_method, "score within types");
  EXPECT_EQ(summary.groups[0].interval_method, "score within types");
  EXPECT_GT(summary.groups[0].success.low, stats::wilson(10, 20).low);
  const std::string text = to_text(summary);
  EXPECT_NE(text.find("Score interval within task types, of one type Wilson's"), std::string::npos);
  EXPECT_EQ(text.find("% ‡"), std::string::npos);  // the mark of a bootstrap
}

TEST(Summary, bootstraps_a_cell_with_repeats_over_its_tasks) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 40);
  for (int i = 0; i < 20; ++i) {
    run.scored(cell, "simple-" + std::to_string(i), i < 10);
    run.scored(cell, "simple-" + std::to_string(i), i < 10);
  }
  const Summary summary = summary_of(run);
  EXPECT_EQ(summary.cells[0].interval_method, "bootstrap over tasks");
  EXPECT_LT(summary.cells[0].success.low, stats::wilson(20, 40).low);
}

TEST(Summary, takes_open_trials_for_as_unknown_as_lost_ones) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 10);
  for (int i = 0; i < 6; ++i) {
    run.scored(cell, "simple-" + std::to_string(i), i < 3);
  }
  run.lost(cell, "simple-6", "throttled");
  const Summary summary = summary_of(run);
  EXPECT_EQ(summary.cells[0].missing(), 4U);
  EXPECT_EQ(summary.groups[0].missing(), 4U);
  const json::Value json = to_json(summary);
  const json::Value& row = json::get_array(json, "cells")->front();
  EXPECT_DOUBLE_EQ(*json::get_double(row, "all_lost_failed"), 0.3);
  EXPECT_DOUBLE_EQ(*json::get_double(row, "all_lost_succeeded"), 0.7);
}

TEST(LossBounds, contain_every_rate_that_the_lost_trials_could_have_given) {
  Tally tally;
  tally.scored = 80;
  tally.successes = 60;
  const stats::Interval bounds = loss_bounds(tally, 20);
  EXPECT_DOUBLE_EQ(bounds.low, 0.6);
  EXPECT_DOUBLE_EQ(bounds.high, 0.8);
  EXPECT_DOUBLE_EQ(loss_bounds(tally, 0).low, 0.75);
  EXPECT_DOUBLE_EQ(loss_bounds(tally, 0).high, 0.75);
}

}  // namespace
}  // namespace sortie::analysis
