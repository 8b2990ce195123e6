#include "sortie/analysis/report.h"
#include "sortie/analysis/report_queries.h"
#include "sortie/analysis/test_run.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

ReportDocument document_of_run(TestRun& run) {
  const auto data = collect_report(*run.reader());
  EXPECT_TRUE(data.has_value()) << data.error().message;
  return document_of(*data);
}

const ReportFile& file_named(const std::vector<ReportFile>& files, std::string_view name) {
  const auto found = std::ranges::find(files, name, &ReportFile::name);
  EXPECT_NE(found, files.end()) << name;
  return *found;
}

ResultTable table_with(Value value) {
  return {.id = "x/cells",
          .scenario = "x",
          .title = "t",
          .columns = {{.key = "model", .title = "model"}, {.key = "v", .title = "v"}},
          .rows = {{.values = {text_value("m"), std::move(value)}, .marks = {"a", "b"}}},
          .notes = {}};
}

TEST(Csv, has_numbers_in_full_and_intervals_as_two_columns) {
  EXPECT_EQ(to_csv(table_with(share_value(1.0 / 3))),
            "model,v,marks\r\nm,0.3333333333333333,a; b\r\n");
  EXPECT_EQ(to_csv(table_with(interval_value({.low = 0.25, .high = 0.5}))),
            "model,v_low,v_high,marks\r\nm,0.25,0.5,a; b\r\n");
  EXPECT_EQ(to_csv(table_with({})), "model,v,marks\r\nm,,a; b\r\n");
}

TEST(Csv, quotes_text_and_keeps_spreadsheets_from_taking_it_for_a_formula) {
  EXPECT_EQ(to_csv(table_with(text_value("a,\"b\""))),
            "model,v,marks\r\nm,\"a,\"\"b\"\"\",a; b\r\n");
  for (const std::string formula : {"=1+1", "+1", "-1", "@SUM(A1)"}) {
    EXPECT_NE(to_csv(table_with(text_value(formula))).find(",'" + formula), std::string::npos);
  }
  EXPECT_NE(to_csv(table_with(points_value(-0.5))).find(",-0.5,"), std::string::npos);
}

