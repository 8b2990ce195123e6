#pragma once

#include "sortie/base/error.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/parser.h"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// The table of answers as models write them (parser_cases.txt), for the parser's test and for the
// seeds of its fuzz target. No part of the library.

namespace sortie::dialogue {

struct ParserCase {
  std::string id;
  std::string family;  // models that write so
  std::size_t line = 0;
  chat::Answer answer;
  ParserOptions options;
  std::vector<ParsedCommand> commands;  // expected
  std::set<std::string> repairs;
  std::optional<std::string> visible;  // expected, if the case is about it
};

/// The cases of a table. Errors name the line and what was expected there.
[[nodiscard]] base::Result<std::vector<ParserCase>> parser_cases_from(std::string_view table);

/// The same of a file.
[[nodiscard]] base::Result<std::vector<ParserCase>> load_parser_cases(const std::string& path);

}  // namespace sortie::dialogue
