#include "sortie/base/width.h"

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

TEST(DisplayWidth, counts_east_asian_wide_characters_twice) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("plan"), 4U);
  EXPECT_EQ(display_width("置信区间"), 8U);
  EXPECT_EQ(display_width("95 % 区间（†）"), 14U);  // fullwidth brackets, a narrow dagger
  EXPECT_EQ(display_width("한국어ｶﾅカナ"), 12U);    // halfwidth and fullwidth katakana
  EXPECT_EQ(display_width("🚀"), 2U);
  EXPECT_EQ(display_width("𠀀"), 2U);  // an ideograph beyond the first plane
}

TEST(DisplayWidth, counts_what_western_reports_hold_once) {
  EXPECT_EQ(display_width("12.0–34.5 % ‡ √B “x” …"), 22U);
  EXPECT_EQ(display_width("éàß"), 3U);
}

TEST(DisplayWidth, gives_no_column_to_what_combines) {
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("a\u200Bb"), 2U);
  EXPECT_EQ(display_width("\u3099"), 0U);  // in a wide block, yet combining
}

TEST(DisplayWidth, counts_a_broken_byte_as_the_character_that_replaces_it) {
  EXPECT_EQ(display_width("a\xFFz"), 3U);
}

}  // namespace
}  // namespace sortie::base
