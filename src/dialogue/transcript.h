#pragma once

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/suite/world.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What happened in a dialogue, as far as scores need it. A transcript is a pure function of the
// trial's parameters and the recorded answers, so it is never stored: replaying gives it back.

namespace sortie::dialogue {

enum class CommandKind : std::uint8_t { find_tool, show_tool, use_tool, finish };

[[nodiscard]] std::string_view to_string(CommandKind kind);

/// One command understood in an answer, and what became of it.
struct Command {
  CommandKind kind = CommandKind::use_tool;
  std::string name{};        // tool (use_tool, show_tool), query (find_tool), text (finish)
  json::Object arguments{};  // use_tool
  bool ran = false;          // false: an earlier command of the same answer did not succeed
  bool succeeded = false;
  std::optional<std::size_t> call{};  // position in Transcript::calls when a tool was called
};

struct Turn {
  std::size_t answer = 0;  // position of the assistant message in the dialogue's history
  std::vector<Command> commands{};
  std::vector<std::string> repairs{};  // "unclosed_tag", "code_fence", …
  std::size_t unreadable = 0;          // commands that could not be read; not among `commands`
  bool understood = false;             // at least one command
  bool empty = false;                  // no visible text and no call
  bool injected = false;               // a call of this turn failed by luck
  bool truncated = false;              // finish reason length
  bool filtered = false;
  bool refused = false;
};

enum class End : std::uint8_t { open, finish, max_turns, loop, filtered, context_full };

[[nodiscard]] std::string_view to_string(End end);

struct Transcript {
  std::vector<Turn> turns;
  std::vector<suite::CallRecord> calls;  // every tool call that ran, in order
  End end = End::open;
  bool goal_met = false;  // when the dialogue ended
  double progress = 0;
  bool clean = true;
  std::vector<bool> required_done;  // per task.goal.required
};

}  // namespace sortie::dialogue
