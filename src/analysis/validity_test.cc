#include "sortie/analysis/declared.h"
#include "sortie/analysis/report.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/report_document.h"
#include "sortie/analysis/report_queries.h"
#include "sortie/analysis/test_run.h"
#include "sortie/analysis/validity_tables.h"
#include "sortie/base/json.h"

#include <algorithm>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

/// A model that refuses temperature and the seed, and one that takes everything.
spec::Topology two_models() {
  spec::Topology topology;
  spec::Model& plain = topology.models.emplace_back();
  plain.name = "a";
  plain.sampling = {.temperature = 0.6, .top_p = 0.95, .max_tokens = 4096, .seed = {}};
  spec::Model& picky = topology.models.emplace_back();
  picky.name = "b";
  picky.sampling = {.temperature = {}, .top_p = 0.9, .max_tokens = 16384, .seed = {}};
  picky.capability = {.token_limit_parameter = "max_completion_tokens",
                      .accepts_temperature = false,
                      .accepts_top_p = true,
                      .accepts_seed = false};
  return topology;
}

ReportData report_of(TestRun& run) {
  auto data = collect_report(*run.reader());
  EXPECT_TRUE(data.has_value()) << data.error().message;
  return std::move(data).value();
}

std::string text_at(const ResultTable& table, std::size_t row, const std::string& key) {
  const auto column = std::ranges::find(table.columns, key, &Column::key);
  EXPECT_NE(column, table.columns.end()) << key;
  return table.rows.at(row)
      .values.at(static_cast<std::size_t>(column - table.columns.begin()))
      .text;
}

TEST(Validity, shows_per_model_what_was_really_sent) {
  spec::Campaign campaign;
  campaign.cells.resize(2);
  campaign.cells[1].model = 1;
  TestRun run;
  run.manifest(kDeclaredEntry, declared_text(campaign, two_models()));
  run.scored(run.cell("a", "optimal", "baseline", 1), "simple-1", true);
  run.scored(run.cell("b", "optimal", "baseline", 1), "simple-1", true);
  run.scored(run.cell("c", "optimal", "baseline", 1), "simple-1", true);  // nothing known
  const ReportData data = report_of(run);
  const ResultTable sent = sent_table(data);
  ASSERT_EQ(sent.rows.size(), 3U);
  EXPECT_EQ(text_at(sent, 0, "temperature"), "0.6");
  EXPECT_EQ(text_at(sent, 0, "top_p"), "0.95");
  EXPECT_EQ(text_at(sent, 0, "max_tokens"), "4096");
  EXPECT_EQ(text_at(sent, 0, "token_limit_parameter"), "max_tokens");
  EXPECT_EQ(text_at(sent, 0, "seed"), "from the trial's key");
  EXPECT_EQ(text_at(sent, 0, "protocols"), "text");
  EXPECT_EQ(text_at(sent, 1, "temperature"), "not sent");
  EXPECT_EQ(text_at(sent, 1, "top_p"), "0.9");
  EXPECT_EQ(text_at(sent, 1, "token_limit_parameter"), "max_completion_tokens");
  EXPECT_EQ(text_at(sent, 1, "seed"), "not sent");
  EXPECT_EQ(text_at(sent, 2, "temperature"), "");
  EXPECT_EQ(sent.rows[0].marks, std::vector<std::string>{"simulated"});
  for (const std::string& form : {to_text(data), to_html(data)}) {
    EXPECT_NE(form.find("What was sent, per model"), std::string::npos);
    EXPECT_NE(form.find("max_completion_tokens"), std::string::npos);
    EXPECT_NE(form.find("not sent"), std::string::npos);
  }
}

