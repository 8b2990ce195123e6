#include "sortie/suite/content.h"

#include "sortie/base/json.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace sortie::suite {

TEST(Content, a_source_holds_the_same_rows_always_and_another_source_others) {
  const Subject& orders = subject_of("data/orders/a.csv");
  EXPECT_EQ(orders.name, "orders");
  const Table table = source_table("data/orders/a.csv", orders);
  EXPECT_EQ(table.csv(), source_table("data/orders/a.csv", orders).csv());
  EXPECT_NE(table.csv(), source_table("data/orders/b.csv", orders).csv());
  EXPECT_EQ(table.rows(), 10U);
}

TEST(Content, numbers_stay_in_the_range_of_their_field_and_words_are_known) {
  for (const Subject& subject : subjects()) {
    for (int i = 0; i < 20; ++i) {
      const Table table = source_table("s/" + std::to_string(i), subject);
      for (std::size_t c = 1; c < table.columns.size(); ++c) {
        for (const double value : table.values(c)) {
          if (table.columns[c].numeric()) {
            EXPECT_GE(value, subject.fields[c].low);
            EXPECT_LE(value, subject.fields[c].high);
          } else {
            EXPECT_LT(value, static_cast<double>(table.columns[c].words.size()));
          }
        }
      }
    }
  }
}

TEST(Content, every_subject_has_words_to_group_by_and_ends_with_a_number) {
  std::set<std::string_view> names;
  for (const Subject& subject : subjects()) {
    EXPECT_TRUE(names.insert(subject.name).second);
    EXPECT_FALSE(subject.fields[1].words.empty()) << subject.name;
    EXPECT_TRUE(subject.fields.back().words.empty()) << subject.name;
    EXPECT_GT(subject.fields.back().high, subject.fields.back().low) << subject.name;
  }
}

TEST(Content, a_subject_is_a_whole_part_of_a_path) {
  EXPECT_EQ(subject_of("https://x.example.com/tickets/oslo").name, "tickets");
  EXPECT_EQ(subject_of("data/mytickets/a.csv").name, subjects().front().name);
}

TEST(Content, formats_come_from_the_extension) {
  EXPECT_EQ(format_of_path("a/b.csv"), Format::csv);
  EXPECT_EQ(format_of_path("a/b.json"), Format::json);
  EXPECT_EQ(format_of_path("a/b"), Format::none);
  EXPECT_EQ(format_of_path("a.b/c"), Format::none);
  EXPECT_EQ(format_from("nothing"), Format::none);
  EXPECT_EQ(to_string(format_from("lines")), "lines");
}

TEST(Content, the_measure_is_the_last_number_column) {
  const Table table = source_table("x", subject_of("orders"));
  EXPECT_EQ(table.columns[*table.measure()].name, "amount");
  EXPECT_FALSE(Table{}.measure());
}

TEST(Content, rounding_keeps_four_decimals_and_survives_the_extremes) {
  EXPECT_EQ(rounded(1.00004), 1.0);
  EXPECT_EQ(rounded(1.00006), 1.0001);
  EXPECT_EQ(rounded(-2.5), -2.5);
  EXPECT_EQ(rounded(1e300), 1e300);
}

}  // namespace sortie::suite
