#include "sortie/analysis/row_text.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

using namespace std::string_view_literals;
using Rows = std::vector<std::vector<ledger::Cell>>;

std::string printed(std::string_view format, const Rows& rows) {
  std::string out;
  const auto printer = RowPrinter::make(format, [&](std::string_view text) {
    out += text;
    return true;
  });
  printer->columns({"name", "n"});
  for (const auto& row : rows) {
    printer->row(row);
  }
  printer->finish();
  return out;
}

const Rows kRows = {{"a"sv, std::int64_t{7}}, {"b,\"c\"\nd"sv, 0.5}, {""sv, std::monostate()}};

TEST(RowPrinter, text_is_aligned_and_keeps_to_its_lines) {
  EXPECT_EQ(printed("text", {{"long name"sv, std::int64_t{7}}, {"x\ny"sv, std::int64_t{1000}}}),
            "name          n\n"
            "---------  ----\n"
            "long name     7\n"
            "x\\u000ay   1000\n");
}

TEST(RowPrinter, csv_tells_nothing_from_an_empty_text) {
  EXPECT_EQ(printed("csv", kRows), "name,n\na,7\n\"b,\"\"c\"\"\nd\",0.5\n\"\",\n");
}

TEST(RowPrinter, json_is_one_document_or_a_line_each) {
  EXPECT_EQ(printed("json", kRows),
            "[\n{\"name\":\"a\",\"n\":7},\n{\"name\":\"b,\\\"c\\\"\\nd\",\"n\":0.5},\n"
            "{\"name\":\"\",\"n\":null}\n]\n");
  EXPECT_EQ(printed("jsonl", {{"a"sv, std::int64_t{7}}}), "{\"name\":\"a\",\"n\":7}\n");
  EXPECT_EQ(printed("json", {}), "[]\n");
}

TEST(RowPrinter, a_long_text_table_comes_while_rows_do) {
  std::size_t seen = 0;
  const auto printer = RowPrinter::make("text", [&](std::string_view text) {
    seen += text.size();
    return seen < 20'000;
  });
  printer->columns({"n"});
  std::int64_t rows = 0;
  const std::vector<ledger::Cell> row = {std::int64_t{123456}};
  while (printer->row(row)) {
    ++rows;
  }
  EXPECT_GT(rows, 1000);
  EXPECT_LT(rows, 4000);
}

}  // namespace
}  // namespace sortie::analysis