TEST(Validity, shows_per_route_the_name_asked_for_the_one_sent_and_those_served) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 3);
  run.api_name = "acme/m-instruct";
  run.served_model = "m-2026-02";
  run.scored(cell, "simple-1", true);
  run.served_model = "m-2026-01";
  run.scored(cell, "simple-2", true);
  run.scored(cell, "simple-3", true);
  const ReportData data = report_of(run);
  const ResultTable names = names_table(data);
  ASSERT_EQ(names.rows.size(), 1U);
  EXPECT_EQ(text_at(names, 0, "model"), "m");
  EXPECT_EQ(text_at(names, 0, "api_name"), "acme/m-instruct");
  EXPECT_EQ(text_at(names, 0, "served"), "m-2026-01, m-2026-02");
  EXPECT_EQ(names.rows[0].marks, std::vector<std::string>{"simulated"});
  for (const std::string& form : {to_text(data), to_html(data)}) {
    EXPECT_NE(form.find("acme/m-instruct"), std::string::npos);
    EXPECT_NE(form.find("m-2026-01, m-2026-02"), std::string::npos);
  }
  // How a run went is not in the scored tables.
  EXPECT_EQ(json::to_text(tables_json(data)).find("m-2026"), std::string::npos);
}

TEST(Validity, writes_out_control_characters_of_served_names_for_a_terminal) {
  TestRun run;
  run.served_model = "m\x1b[2J\u202E\nforged";
  run.scored(run.cell("m", "optimal", "baseline", 1), "simple-1", true);
  const std::string text = to_text(report_of(run));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("\u202E"), std::string::npos);
  EXPECT_EQ(text.find("\nforged"), std::string::npos);
  EXPECT_NE(text.find("m\\u001b[2J\\u202e\\u000aforged"), std::string::npos) << text;
}

TEST(Validity, counts_empty_answers_by_their_content_where_usage_is_unknown) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 6);
  auto answered = [&, n = 0](const std::string& answer, bool reported) mutable {
    run.answer = answer;
    run.usage_reported = reported;
    run.usage = {.input = reported ? 7 : 0, .output = 0};
    run.scored(cell, "simple-" + std::to_string(n++), true);
  };
  answered(R"({"text":"words without usage"})", false);
  answered(R"({"text":"","reasoning":"thoughts without usage"})", false);
  answered(R"({"text":"","tool_calls":[{"id":"1","name":"f","arguments":"{}"}]})", false);
  EXPECT_EQ(report_of(run).routes.at(0).answers.empty, 0U);
  answered(R"({"text":"","finish":"stop"})", false);
  EXPECT_EQ(report_of(run).routes.at(0).answers.empty, 1U);
  answered(R"({"text":"of zero tokens, says the server"})", true);
  const ReportData data = report_of(run);
  EXPECT_EQ(data.routes.at(0).answers, (AnswerCount{.all = 5, .empty = 2}));
  // One that the provider refused, as too long or by its filter, holds none.
  run.status = 400;
  answered(R"({"text":"","finish":"content_filter"})", true);
  const ReportData all = report_of(run);
  EXPECT_EQ(all.routes.at(0).answers, (AnswerCount{.all = 6, .empty = 2}));
  // The table's query gives the same.
  const ReportDocument document = document_of(all);
  const std::vector<const ResultTable*> tables = tables_of(document);
  const auto table =
      std::ranges::find(tables, "validity/routes", [](const ResultTable* one) { return one->id; });
  ASSERT_NE(table, tables.end());
  EXPECT_EQ(run.reader()->count("SELECT empty_answers FROM (" + query_of(**table) + ")").value(),
            2);
}

TEST(Validity, suspect_routes_stand_beside_the_scored_tables) {
  TestRun run;
  const auto cell = run.cell("m", "optimal", "baseline", 6);
  run.scored(cell, "simple-1", true);
  EXPECT_EQ(json::find(tables_json(report_of(run)), "suspect_routes"), nullptr);
  run.usage = {.input = 7, .output = 0};
  run.scored(cell, "simple-2", false);
  const ReportData data = report_of(run);
  const json::Value document = tables_json(data);
  const json::Value* suspects = json::find(document, "suspect_routes");
  ASSERT_NE(suspects, nullptr);
  EXPECT_EQ(json::to_text(*suspects), R"([{"route":"e/k/m","answers":2,"empty_answers":1}])");
  EXPECT_NE(to_text(data).find("e/k/m: 1 of 2 answers hold no token"), std::string::npos);
}

}  // namespace
}  // namespace sortie::analysis
