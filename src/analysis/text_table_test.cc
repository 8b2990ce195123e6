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

}  // namespace
}  // namespace sortie::analysis
