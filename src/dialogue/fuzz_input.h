#pragma once

#include "sortie/chat/message.h"
#include "sortie/dialogue/parser.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

// How fuzz_dialogue_parser reads bytes as an answer, and back, so that known answers become seeds:
// one byte of flags, then the parts of the answer, separated by 0x1F.

namespace sortie::dialogue {

inline constexpr std::uint8_t kFuzzFunctions = 1;
inline constexpr std::uint8_t kFuzzFromReasoning = 2;
inline constexpr std::uint8_t kFuzzTruncated = 4;
inline constexpr std::uint8_t kFuzzRepeat = 8;  // the text many times over: work has to stay linear
inline constexpr char kFuzzSeparator = '\x1f';

/// The parts in order: text, reasoning, then name and arguments of each structured call.
[[nodiscard]] inline std::string fuzz_bytes(const chat::Answer& answer, ParserOptions options) {
  std::uint8_t flags = options.functions_offered ? kFuzzFunctions : 0;
  flags |= options.commands_from_reasoning ? kFuzzFromReasoning : 0;
  flags |= answer.finish == chat::FinishReason::length ? kFuzzTruncated : 0;
  std::string out(1, static_cast<char>(flags));
  out += answer.text;
  if (!answer.reasoning.empty() || !answer.tool_calls.empty()) {
    out += kFuzzSeparator + answer.reasoning;
  }
  for (const chat::ToolCall& call : answer.tool_calls) {
    out += kFuzzSeparator + call.name + kFuzzSeparator + call.arguments;
  }
  return out;
}

struct FuzzInput {
  chat::Answer answer;
  ParserOptions options;
  bool repeat = false;
};

/// The inverse; any bytes but none give an answer.
[[nodiscard]] inline FuzzInput fuzz_input(std::string_view bytes) {
  const auto flags = static_cast<std::uint8_t>(bytes.front());
  FuzzInput input{.answer = {},
                  .options = {.functions_offered = (flags & kFuzzFunctions) != 0,
                              .commands_from_reasoning = (flags & kFuzzFromReasoning) != 0},
                  .repeat = (flags & kFuzzRepeat) != 0};
  if ((flags & kFuzzTruncated) != 0) {
    input.answer.finish = chat::FinishReason::length;
  }
  bytes.remove_prefix(1);
  const auto part = [&] {
    const std::size_t end = std::min(bytes.find(kFuzzSeparator), bytes.size());
    std::string out(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    return out;
  };
  input.answer.text = part();
  input.answer.reasoning = part();
  while (!bytes.empty()) {
    std::string name = part();
    input.answer.tool_calls.push_back({.id = "", .name = std::move(name), .arguments = part()});
  }
  return input;
}

}  // namespace sortie::dialogue
