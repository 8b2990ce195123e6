#include "sortie/spec/node.h"

#include "sortie/base/error.h"

#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::spec {

namespace {

/// The message of reading `text` as "f.yaml"; "" if it is valid.
std::string error_of(std::string_view text) {
  Problems problems("f.yaml", text);
  (void)parse_yaml(text, problems);
  return problems.any() ? problems.error().message : "";
}

Node parsed(std::string_view text) {
  Problems problems("f.yaml", text);
  std::optional<Node> node = parse_yaml(text, problems);
  EXPECT_FALSE(problems.any()) << problems.error().message;
  return node ? *node : Node{};
}

TEST(Yaml, becomes_a_tree_with_positions) {
  const Node root = parsed("# comment\na: 1\nb:\n  - x\n  - {c: \"2\", d: }\n");
  ASSERT_EQ(root.kind, Node::Kind::mapping);
  ASSERT_EQ(root.entries.size(), 2U);
  EXPECT_EQ(root.entries[0].key, "a");
  EXPECT_EQ(root.entries[0].value.text, "1");
  EXPECT_FALSE(root.entries[0].value.quoted);
  EXPECT_EQ(root.entries[0].value.mark, (Mark{.line = 1, .column = 3}));
  const Node& list = root.entries[1].value;
  ASSERT_EQ(list.kind, Node::Kind::list);
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_EQ(list.items[1].entries[0].value.text, "2");
  EXPECT_TRUE(list.items[1].entries[0].value.quoted);
  EXPECT_EQ(list.items[1].entries[1].value.kind, Node::Kind::nothing);
  EXPECT_EQ(list.items[1].entries[1].value.mark, list.items[1].entries[1].mark)
      << "what is absent is reported where its key stands";
}

TEST(Yaml, reads_null_words_as_nothing_unless_quoted) {
  const Node root = parsed("[~, null, \"null\", '']");
  EXPECT_EQ(root.items[0].kind, Node::Kind::nothing);
  EXPECT_EQ(root.items[1].kind, Node::Kind::nothing);
  EXPECT_EQ(root.items[2].text, "null");
  EXPECT_EQ(root.items[3].kind, Node::Kind::scalar);
}

TEST(Yaml, replaces_aliases_by_what_they_name) {
  const Node root = parsed("a: &x [1, 2]\nb: *x\nc: &y 5\nd: *y\n");
  EXPECT_EQ(root.entries[1].value.items.size(), 2U);
  EXPECT_EQ(root.entries[3].value.text, "5");
}

TEST(Yaml, merges_mappings_and_lets_the_own_entry_win) {
  const Node root = parsed("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {y: 3, <<: [*a, *b]}\n");
  const Node& merged = root.entries[2].value;
  ASSERT_EQ(merged.entries.size(), 3U);
  EXPECT_EQ(merged.entries[0].value.text, "3");
  EXPECT_EQ(merged.entries[1].key, "x");
  EXPECT_EQ(merged.entries[2].key, "z");
  EXPECT_EQ(error_of("a: {<<: 5}"), "f.yaml:1:5: << merges mappings, found a text");
}

TEST(Yaml, refuses_duplicate_keys_that_the_parser_lets_through) {
  EXPECT_EQ(error_of("a: 1\nb: 2\na: 3\n"), "f.yaml:3:1: duplicate key 'a', first in line 1");
  EXPECT_EQ(error_of("x: {k: 1, \"k\": 1}"), "f.yaml:1:11: duplicate key 'k', first in line 1");
  EXPECT_EQ(error_of("a: &a {x: 1}\nb: {<<: *a, <<: *a}"),
            "f.yaml:2:13: duplicate key '<<', first in line 2");
}

TEST(Yaml, says_where_the_syntax_is_wrong) {
  EXPECT_EQ(error_of("a: [1, 2\nb: 3\n"),
            "f.yaml:1:4: not valid YAML: the [ that stands here is never closed");
  EXPECT_EQ(error_of("a: {b: 1\nc: 2\n"),
            "f.yaml:1:4: not valid YAML: the { that stands here is never closed");
  EXPECT_EQ(error_of("a: b: c"), "f.yaml:1:5: not valid YAML: illegal map value");
  EXPECT_EQ(error_of("a:\n  - b\n c"), "f.yaml:3:2: not valid YAML: end of map not found");
  EXPECT_EQ(error_of("a:\n\tb: 1"),
            "f.yaml:2:3: not valid YAML: illegal map value; tabs cannot indent");
  EXPECT_EQ(error_of("a: 'x"), "f.yaml:1:6: not valid YAML: illegal EOF in scalar");
  EXPECT_EQ(error_of("a: *x"), "f.yaml:1:4: not valid YAML: the referenced anchor is not defined");
  EXPECT_EQ(error_of("a: &x [*x]"),
            "f.yaml:1:8: not valid YAML: an alias cannot stand inside what it names");
  EXPECT_EQ(error_of("a: !!binary x"),
            "f.yaml:1:4: not valid YAML: tags are not allowed, found tag:yaml.org,2002:binary");
}

TEST(Yaml, refuses_keys_that_are_no_text) {
  EXPECT_EQ(error_of("? [a]\n: b"), "f.yaml:1:3: a key must be a text, found a list");
  EXPECT_EQ(error_of("~: b"), "f.yaml:1:1: a key must be a text, found nothing");
}

TEST(Yaml, refuses_a_second_document) {
  EXPECT_EQ(error_of("a: 1\n---\nb: 1\n"),
            "f.yaml:3:1: a second document begins here, expected one per file");
  EXPECT_EQ(error_of("---\na: 1\n...\n"), "");
}

TEST(Yaml, counts_columns_in_characters) {
  EXPECT_EQ(error_of("a: {ä: 1, é: 2, é: 3}"), "f.yaml:1:17: duplicate key 'é', first in line 1");
}

TEST(Yaml, ignores_a_byte_order_mark_and_windows_line_ends) {
  EXPECT_EQ(error_of("\xEF\xBB\xBF"
                     "a: 1\r\nb: 2\r\nb: 3\r\n"),
            "f.yaml:3:1: duplicate key 'b', first in line 2");
  EXPECT_EQ(parsed("\xEF\xBB\xBF"
                   "a: 1\r\nb: x\r\n")
                .entries[1]
                .value.text,
            "x");
}

TEST(Yaml, refuses_bytes_that_are_no_text) {
  EXPECT_EQ(error_of("a: 1\nb: \xFF"), "f.yaml:2:4: not a text in UTF-8");
  EXPECT_EQ(error_of(std::string_view("a: \0", 4)), "f.yaml:1:4: not a text in UTF-8");
  EXPECT_EQ(error_of("a: \x1B[2J"), "f.yaml:1:4: not a text in UTF-8");
}

TEST(Yaml, is_limited_in_bytes_depth_and_values) {
  EXPECT_EQ(error_of(std::string(kYamlBytesMax + 1, ' ')),
            "f.yaml:1:1: larger than 4,194,304 bytes");
  EXPECT_EQ(error_of(std::string(kYamlDepthMax, '[') + std::string(kYamlDepthMax, ']')), "");
  EXPECT_EQ(error_of(std::string(kYamlDepthMax + 1, '[') + std::string(kYamlDepthMax + 1, ']')),
            "f.yaml:1:33: not valid YAML: nested deeper than 32 levels");
  // Each level names the one before ten times: a file of 300 bytes that stands for a billion
  // values.
  std::string bomb = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 10; ++level) {
    bomb += fmt::format("l{0}: &l{0} [", level);
    for (int i = 0; i < 10; ++i) {
      bomb += fmt::format("{}*l{}", i == 0 ? "" : ", ", level - 1);
    }
    bomb += "]\n";
  }
  EXPECT_EQ(error_of(bomb),
            "f.yaml:6:10: not valid YAML: more than 200000 values, with aliases counted as what "
            "they stand for");
  // Aliases can nest what is itself deep enough.
  std::string deep = "a: &a0 " + std::string(20, '[') + std::string(20, ']') + "\n";
  deep += "b: " + std::string(12, '[') + "*a0" + std::string(12, ']') + "\n";
  EXPECT_EQ(error_of(deep), "f.yaml:2:16: not valid YAML: nested deeper than 32 levels");
}

TEST(Problems, come_in_file_order_and_ten_at_most) {
  Problems problems("f.yaml", "");
  for (int line = 14; line >= 0; --line) {
    problems.add({.line = line, .column = 0}, fmt::format("problem {}", line));
  }
  const base::Error error = problems.error();
  EXPECT_TRUE(error.message.starts_with("f.yaml:1:1: problem 0\nf.yaml:2:1: problem 1\n"))
      << error.message;
  EXPECT_TRUE(error.message.ends_with("f.yaml:10:1: problem 9\nf.yaml: and 5 more"))
      << error.message;
  EXPECT_EQ(error.remedy, base::Remedy::bad_input);
}

}  // namespace

}  // namespace sortie::spec
