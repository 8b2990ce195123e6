#include "sortie/analysis/export_check.h"

#include "sortie/analysis/export.h"
#include "sortie/analysis/test_run.h"
#include "sortie/base/random.h"

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr std::array kFormats = {
    ExportFormat::parquet, ExportFormat::json, ExportFormat::jsonl, ExportFormat::csv};

class ExportCheck : public testing::Test {
 protected:
  ExportCheck() : cell_(run_.cell("m", "optimal", "baseline", 100)) {}

  std::string directory(ExportFormat format) {
    return (fs::path(run_.directory()) / "export" / to_string(format)).string();
  }

  std::string exported(ExportFormat format, std::uint64_t file_rows_max = 1'000'000) {
    const auto manifest =
        export_run(*run_.reader(),
                   directory(format),
                   {.format = format, .tables = {}, .file_rows_max = file_rows_max});
    EXPECT_TRUE(manifest.has_value()) << manifest.error().message;
    return directory(format);
  }

  static void expect_equal(const base::Result<ExportComparison>& result, std::string_view what) {
    ASSERT_TRUE(result.has_value()) << what << ": " << result.error().message;
    EXPECT_EQ(result->difference, std::nullopt) << what;
    EXPECT_GT(result->tables, 10U);
  }

  /// Every format against the ledger and against Parquet.
  void expect_all_equal(std::uint64_t file_rows_max = 1'000'000) {
    for (const ExportFormat format : kFormats) {
      exported(format, file_rows_max);
      expect_equal(compare_export(directory(format), *run_.reader()), to_string(format));
      expect_equal(compare_exports(directory(ExportFormat::parquet), directory(format)),
                   to_string(format));
    }
  }

  /// The first difference between an export and the ledger.
  std::string difference(ExportFormat format) {
    const auto result = compare_export(directory(format), *run_.reader());
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return result.has_value() ? result->difference.value_or("") : "";
  }

  TestRun run_;
  base::Digest cell_;
};

TEST_F(ExportCheck, formats_hold_the_same_texts_whatever_they_are) {
  constexpr std::string_view kTexts[] = {
      ""sv,
      " "sv,
      "null"sv,
      "NULL"sv,
      "\"\""sv,
      "\""sv,
      "'"sv,
      ","sv,
      "a,\"b\",c"sv,
      "\n"sv,
      "\r\n"sv,
      "a\rb"sv,
      "\t\\n\\"sv,
      "a\0b"sv,
      "\0"sv,
      "\\u0000"sv,
      "\x01\x1f\x7f"sv,
      "#comment"sv,
      "=1+1"sv,
      "-0.0"sv,
      "1e400"sv,
      "true"sv,
      "\u4e2d\u6587\uff0c\u65e5\u672c\u8a9e\u3068\ud55c\uad6d\uc5b4"sv,
      "\U0001F469\u200D\U0001F52C\U0001F3F3\uFE0F\u200D\U0001F308"sv,
      "\u202Eright to left\u2028\uFEFF"sv,
      "{\"text\":[1,2,{\"a\":null}]}"sv,
  };
  int n = 0;
  for (const std::string_view text : kTexts) {
    run_.answer = text;
    run_.scored(cell_, "simple-" + std::to_string(n++), true);
    run_.event("note", std::string(text), std::string(text));
  }
  expect_all_equal();
}

TEST_F(ExportCheck, formats_hold_a_text_of_a_megabyte) {
  base::RandomStream random(base::digest_of("megabyte"));
  std::string text;
  while (text.size() < 1'000'000) {
    text += random.below(3) == 0 ? "\u4e2d" : std::string(1, static_cast<char>(random.below(128)));
  }
  run_.answer = text;
  run_.scored(cell_, "simple-1", true);
  run_.event("note", "large", text);
  expect_all_equal();
}

TEST_F(ExportCheck, formats_hold_any_text) {
  // Pieces that formats treat in ways of their own, in any order.
  constexpr std::string_view kPieces[] = {"\""sv,
                                          ","sv,
                                          "\n"sv,
                                          "\r"sv,
                                          "\\"sv,
                                          "\0"sv,
                                          "a"sv,
                                          " "sv,
                                          "{"sv,
                                          "}"sv,
                                          "'"sv,
                                          "\u00e9"sv,
                                          "\U0001F600"sv,
                                          "null"sv,
                                          "\t"sv,
                                          "\x1b"sv,
                                          "0"sv,
                                          "\xc2\xa0"sv};
  base::RandomStream random(base::digest_of("any text"));
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (std::uint64_t left = random.below(12); left > 0; --left) {
      text += kPieces[random.below(std::size(kPieces))];
    }
    run_.answer = text;
    run_.served_model = text.substr(0, text.find('\xc2'));
    run_.scored(cell_, "simple-" + std::to_string(i), random.below(2) == 0, random.uniform());
  }
  expect_all_equal(97);
}

TEST_F(ExportCheck, an_empty_run_is_equal_too) {
  expect_all_equal();
}

TEST_F(ExportCheck, names_the_first_field_that_differs) {
  run_.scored(cell_, "simple-1", true);
  run_.scored(cell_, "simple-2", false);
  const std::string directory = exported(ExportFormat::jsonl);
  const fs::path file = fs::path(directory) / "trials.jsonl";
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  std::string changed = text.str();
  const std::size_t at = changed.find("simple-2");
  ASSERT_NE(at, std::string::npos);
  changed[at + 7] = '3';
  std::ofstream(file) << changed;
  const std::string found = difference(ExportFormat::jsonl);
  for (const std::string_view part :
       {"table trials, row 1, column task"sv, "'simple-2'"sv, "'simple-3'"sv, "trial 2"sv}) {
    EXPECT_NE(found.find(part), std::string::npos) << found;
  }
}

TEST_F(ExportCheck, finds_rows_that_came_later_and_rows_that_are_gone) {
  run_.scored(cell_, "simple-1", true);
  exported(ExportFormat::csv);
  run_.scored(cell_, "simple-2", true);
  EXPECT_NE(difference(ExportFormat::csv).find("table runs, row 0, column facts"),
            std::string::npos);
  const fs::path old = fs::path(directory(ExportFormat::csv));
  exported(ExportFormat::jsonl);
  const auto compared = compare_exports(old.string(), directory(ExportFormat::jsonl));
  ASSERT_TRUE(compared.has_value()) << compared.error().message;
  EXPECT_TRUE(compared->difference.has_value());

  std::ofstream(fs::path(directory(ExportFormat::jsonl)) / "scores.jsonl", std::ios::trunc).close();
  EXPECT_NE(difference(ExportFormat::jsonl).find("table scores, row 0, is only in the ledger"),
            std::string::npos);
}

TEST_F(ExportCheck, a_manifest_that_says_something_else_differs) {
  run_.scored(cell_, "simple-1", true);
  const std::string directory = exported(ExportFormat::csv);
  auto manifest = read_export_manifest(directory);
  ASSERT_TRUE(manifest.has_value());
  manifest->tables[1].content = base::digest_of("other").hex();
  std::ofstream(fs::path(directory) / "manifest.json") << json::to_text(to_json(*manifest));
  EXPECT_NE(difference(ExportFormat::csv).find("its manifest says"), std::string::npos);
}

TEST_F(ExportCheck, says_what_is_no_export) {
  const auto result = compare_exports(run_.directory(), run_.directory());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::ErrorCode::not_found);
}

}  // namespace
}  // namespace sortie::analysis
