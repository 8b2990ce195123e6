#pragma once

#include "sortie/sim/openai.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

// A conversation as the simulated model remembers it: what it sent, in its own spelling, and what
// came of it.

namespace sortie::sim {

enum class CallOutcome : std::uint8_t {
  ok,
  rejected,  // by the world
  injected,  // failed by luck; may be repeated as it is
  not_run,   // an earlier command of the same answer did not succeed
};

struct PastCall {
  std::string_view tool;
  std::string_view arguments;  // JSON text; empty: the model does not see them any more
  CallOutcome outcome = CallOutcome::not_run;
  std::string_view handle;  // of what was produced, if ok
};

/// One answer of the model.
struct PastTurn {
  std::vector<PastCall> calls;
  std::vector<std::string_view> searches;  // queries of find_tool
  std::vector<std::string_view> lookups;   // tools of show_tool
};

struct Conversation {
  std::string_view opening;  // the first user message
  std::vector<PastTurn> turns;
  std::deque<std::string> respelled;  // what some views point into
};

/// The views point into the request and into the conversation itself.
[[nodiscard]] Conversation read_conversation(const ChatRequest& request);

}  // namespace sortie::sim
