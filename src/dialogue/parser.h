#pragma once

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/repair.h"
#include "sortie/dialogue/transcript.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Understands answers. Tolerant of form, never of meaning: what can be understood without guessing
// becomes a command and the repair is recorded; names are taken as written and never matched by
// similarity. Time and memory are linear in the length of the answer, whatever its bytes.

namespace sortie::dialogue {

/// Changes whenever any answer could be understood in another way: part of a trial's key.
inline constexpr std::string_view kParserVersion = "parser/2";

/// Commands taken from one answer.
inline constexpr std::size_t kCommandsMax = 8;

struct ParsedCommand {
  CommandKind kind = CommandKind::use_tool;
  std::string name{};        // as in Command
  json::Object arguments{};  // use_tool
  bool readable = true;  // false: meant as a command, but its name or its arguments cannot be read
  std::optional<std::size_t> tool_call{};  // position in Answer::tool_calls if it stood there
};

struct ParsedAnswer {
  std::string visible;  // text without reasoning, trimmed: what is sent back to the model
  std::vector<ParsedCommand> commands;  // in order, at most kCommandsMax
  Repairs repairs;
};

struct ParserOptions {
  bool functions_offered = false;  // the native protocol: tool_calls are what was asked for
  bool commands_from_reasoning =
      false;  // the last command of the reasoning runs if the visible part has none
};

[[nodiscard]] ParsedAnswer parse_answer(const chat::Answer& answer, ParserOptions options);

}  // namespace sortie::dialogue