TEST(Latex, sets_special_characters_and_those_that_pdftex_has_no_font_for) {
  ReportDocument document;
  document.sections.push_back({.title = "s", .paragraphs = {}, .parts = {}, .remarks = {}});
  document.sections[0].parts.emplace_back(
      table_with(text_value("\\end{table}$x_1^2$ 50% #1 & ~ é 中 —")));
  const std::vector<ReportFile> files = to_latex(document);
  const std::string& text = file_named(files, "tables/x-cells.tex").text;
  EXPECT_NE(
      text.find("\\textbackslash{}end\\{table\\}\\$x\\_1\\textasciicircum{}2\\$ 50\\% \\#1 \\& "
                "\\textasciitilde{} é \\sortiechar{4E2D}{中} \\textemdash{}"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("\\toprule"), std::string::npos);
  EXPECT_NE(text.find("% SELECT"), std::string::npos);  // the query
  EXPECT_NE(file_named(files, "report.tex").text.find("\\input{tables/x-cells}"),
            std::string::npos);
}

TEST(Markdown, shows_text_as_it_stands) {
  ReportDocument document;
  document.sections.push_back({.title = "s", .paragraphs = {}, .parts = {}, .remarks = {}});
  document.sections[0].parts.emplace_back(
      table_with(text_value("a|b `c` *d* [e](https://f) <g> @h www.i")));
  const std::string text = to_markdown(document);
  EXPECT_NE(text.find("a\\|b \\`c\\` \\*d\\* \\[e\\](https\\://f) &lt;g&gt; \\@h www\\.i"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| model | v | marks |\n| :-- | :-- | :-- |\n"), std::string::npos) << text;
}

TEST(ReportFiles, hold_nothing_that_steers_whatever_names_say) {
  const std::string hostile = "<script>alert(1)</script>\x1b[2J\u202Eevil\n\\input{/etc/passwd}\\]";
  TestRun run;
  run.served_model = hostile + std::string(1'000'000, 'x');
  const auto cell = run.cell(hostile, "optimal", "baseline", 4);
  run.scored(cell, "simple-1", true);
  run.scored(cell, "simple-2", false);
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value()) << data.error().message;
  const ReportDocument document = document_of(*data);
  std::vector<ReportFile> all{{.name = "report.html", .text = to_html(*data)}};
  for (const ReportFormat format :
       {ReportFormat::markdown, ReportFormat::latex, ReportFormat::csv}) {
    std::ranges::copy(report_files(document, format), std::back_inserter(all));
  }
  EXPECT_GT(all.size(), 30U);
  for (const ReportFile& file : all) {
    std::string text = file.text;
    std::erase(text, '\r');  // of CSV's ends of lines
    EXPECT_TRUE(base::printable(text) == text) << file.name;
    EXPECT_EQ(file.text.find('\x1b'), std::string::npos) << file.name;
    EXPECT_EQ(file.text.find("\u202E"), std::string::npos) << file.name;
    if (file.name.ends_with(".html") || file.name.ends_with(".md") || file.name.ends_with(".svg")) {
      EXPECT_EQ(file.text.find("<script"), std::string::npos) << file.name;
      EXPECT_LT(file.text.size(), 200'000U) << file.name;  // long text is cut for people
    }
    if (file.name.ends_with(".tex")) {
      EXPECT_EQ(file.text.find("\\input{/"), std::string::npos) << file.name;
      EXPECT_LT(file.text.size(), 200'000U) << file.name;
    }
  }
}

TEST(Latex, has_no_character_that_pdftex_cannot_set_in_any_language) {
  TestRun run;
  run.scored(run.cell("m", "optimal", "baseline", 1), "simple-1", true);
  for (const Language language : {Language::english, Language::chinese}) {
    const auto data = collect_report(*run.reader(), {.language = language});
    ASSERT_TRUE(data.has_value()) << data.error().message;
    const ReportDocument document = document_of(*data);
    ASSERT_FALSE(figures_of(document).empty());
    for (const ReportFile& file : report_files(document, ReportFormat::latex)) {
      if (!file.name.ends_with(".tex")) {
        continue;
      }
      for (std::string_view line : base::split(file.text, '\n')) {
        if (line.starts_with('%')) {
          continue;
        }
        // \sortiechar{56FE}{…}: pdfTeX skips what stands in the second pair.
        std::string set;
        constexpr std::string_view kMacro = "\\sortiechar{";
        for (std::size_t at = line.find(kMacro); at != std::string_view::npos;
             at = line.find(kMacro)) {
          set += line.substr(0, at);
          line.remove_prefix(line.find('}', line.find("}{", at) + 1) + 1);
        }
        set += line;
        EXPECT_TRUE(
            std::ranges::all_of(set, [](char c) { return static_cast<signed char>(c) > 0; }))
            << file.name << ": " << set;
      }
    }
  }
}

TEST(ReportFiles, name_each_table_once_with_its_query) {
  TestRun run;
  run.scored(run.cell("m", "optimal", "baseline,my sweep", 4), "simple-1", true);
  run.scored(run.cell("m", "baseline", "my-sweep", 4), "simple-1", true);
  const ReportDocument document = document_of_run(run);
  const std::vector<ReportFile> files = report_files(document, ReportFormat::csv);
  std::set<std::string> names;
  for (const ReportFile& file : files) {
    EXPECT_TRUE(names.insert(file.name).second) << file.name;
  }
  for (const ResultTable* table : tables_of(document)) {
    EXPECT_NE(query_of(*table), "") << table->id;
  }
  for (const Figure* figure : figures_of(document)) {
    EXPECT_TRUE(std::ranges::any_of(tables_of(document), [&](const ResultTable* table) {
      return table->id == figure->table;
    })) << figure->id;
  }
}

TEST(ReportFiles, take_the_place_of_an_older_report_and_of_nothing_else) {
  TestRun run;
  run.scored(run.cell("m", "optimal", "baseline", 1), "simple-1", true);
  const std::vector<ReportFile> files = report_files(document_of_run(run), ReportFormat::latex);
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "sortie-report-files";
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(write_report(folder.string(), files).has_value());
  std::ofstream(folder / "report.pdf") << "made by pdflatex";
  std::ofstream(folder / "figures" / "a.pdf") << "converted";
  ASSERT_TRUE(write_report(folder.string(), files).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder / "report.pdf"));
  std::ofstream(folder / "figures" / "thesis.txt") << "a person's";
  const auto refused = write_report(folder.string(), files);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("thesis.txt"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "figures" / "thesis.txt"));
  std::filesystem::remove_all(folder);
}

TEST(Report, compares_with_the_baseline_that_is_asked_for) {
  TestRun run;
  for (const char* model : {"a", "b", "c"}) {
    run.scored(run.cell(model, "optimal", "baseline", 1), "simple-1", true);
  }
  const auto data = collect_report(*run.reader(), {.baseline_model = "b"});
  ASSERT_TRUE(data.has_value()) << data.error().message;
  const auto table = std::ranges::find(data->tables, "baseline/comparisons", &ResultTable::id);
  ASSERT_NE(table, data->tables.end());
  ASSERT_EQ(table->rows.size(), 2U);
  for (const Row& row : table->rows) {
    EXPECT_EQ(row.values[3].text, "b");
    EXPECT_EQ(row.marks.front(), "exploratory");
  }
  const auto none = collect_report(*run.reader(), {.baseline_model = "bb"});
  ASSERT_FALSE(none.has_value());
  EXPECT_NE(none.error().message.find("did you mean"), std::string::npos) << none.error().message;
}

TEST(Svg, tells_series_apart_without_colours) {
  Figure figure{.id = "f",
                .table = "t",
                .title = "t",
                .kind = Figure::Kind::curves,
                .categories = {},
                .x_title = "x",
                .series = {}};
  for (int i = 0; i < 8; ++i) {
    figure.series.push_back(
        {.name = "m" + std::to_string(i),
         .points = {{.x = 0.6, .share = 0.5, .interval = stats::Interval{0.4, 0.6}},
                    {.x = 0.9, .share = 0.7, .interval = {}}}});
  }
  // What the legend draws for each series: its dashes and its marker.
  const std::string svg = to_svg(figure, true);
  std::set<std::string> looks;
  for (int i = 0; i < 8; ++i) {
    const std::size_t name = svg.find(">m" + std::to_string(i) + "</text>");
    ASSERT_NE(name, std::string::npos);
    const std::size_t start = svg.rfind("<line", name);
    std::string look = svg.substr(start, name - start);
    for (char& c : look) {
      c = c >= '0' && c <= '9' ? '0' : c;  // not where it stands
    }
    looks.insert(look.substr(0, look.find("<text")));
  }
  EXPECT_EQ(looks.size(), 8U);
  EXPECT_EQ(svg.find("url("), std::string::npos);
}

}  // namespace
}  // namespace sortie::analysis
