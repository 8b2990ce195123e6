#include "sortie/ledger/checksum.h"

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

std::int64_t sum_of(const std::string& text) {
  Checksum sum("turn");
  sum.text(text);
  return sum.value();
}

TEST(Checksum, changes_with_every_flipped_bit) {
  const std::string text = "a route, a model and 21 more bytes";
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(sum_of(flipped), sum_of(text)) << "bit " << bit;
  }
}

TEST(Checksum, tells_apart_where_columns_begin_and_what_they_are) {
  Checksum one("turn");
  one.text("ab");
  one.text("c");
  Checksum other("turn");
  other.text("a");
  other.text("bc");
  EXPECT_NE(one.value(), other.value());

  Checksum number("turn");
  number.integer(0);
  Checksum nothing("turn");
  nothing.null();
  Checksum blob("turn");
  blob.blob("");
  EXPECT_NE(number.value(), nothing.value());
  EXPECT_NE(blob.value(), sum_of(""));
}

TEST(Checksum, differs_between_tables) {
  EXPECT_NE(Checksum("attempt").value(), Checksum("turn").value());
}

TEST(Checksum, takes_both_zeros_for_one_as_sqlite_does) {
  Checksum plus("score");
  plus.real(0.0);
  Checksum minus("score");
  minus.real(-0.0);
  EXPECT_EQ(plus.value(), minus.value());
}

TEST(Checksum, columns_added_later_do_not_change_rows_that_have_none_of_them) {
  Checksum before("score");
  before.integer(7);
  Checksum after("score");
  after.integer(7);
  after.null_if_followed();
  after.null_if_followed();
  EXPECT_EQ(after.value(), before.value());

  Checksum second("score");
  second.integer(7);
  second.null_if_followed();
  second.integer(1);
  Checksum first("score");
  first.integer(7);
  first.integer(1);
  first.null_if_followed();
  EXPECT_NE(second.value(), before.value());
  EXPECT_NE(second.value(), first.value());
}

// docs/design/ledger.md promises these values to other programs.
TEST(Checksum, is_fixed_for_ever) {
  Checksum sum("event");
  sum.integer(-1);
  sum.real(0.5);
  sum.text("gate");
  sum.blob(std::string("\0\1\2\3\4\5\6\7\x08", 9));
  sum.null();
  EXPECT_EQ(static_cast<std::uint64_t>(sum.value()), 0x7D8B3BA8E6C6BC40ULL);
}

}  // namespace
}  // namespace sortie::ledger
