#include "sortie/base/printable.h"

#include "sortie/base/json.h"

#include <string>

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

TEST(Printable, writes_out_what_steers_a_terminal_or_reorders_its_text) {
  EXPECT_EQ(printable("a\x1b[31mb\x07\r"), "a\\u001b[31mb\\u0007\\u000d");
  EXPECT_EQ(printable("m\u202Egpj.exe"), "m\\u202egpj.exe");
  EXPECT_EQ(printable("\u009B2J\u0085"), "\\u009b2J\\u0085");
  EXPECT_EQ(printable("\u2066x\u2069\u200F\u061C\u2028"), "\\u2066x\\u2069\\u200f\\u061c\\u2028");
  EXPECT_EQ(printable(std::string_view("\0\x7f", 2)), "\\u0000\\u007f");
  EXPECT_EQ(printable("\x9b"
                      "2J"),
            "\uFFFD"
            "2J");  // a C1 byte without UTF-8
}

TEST(Printable, leaves_lines_tabs_and_other_text_alone) {
  const std::string text = "one\n\ttwo – ünïcode 日本 🙂\n";
  EXPECT_EQ(printable(text), text);
  EXPECT_EQ(printable_line(text), "one\\u000a\\u0009two – ünïcode 日本 🙂\\u000a");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, keeps_a_json_document_the_same_document) {
  const json::Value value = json::Object{{"a\u202E", "x\x1b[2J\u0085\x7f\n\u2066"}};
  const auto again = json::parse(printable(json::to_pretty_text(value)));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, value);
}

}  // namespace
}  // namespace sortie::base
