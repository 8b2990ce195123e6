#include "sortie/sim/agent.h"

#include "sortie/base/json.h"
#include "sortie/sim/conversation.h"
#include "sortie/sim/draws.h"
#include "sortie/sim/mind.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::sim {

namespace {

constexpr double kBytesPerToken = 4;
constexpr std::size_t kProseBytesMax = 16UL * 1024;

/// What a model says around its commands. No sentence holds a tag, a tool's name or anything that a
/// parser could run.
constexpr std::array<std::string_view, 12> kSentences = {
    "Let me look at what has been done so far.",
    "The previous result is what I need for the next part.",
    "I will take this one step at a time.",
    "The values have to be exactly as the text gives them.",
    "Now the input for this step is available.",
    "After this I only have to pass the result on.",
    "That should be enough to go on.",
    "I keep the order in which the results depend on each other.",
    "There is no reason to change anything that already worked.",
    "I check the kind of the result before I use it.",
    "The next step follows from the last one.",
    "If this fails I will look at the message and decide again.",
};

std::string prose(const AgentInput& input, std::uint32_t turn) {
  const auto draw = [&](TurnPurpose purpose) {
    return input.draws.of_turn(turn, static_cast<std::uint32_t>(purpose));
  };
  const double tokens = log_normal(
      input.prose_tokens, draw(TurnPurpose::prose_length), draw(TurnPurpose::prose_length_2));
  const std::size_t bytes =
      std::min(kProseBytesMax, static_cast<std::size_t>(tokens * kBytesPerToken));
  auto sentence = static_cast<std::size_t>(draw(TurnPurpose::prose_first) *
                                           static_cast<double>(kSentences.size()));
  std::string out;
  while (out.size() < bytes) {
    if (!out.empty()) {
      out += ' ';
    }
    out += kSentences[sentence++ % kSentences.size()];
  }
  return out;
}

std::string quoted_member(std::string_view name, std::string_view value) {
  std::string out = "{";
  json::append_quoted(out, name);
  out += ':';
  json::append_quoted(out, value);
  out += '}';
  return out;
}

void write_as_functions(const Move& move, AgentAnswer& answer) {
  switch (move.kind) {
    case Move::Kind::search:
      answer.calls.push_back({"find_tool", quoted_member("query", move.text)});
      return;
    case Move::Kind::lookup:
      answer.calls.push_back({"show_tool", quoted_member("name", move.text)});
      return;
    case Move::Kind::finish:
      answer.calls.push_back({"finish", quoted_member("result", move.text)});
      return;
    case Move::Kind::call:
      break;
  }
  for (const auto& [tool, arguments] : move.calls) {
    answer.calls.push_back({.name = tool, .arguments = arguments});
  }
}

std::string command_text(const Move& move) {
  switch (move.kind) {
    case Move::Kind::search:
      return find_tool_text(move.text);
    case Move::Kind::lookup:
      return show_tool_text(move.text);
    case Move::Kind::finish:
      return finish_text(move.text);
    case Move::Kind::call:
      break;
  }
  std::string out;
  for (const auto& [tool, arguments] : move.calls) {
    if (!out.empty()) {
      out += '\n';
    }
    out += use_tool_text(tool, arguments);
  }
  return out;
}

enum class Slip : std::uint8_t { none, no_command, unclosed_tag, code_fence };

Slip slip_of(const AgentInput& input, std::uint32_t turn) {
  const auto draw = [&](TurnPurpose purpose) {
    return input.draws.of_turn(turn, static_cast<std::uint32_t>(purpose));
  };
  if (draw(TurnPurpose::slip) >= input.skill.slip) {
    return Slip::none;
  }
  constexpr double kNoCommandShare = 0.4;
  constexpr double kUnclosedShare = 0.4;
  const double kind = draw(TurnPurpose::slip_kind);
  if (kind < kNoCommandShare) {
    return Slip::no_command;
  }
  return kind < kNoCommandShare + kUnclosedShare ? Slip::unclosed_tag : Slip::code_fence;
}

void write_as_text(const Move& move, Slip slip, AgentAnswer& answer) {
  std::string command = command_text(move);
  if (slip == Slip::unclosed_tag) {
    command.resize(command.rfind("</"));
  }
  if (!answer.text.empty()) {
    answer.text += "\n\n";
  }
  answer.text += slip == Slip::code_fence ? "```\n" + command + "\n```" : command;
}

}  // namespace

AgentAnswer answer_as_agent(const AgentInput& input) {
  const auto turn = static_cast<std::uint32_t>(input.conversation.turns.size());
  AgentAnswer answer{.text = prose(input, turn), .calls = {}};
  if (input.situation.task == nullptr) {
    if (answer.text.empty()) {
      answer.text = kSentences.front();
    }
    return answer;
  }
  const Slip slip = slip_of(input, turn);
  if (slip == Slip::no_command) {
    if (answer.text.empty()) {
      answer.text = kSentences[turn % kSentences.size()];
    }
    return answer;
  }
  const Move move = Mind(input).next();
  if (input.functions) {
    write_as_functions(move, answer);
  } else {
    write_as_text(move, slip, answer);
  }
  return answer;
}

}  // namespace sortie::sim
