#include "sortie/base/text.h"

#include "sortie/base/time.h"

#include <vector>

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

TEST(Text, utf8_sequences_are_recognised_and_broken_ones_replaced) {
  EXPECT_EQ(utf8_sequence_length("é"), 2U);
  EXPECT_EQ(utf8_sequence_length("测"), 3U);
  EXPECT_EQ(utf8_sequence_length("🚀"), 4U);
  EXPECT_EQ(utf8_sequence_length("\xC0\x80"), 0U);
  EXPECT_EQ(utf8_sequence_length("\xED\xA0\x80"), 0U);
  EXPECT_EQ(valid_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
}

TEST(Text, shortening_never_cuts_a_character) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("ab测", 3), "ab…");
}

TEST(Text, suggestions_are_near_or_list_the_choices) {
  const std::vector<std::string> names = {"baseline", "optimal", "cot"};
  EXPECT_EQ(suggestion("optmial", names), "; did you mean 'optimal'?");
  EXPECT_EQ(suggestion("zzzzzzzz", names), "; expected one of: baseline, optimal, cot");
  EXPECT_EQ(edit_distance("abcd", "abdc"), 1U);
}

TEST(Text, numbers_are_grouped) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(12400), "12,400");
  EXPECT_EQ(with_thousands(-1234567), "-1,234,567");
}

TEST(Time, people_read_durations_in_their_units) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  EXPECT_EQ(human(milliseconds(850)), "850 ms");
  EXPECT_EQ(human(milliseconds(12345)), "12.3 s");
  EXPECT_EQ(human(seconds(245)), "4 min 05 s");
  EXPECT_EQ(human(seconds(22320)), "6 h 12 min");
  EXPECT_EQ(to_iso8601(ManualClock().wall()), "2026-01-01T00:00:00.000000Z");
}

}  // namespace
}  // namespace sortie::base
