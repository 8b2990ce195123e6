#include "sortie/sim/conversation.h"

#include "sortie/base/text.h"
#include "sortie/sim/openai.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::sim {

namespace {

enum class Tag : std::uint8_t { use_tool, find_tool, show_tool, finish };

struct TagName {
  Tag tag;
  std::string_view open;
  std::string_view close;
};

constexpr std::array<TagName, 4> kTags = {{{Tag::use_tool, "<use_tool>", "</use_tool>"},
                                           {Tag::find_tool, "<find_tool>", "</find_tool>"},
                                           {Tag::show_tool, "<show_tool>", "</show_tool>"},
                                           {Tag::finish, "<finish>", "</finish>"}}};

constexpr std::string_view kNameBegin = R"({"name":")";
constexpr std::string_view kArgumentsBegin = R"(","arguments":)";

/// A command that the model wrote, in the order of its replies.
struct Written {
  Tag tag = Tag::use_tool;
  std::string_view name;       // tool or query
  std::string_view arguments;  // JSON text
};

/// Reads the model's own spelling of a call, closed or not.
void read_call(std::string_view inside, Written& out) {
  std::string_view rest = base::trim(inside);
  if (!rest.starts_with(kNameBegin)) {
    return;
  }
  rest.remove_prefix(kNameBegin.size());
  const std::size_t name_end = rest.find(kArgumentsBegin);
  const std::size_t object_end = rest.rfind('}');
  if (name_end == std::string_view::npos || object_end == std::string_view::npos) {
    return;
  }
  const std::size_t begin = name_end + kArgumentsBegin.size();
  out.name = rest.substr(0, name_end);
  out.arguments = object_end > begin ? rest.substr(begin, object_end - begin) : std::string_view{};
}

std::vector<Written> read_commands(std::string_view text) {
  std::vector<Written> out;
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    for (const TagName& tag : kTags) {
      if (!text.substr(at).starts_with(tag.open)) {
        continue;
      }
      const std::string_view rest = text.substr(at + tag.open.size());
      const std::string_view inside = rest.substr(0, rest.find(tag.close));
      Written written{.tag = tag.tag, .name = {}, .arguments = {}};
      if (tag.tag == Tag::use_tool) {
        read_call(inside, written);
      } else {
        written.name = base::trim(inside);
      }
      out.push_back(written);
    }
  }
  return out;
}

Written from_function_call(const AskedCall& call) {
  for (const TagName& tag : kTags) {
    if (tag.tag != Tag::use_tool && call.name == tag.open.substr(1, tag.open.size() - 2)) {
      // {"query":"words"}: the value of the only member, without escapes in anything the model
      // writes.
      const std::size_t colon = call.arguments.find(":\"");
      const std::size_t end = call.arguments.rfind('"');
      const bool found = colon != std::string_view::npos && end > colon + 1;
      return {
          .tag = tag.tag,
          .name = found ? call.arguments.substr(colon + 2, end - colon - 2) : std::string_view{},
          .arguments = {}};
    }
  }
  return {.tag = Tag::use_tool, .name = call.name, .arguments = call.arguments};
}

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

/// The turn that begins with the assistant's message at `at`; `at` moves behind its replies.
PastTurn read_turn(const ChatRequest& request, std::size_t& at) {
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
    record(turn, from_function_call(call), reply);
  }
  if (answer.tool_calls.empty()) {
    const std::string_view reply =
        replies < at ? request.messages[replies].text : std::string_view{};
    std::size_t number = 0;
    for (const Written& written : read_commands(answer.text)) {
      record(turn, written, numbered_reply(reply, ++number));
    }
  }
  return turn;
}

std::string tagged(Tag tag, std::string_view inside) {
  const TagName& name = kTags.at(static_cast<std::size_t>(tag));
  std::string out(name.open);
  out += inside;
  out += name.close;
  return out;
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
    out.turns.push_back(read_turn(request, at));
  }
  return out;
}

std::string use_tool_text(std::string_view tool, std::string_view arguments) {
  std::string inside(kNameBegin);
  inside += tool;
  inside += kArgumentsBegin;
  inside += arguments;
  inside += '}';
  return tagged(Tag::use_tool, inside);
}

std::string find_tool_text(std::string_view query) {
  return tagged(Tag::find_tool, query);
}

std::string show_tool_text(std::string_view tool) {
  return tagged(Tag::show_tool, tool);
}

std::string finish_text(std::string_view result) {
  return tagged(Tag::finish, result);
}

}  // namespace sortie::sim
