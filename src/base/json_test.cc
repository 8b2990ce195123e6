#include "sortie/base/json.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::json {
namespace {

TEST(Json, canonical_text_is_equal_for_equal_values) {
  EXPECT_EQ(canonical(parse(R"({"b":1.0,"a":[1e0,"x"]})").value()), R"({"a":[1,"x"],"b":1})");
  EXPECT_EQ(canonical(parse("0.1").value()), "0.1");
  EXPECT_EQ(canonical(parse("-0.0").value()), "0");
}

TEST(Json, text_reads_back_as_the_same_value) {
  const std::string text = R"({"z":[1,2.5,true,null],"a":{"q":"\"\\\n"},"e":""})";
  EXPECT_EQ(to_text(parse(text).value()), text);
}

TEST(Json, quoted_text_is_valid_json_whatever_the_bytes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    all.push_back(static_cast<char>(byte));
  }
  std::string quoted;
  append_quoted(quoted, all);
  const auto value = parse(quoted);
  ASSERT_TRUE(value.has_value()) << value.error().message;
  EXPECT_TRUE(view(value->get_string()).starts_with(all.substr(0, 128)));
  quoted.clear();
  append_quoted(quoted, "größer 测试 🚀");
  EXPECT_EQ(view(parse(quoted)->get_string()), "größer 测试 🚀");
}

TEST(Json, quotes_every_byte_wherever_it_stands) {
  // Runs are copied eight bytes at a time and in chunks: each special sequence meets every offset.
  const std::vector<std::pair<std::string, std::string>> specials = {
      {"\"", "\\\""},
      {"\\", "\\\\"},
      {"\n", "\\n"},
      {std::string(1, '\0'), "\\u0000"},
      {"\x1f", "\\u001f"},
      {" ", " "},
      {"\x7f", "\x7f"},
      {"é", "é"},
      {"🚀", "🚀"},
      {"\xC3", "\xEF\xBF\xBD"}};
  for (const auto& [raw, escaped] : specials) {
    for (std::size_t before = 0; before < 300; ++before) {
      std::string text(before, 'x');
      std::string quoted;
      append_quoted(quoted, text + raw + "yz");
      ASSERT_EQ(quoted, "\"" + text + escaped + "yz\"") << before;
    }
  }
}

TEST(Json, errors_name_the_byte) {
  EXPECT_TRUE(parse(R"({"a":1,})").error().message.starts_with("not valid JSON at byte"));
  EXPECT_FALSE(parse("").has_value());
  EXPECT_FALSE(parse("1 2").has_value());
  EXPECT_FALSE(parse(std::string(100, '[')).has_value());
  EXPECT_FALSE(parse("[1]", {.bytes_max = 2}).has_value());
}

TEST(Json, members_are_read_by_type) {
  const Value value = parse(R"({"i":3,"d":2.0,"s":"x","b":true,"o":{},"a":[]})").value();
  EXPECT_EQ(get_int(value, "i"), 3);
  EXPECT_EQ(get_int(value, "d"), 2);
  EXPECT_EQ(get_double(value, "i"), 3.0);
  EXPECT_EQ(get_string(value, "s"), "x");
  EXPECT_EQ(get_bool(value, "b"), true);
  EXPECT_NE(get_object(value, "o"), nullptr);
  EXPECT_NE(get_array(value, "a"), nullptr);
  EXPECT_EQ(get_int(value, "s"), std::nullopt);
  EXPECT_EQ(get_string(value, "missing"), std::nullopt);
  EXPECT_EQ(get_string(Value(1), "s"), std::nullopt);
}

}  // namespace
}  // namespace sortie::json
