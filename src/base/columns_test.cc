#include "sortie/base/columns.h"

#include "sortie/base/width.h"

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

TEST(Fitted, cuts_between_characters_and_shows_that_it_did) {
  EXPECT_EQ(fitted("abc", 3), "abc");
  EXPECT_EQ(fitted("abcd", 3), "ab…");
  EXPECT_EQ(fitted("测试结果", 5), "测试…");
  EXPECT_EQ(fitted("测试结果", 4), "测…");
  EXPECT_EQ(fitted("测试", 1), "…");
  EXPECT_EQ(fitted("测试", 0), "");
  for (std::size_t columns = 0; columns < 12; ++columns) {
    EXPECT_LE(display_width(fitted("a测b\xFF试\U0001F680e\u0301", columns)), columns);
  }
}

TEST(Padded, takes_exactly_the_columns_it_was_given) {
  EXPECT_EQ(padded("测", 4), "测  ");
  EXPECT_EQ(padded("测试", 3), "测…");
  EXPECT_EQ(padded("测试", 2), "… ");
  EXPECT_EQ(display_width(padded("模型 qwen", 24)), 24U);
}

}  // namespace
}  // namespace sortie::base
