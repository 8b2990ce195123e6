#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/parser.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Any bytes are an answer: parsing ends, and what it gives keeps the promises of parser.h.

namespace {

constexpr std::uint8_t kFunctions = 1;
constexpr std::uint8_t kFromReasoning = 2;
constexpr std::uint8_t kTruncated = 4;
constexpr std::uint8_t kStructured = 8;
constexpr std::uint8_t kReasoning = 16;

sortie::chat::Answer answer_of(std::uint8_t flags, std::string_view bytes) {
  sortie::chat::Answer answer;
  ((flags & kReasoning) != 0 ? answer.reasoning : answer.text) = bytes;
  if ((flags & kTruncated) != 0) {
    answer.finish = sortie::chat::FinishReason::length;
  }
  if ((flags & kStructured) != 0) {
    const std::size_t middle = bytes.size() / 2;
    answer.tool_calls.push_back({.id = "1",
                                 .name = std::string(bytes.substr(0, middle)),
                                 .arguments = std::string(bytes.substr(middle))});
  }
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto parsed =
      sortie::dialogue::parse_answer(answer_of(data[0], bytes),
                                     {.functions_offered = (data[0] & kFunctions) != 0,
                                      .commands_from_reasoning = (data[0] & kFromReasoning) != 0});
  CHECK(parsed.commands.size() <= sortie::dialogue::kCommandsMax);
  CHECK(parsed.visible.size() <= bytes.size());
  for (const auto& command : parsed.commands) {
    // Names and arguments go into replies, so they must print as valid JSON.
    const sortie::json::Value printed = {{"name", command.name}, {"arguments", command.arguments}};
    CHECK(sortie::json::parse(sortie::json::to_text(printed), {.depth_max = 80}).has_value());
  }
  return 0;
}
