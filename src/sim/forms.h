#pragma once

#include "sortie/sim/skill.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How a simulated model spells its commands, and how it reads its own spelling again. Reading is
// the inverse of writing and of nothing else: what other programs accept is their business.

namespace sortie::sim {

enum class Tag : std::uint8_t { use_tool, find_tool, show_tool, finish };

/// A tool and its arguments as JSON text.
using SpelledCall = std::pair<std::string, std::string>;

/// A command that the model wrote, in the order of its replies.
struct Written {
  Tag tag = Tag::use_tool;
  std::string_view name;       // tool, query or result; empty: nothing that can be read
  std::string_view arguments;  // of a call, JSON text
};

/// Calls in this form; `plain` where the form is none of a call's or the arguments cannot be
/// written so.
[[nodiscard]] std::string spell_calls(Form form, const std::vector<SpelledCall>& calls);

/// Another command. Forms of families are for calls alone: here only the tag's end and the fence
/// count.
[[nodiscard]] std::string spell_command(Form form, Tag tag, std::string_view inside);

/// All commands of an answer. The views point into the text or into `respelled`, which keeps what
/// had to be written anew.
[[nodiscard]] std::vector<Written> read_commands(std::string_view text,
                                                 std::deque<std::string>& respelled);

/// A structured call of the native protocol, where the other commands are functions too.
[[nodiscard]] Written read_function_call(std::string_view name, std::string_view arguments);

// --- The usual form

[[nodiscard]] std::string use_tool_text(std::string_view tool, std::string_view arguments);
[[nodiscard]] std::string find_tool_text(std::string_view query);
[[nodiscard]] std::string show_tool_text(std::string_view tool);
[[nodiscard]] std::string finish_text(std::string_view result);

}  // namespace sortie::sim
