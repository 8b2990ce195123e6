#include "sortie/analysis/phrases.h"
#include "sortie/analysis/report.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/test_run.h"
#include "sortie/base/text.h"
#include "sortie/base/width.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

// One run with something of everything, as a report in both languages.

namespace sortie::analysis {
namespace {

// The same in every language: symbols, and parameters of requests.
const std::set<std::string, std::less<>> kSymbols = {"n", "p", "B", "top_p", "pass@k", "pass^k"};

void add_trials(TestRun& run, const base::Digest& cell, int succeeded) {
  for (int i = 0; i < 12; ++i) {
    run.scored(cell, "simple-" + std::to_string(i), i < succeeded);
  }
}

ReportData report_in(Language language) {
  TestRun run;
  for (const char* model : {"alpha", "beta"}) {
    add_trials(run, run.cell(model, "optimal", "baseline,scale,reliability,prompts", 12), 12);
    add_trials(run, run.cell(model, "baseline", "baseline,scale,prompts", 20), 7);
    add_trials(run, run.cell(model, "cot", "prompts", 12), 9);
    add_trials(run, run.cell(model, "flawed_tool_misuse", "flawed,mine", 12, "light"), 0);
  }
  const auto lossy = run.cell("gamma", "optimal", "baseline", 20);
  add_trials(run, lossy, 3);
  add_trials(run, lossy, 5);
  run.lost(lossy, "simple-99", "throttled");
  run.unknown_attempt("e/k/m", 7);
  run.event("control", "model alpha", R"({"changes":["alpha off"],"author":"ann","reason":"why"})");
  run.event("control", "model alpha", R"({"changes":["alpha on"]})");
  run.event("pools_shared", "a, b", R"({"subject":"a and b","declare":["limits:"]})");
  run.event("pools_shared", "a, b", R"({"subject":"a and b","over":true})");
  run.event("run_speed",
            "",
            R"({"seconds":10,"bound_seconds":5,"fraction":0.5,"domain":"key k","limit":"rpm",)"
            R"("estimated":true,"confidence":0.9,"lost_seconds":{"idle":1,"new_reason":4}})");
  run.event("run_speed", "", R"({"seconds":3,"bound_seconds":2,"fraction":0.6,"domain":""})");
  auto data = collect_report(*run.reader(), {.language = language});
  EXPECT_TRUE(data.has_value()) << data.error().message;
  return std::move(data).value();
}

const ReportData& english() {
  static const ReportData data = report_in(Language::english);
  return data;
}

const ReportData& chinese() {
  static const ReportData data = report_in(Language::chinese);
  return data;
}

bool is_chinese(std::string_view text) {
  std::size_t characters = 0;
  for (std::string_view rest = text; !rest.empty(); ++characters) {
    rest.remove_prefix(base::utf8_sequence_length(rest));
  }
  return base::display_width(text) > characters || kSymbols.contains(text);
}

/// The longest pieces of a phrase between what is filled in: "trials without any call; ends:".
std::vector<std::string> pieces_of(std::string text) {
  std::vector<std::string> pieces(1);
  bool inside = false;
  for (const char c : text) {
    inside = c == '{' || (inside && c != '}');
    if (c == '{') {
      pieces.emplace_back();
    } else if (!inside && c != '}') {
      pieces.back() += c;
    }
  }
  for (std::string& piece : pieces) {
    piece = base::trim(piece);
  }
  std::erase_if(pieces, [](const std::string& piece) {
    return piece.size() < 8 || piece.find(' ') == std::string::npos;
  });
  return pieces;
}

/// What stands between each <tag …> and its end.
std::vector<std::string> contents(const std::string& html, const std::string& tag) {
  std::vector<std::string> found;
  for (std::size_t at = html.find("<" + tag); at != std::string::npos;
       at = html.find("<" + tag, at + 1)) {
    if (html[at + tag.size() + 1] == '>' || html[at + tag.size() + 1] == ' ') {
      const std::size_t begin = html.find('>', at) + 1;
      found.push_back(html.substr(begin, html.find("</" + tag, begin) - begin));
    }
  }
  return found;
}

TEST(ReportLanguage, changes_words_and_no_number) {
  ASSERT_EQ(english().tables.size(), chinese().tables.size());
  ASSERT_GE(english().tables.size(), 10U);
  for (std::size_t t = 0; t < english().tables.size(); ++t) {
    const ResultTable& here = english().tables[t];
    const ResultTable& there = chinese().tables[t];
    EXPECT_EQ(here.id, there.id);
    EXPECT_NE(here.title, there.title);
    ASSERT_EQ(here.rows.size(), there.rows.size()) << here.id;
    EXPECT_TRUE(std::ranges::equal(here.columns, there.columns, {}, &Column::key, &Column::key));
    EXPECT_EQ(here.notes.size(), there.notes.size()) << here.id;
    for (std::size_t r = 0; r < here.rows.size(); ++r) {
      EXPECT_EQ(here.rows[r].marks.size(), there.rows[r].marks.size());
      for (std::size_t c = 0; c < here.columns.size(); ++c) {
        const Value& a = here.rows[r].values[c];
        const Value& b = there.rows[r].values[c];
        EXPECT_EQ(a.kind, b.kind);
        if (a.kind != Value::Kind::text) {
          EXPECT_EQ(to_text(a), to_text(b)) << here.id << " " << here.columns[c].key;
        }
      }
    }
  }
}

TEST(ReportLanguage, has_every_word_of_the_tables) {
  for (const ResultTable& table : chinese().tables) {
    EXPECT_TRUE(is_chinese(table.title)) << table.title;
    for (const Column& column : table.columns) {
      EXPECT_TRUE(is_chinese(column.title)) << table.id << ": " << column.title;
    }
    for (const std::string& note : table.notes) {
      EXPECT_TRUE(is_chinese(note)) << table.id << ": " << note;
    }
    for (const Row& row : table.rows) {
      const std::string marks = marks_text(row, table.language);
      EXPECT_TRUE(marks.empty() || is_chinese(marks)) << table.id << ": " << marks;
    }
  }
}

TEST(ReportLanguage, leaves_no_phrase_of_another_language) {
  const std::string page = to_html(chinese());
  const std::string text = to_text(chinese());
  for (const auto& [key, phrase] : phrases_in(Language::english).texts()) {
    for (const std::string& piece : pieces_of(phrase)) {
      EXPECT_EQ(page.find(piece), std::string::npos) << key;
      EXPECT_EQ(text.find(piece), std::string::npos) << key;
    }
  }
  const std::string original = to_html(english());
  std::size_t said = 0;
  for (const auto& [key, phrase] : phrases_in(Language::english).texts()) {
    for (const std::string& piece : pieces_of(phrase)) {
      said += original.find(piece) != std::string::npos ? 1U : 0U;
    }
  }
  EXPECT_GT(said, 50U);  // or the search above would prove little
}

TEST(ReportLanguage, is_that_of_every_heading_and_paragraph_of_the_page) {
  const std::string page = to_html(chinese());
  EXPECT_NE(page.find("<html lang=\"zh-CN\">"), std::string::npos);
  EXPECT_NE(to_html(english()).find("<html lang=\"en\">"), std::string::npos);
  std::size_t checked = 0;
  for (const char* tag : {"th", "h2", "h3"}) {
    for (const std::string& content : contents(page, tag)) {
      // Columns may be named by codes: error labels, and reasons that this version does not know.
      EXPECT_TRUE(is_chinese(content) || content == "early_finish" || content == "new_reason")
          << tag << ": " << content;
      ++checked;
    }
  }
  EXPECT_GT(checked, 100U);
}

TEST(ReportLanguage, leaves_names_codes_and_times_as_they_are) {
  for (const std::string& form : {to_html(chinese()), to_text(chinese())}) {
    for (const std::string_view data :
         {"alpha", "flawed_tool_misuse", "early_finish", "throttled 1", "baseline", "e/k/m"}) {
      EXPECT_NE(form.find(data), std::string::npos) << data;
    }
  }
  EXPECT_EQ(json::to_text(to_json(chinese().summary)), json::to_text(to_json(english().summary)));
}

TEST(ReportLanguage, of_text_keeps_columns_aligned) {
  // Below a table's head stands a rule as wide as the table; no row is wider.
  const std::string text = to_text(chinese());
  const std::vector<std::string_view> lines = base::split(text, '\n');
  std::size_t tables = 0;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].starts_with("---")) {
      ++tables;
      EXPECT_LE(base::display_width(lines[i - 1]), lines[i].size());
      EXPECT_LE(base::display_width(lines[i + 1]), lines[i].size());
    }
  }
  EXPECT_GT(tables, 10U);
}

}  // namespace
}  // namespace sortie::analysis
