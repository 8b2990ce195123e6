#include "sortie/analysis/text_table.h"

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

TEST(TextTable, aligns_words_left_numbers_right_and_counts_characters) {
  TextTable table({"name", "n"});
  table.add({"müller", "7"});
  table.add({"x", "123"});
  EXPECT_EQ(table.render(),
            "name      n\n"
            "------  ---\n"
            "müller    7\n"
            "x       123\n");
}

TEST(TextTable, aligns_wide_characters_by_the_columns_that_they_take) {
  TextTable table({"模型", "n", "标记"});
  table.add({"qwen", "7", "不完整"});
  table.add({"通义千问", "123", "x"});
  EXPECT_EQ(table.render(),
            "模型        n  标记\n"
            "--------  ---  ------\n"
            "qwen        7  不完整\n"
            "通义千问  123  x\n");
}

TEST(TextTable, takes_differences_and_bounds_for_numbers_and_dashes_for_words) {
  TextTable table({"points", "p", "test"});
  table.add({"+52.0", "<0.001", "-"});
  table.add({"-4.0", "0.070", "-x"});
  EXPECT_EQ(table.render(),
            "points       p  test\n"
            "------  ------  ----\n"
            " +52.0  <0.001  -\n"
            "  -4.0   0.070  -x\n");
}

}  // namespace
}  // namespace sortie::analysis
