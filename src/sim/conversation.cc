#include "sortie/sim/conversation.h"

#include "sortie/sim/forms.h"
#include "sortie/sim/openai.h"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::sim {

namespace {

struct Outcome {
  CallOutcome outcome = CallOutcome::not_run;
  std::string_view handle;
};

/// "ok", "rejected" or "failed", a line break, and facts as JSON, of which an artifact comes first.
Outcome read_outcome(std::string_view body) {
  if (body.starts_with("rejected")) {
    return {.outcome = CallOutcome::rejected, .handle = {}};
  }
  if (body.starts_with("failed")) {
    return {.outcome = CallOutcome::injected, .handle = {}};
  }
  if (!body.starts_with("ok\n")) {
    return {};
  }
  constexpr std::string_view kArtifact = R"({"artifact":")";
  const std::size_t at = body.find(kArtifact);
  if (at == std::string_view::npos) {
    return {.outcome = CallOutcome::ok, .handle = {}};
  }
  const std::string_view rest = body.substr(at + kArtifact.size());
  return {.outcome = CallOutcome::ok, .handle = rest.substr(0, rest.find('"'))};
}

/// The reply to command `number` (from 1) of a message with "[1] use_tool x: ok…" lines; facts
/// stand on one line each, so that a number in brackets at the beginning of a line is always a
/// reply's.
std::string_view numbered_reply(std::string_view text, std::size_t number) {
  const std::string mark = "[" + std::to_string(number) + "] ";
  std::size_t at = text.starts_with(mark) ? 0 : std::string_view::npos;
  if (at == std::string_view::npos) {
    at = text.find("\n" + mark);
    if (at == std::string_view::npos) {
      return {};
    }
    ++at;
  }
  return text.substr(at + mark.size());
}

/// What follows the title: "use_tool x: ok…" → "ok…".
std::string_view after_title(std::string_view reply) {
  const std::size_t colon = reply.find(": ");
  return colon == std::string_view::npos ? std::string_view{} : reply.substr(colon + 2);
}

void record(PastTurn& turn, const Written& written, std::string_view reply) {
  switch (written.tag) {
    case Tag::find_tool:
      turn.searches.push_back(written.name);
      return;
    case Tag::show_tool:
      turn.lookups.push_back(written.name);
      return;
    case Tag::finish:
      return;
    case Tag::use_tool:
      break;
  }
  const Outcome outcome = read_outcome(after_title(reply));
  turn.calls.push_back({.tool = written.name,
                        .arguments = written.arguments,
                        .outcome = outcome.outcome,
                        .handle = outcome.handle});
}

/// Commands that ran although the model does not see them any more: they stood in its reasoning,
/// which nobody sends back. The titles of the replies name them.
void record_unseen(PastTurn& turn, std::string_view reply) {
  constexpr std::string_view kCall = "use_tool ";
  for (std::size_t number = 1;; ++number) {
    const std::string_view one = numbered_reply(reply, number);
    if (one.empty()) {
      return;
    }
    if (one.starts_with(kCall)) {
      const std::string_view name = one.substr(kCall.size());
      record(turn,
             {.tag = Tag::use_tool, .name = name.substr(0, name.find(':')), .arguments = {}},
             one);
    }
  }
}

/// The turn that begins with the assistant's message at `at`; `at` moves behind its replies.
PastTurn read_turn(const ChatRequest& request,
                   std::size_t& at,
                   std::deque<std::string>& respelled) {
  const AskedMessage& answer = request.messages[at++];
  PastTurn turn;
  const std::size_t replies = at;
  while (at < request.messages.size() && request.messages[at].role != "assistant") {
    ++at;
  }
  for (const AskedCall& call : answer.tool_calls) {
    std::string_view reply;
    for (std::size_t i = replies; i < at; ++i) {
      if (request.messages[i].tool_call_id == call.id) {
        reply = request.messages[i].text;
      }
    }
    record(turn, read_function_call(call.name, call.arguments), reply);
  }
  if (answer.tool_calls.empty()) {
    const std::string_view reply =
        replies < at ? request.messages[replies].text : std::string_view{};
    std::size_t number = 0;
    for (const Written& written : read_commands(answer.text, respelled)) {
      record(turn, written, numbered_reply(reply, ++number));
    }
    if (number == 0) {
      record_unseen(turn, reply);
    }
  }
  return turn;
}

}  // namespace

Conversation read_conversation(const ChatRequest& request) {
  Conversation out;
  std::size_t at = 0;
  while (at < request.messages.size() && request.messages[at].role != "assistant") {
    if (out.opening.empty() && request.messages[at].role == "user") {
      out.opening = request.messages[at].text;
    }
    ++at;
  }
  while (at < request.messages.size()) {
    out.turns.push_back(read_turn(request, at, out.respelled));
  }
  return out;
}

}  // namespace sortie::sim
