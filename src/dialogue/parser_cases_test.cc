#include "sortie/dialogue/parser_cases.h"

#include "sortie/base/json.h"
#include "sortie/dialogue/parser.h"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::dialogue {
namespace {

std::vector<ParserCase> table() {
  auto cases = load_parser_cases(SORTIE_PARSER_CASES);
  EXPECT_TRUE(cases.has_value()) << cases.error().message;
  return cases ? *std::move(cases) : std::vector<ParserCase>();
}

std::string shown(const std::vector<ParsedCommand>& commands) {
  std::string out;
  for (const ParsedCommand& command : commands) {
    if (!command.readable) {
      out += "unreadable\n";
      continue;
    }
    out += std::string(to_string(command.kind)) + " " + command.name;
    out += command.kind == CommandKind::use_tool ? " " + json::canonical(command.arguments) : "";
    out += "\n";
  }
  return out;
}

std::string joined(const std::set<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    out += name + " ";
  }
  return out;
}

TEST(ParserCases, the_table_has_at_least_150_answers) {
  EXPECT_GE(table().size(), 150U);
}

TEST(ParserCases, every_answer_gives_the_expected_commands_and_repairs) {
  for (const ParserCase& one : table()) {
    SCOPED_TRACE("parser_cases.txt:" + std::to_string(one.line) + " " + one.id);
    const ParsedAnswer parsed = parse_answer(one.answer, one.options);
    EXPECT_EQ(shown(parsed.commands), shown(one.commands));
    const auto names = parsed.repairs.names();
    EXPECT_EQ(joined({names.begin(), names.end()}), joined(one.repairs));
    if (one.visible) {
      EXPECT_EQ(parsed.visible, *one.visible);
    }
  }
}

TEST(ParserCases, every_repair_occurs) {
  std::set<std::string> seen;
  for (const ParserCase& one : table()) {
    seen.insert(one.repairs.begin(), one.repairs.end());
  }
  for (unsigned i = 0; i < static_cast<unsigned>(Repair::count); ++i) {
    const std::string name(to_string(static_cast<Repair>(i)));
    EXPECT_TRUE(seen.contains(name)) << name;
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(Repair::count)) << joined(seen);
}

TEST(ParserCases, a_broken_table_is_refused_with_its_line) {
  const auto error = [](std::string_view table) {
    const auto cases = parser_cases_from(table);
    return cases ? "" : cases.error().message;
  };
  EXPECT_EQ(error("# nothing\n"), "");
  EXPECT_EQ(error("hello"), "line 1: expected a line that begins with '@@ '");
  EXPECT_EQ(error("@@ text\nx"), "line 1: expected '@@ id | model family' first");
  EXPECT_EQ(error("@@ a | b\n@@ a | b"), "line 2: the id 'a' is taken");
  EXPECT_EQ(error("@@ a | b | cur"),
            "line 1: unknown option 'cur'; expected native, from_reasoning, cut or escaped");
  EXPECT_EQ(error("@@ a | b\n@@ txt"),
            "line 2: unknown section 'txt'; expected text, reasoning, call NAME or expect");
  EXPECT_EQ(error("@@ a | b\n@@ expect\nuse_tool x"),
            "line 3: expected 'use_tool NAME {arguments as JSON}'");
  EXPECT_EQ(error("@@ a | b\n@@ expect\nuse x"), "line 3: unknown expectation 'use'");
}

}  // namespace
}  // namespace sortie::dialogue
