#pragma once

#include "sortie/dialogue/transcript.h"
#include "sortie/suite/world.h"

#include <cstddef>
#include <string>
#include <string_view>

// Replies to commands: plain lines with the facts as JSON, the same for the same dialogue. They
// carry no time and no fact about the host, and never say which tool would be right.

namespace sortie::dialogue {

/// "use_tool data_processing_parser", "find_tool \"csv\"", "finish": what the reply is about.
[[nodiscard]] std::string command_title(CommandKind kind, std::string_view name);

/// "ok" and the result, or "rejected" / "failed" with code and message.
[[nodiscard]] std::string call_reply(const suite::CallResult& result);

/// "[2] use_tool x: ok …"; `number` counts from 1.
[[nodiscard]] std::string numbered_reply(std::size_t number,
                                         std::string_view title,
                                         std::string_view body);

[[nodiscard]] std::string not_run_reply(std::size_t failed_number);
[[nodiscard]] std::string not_understood_reply(bool native);
[[nodiscard]] std::string over_limit_reply();

/// For an answer without any command.
[[nodiscard]] std::string help_reply(bool native, bool truncated);

}  // namespace sortie::dialogue
