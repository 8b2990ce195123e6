#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/fuzz_input.h"
#include "sortie/dialogue/markup.h"
#include "sortie/dialogue/parser.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Any bytes are an answer: parsing ends, and what it gives keeps the promises of parser.h. Seeds
// come from parser_cases.txt. Work that is not linear shows as a timeout: a flag of the input
// repeats its text up to kRepeatedBytes.

namespace sortie::dialogue {
namespace {

constexpr std::size_t kRepeatedBytes = 64UL * 1024;

/// Everything that a dialogue takes from a parsed answer, as text.
std::string text_of(const ParsedAnswer& parsed) {
  std::string out = parsed.visible;
  for (const ParsedCommand& command : parsed.commands) {
    out += '\n';
    out += to_string(command.kind);
    out += command.readable ? "+" : "-";
    out += command.tool_call ? std::to_string(*command.tool_call) : "";
    // Names and arguments go into replies, so they must print as valid JSON.
    const json::Value printed = {{"name", command.name}, {"arguments", command.arguments}};
    const std::string text = json::to_text(printed);
    CHECK(json::parse(text, {.depth_max = 80}).has_value());
    out += text;
  }
  for (const std::string& repair : parsed.repairs.names()) {
    out += ' ' + repair;
  }
  return out;
}

void check_answer(const FuzzInput& input) {
  const ParsedAnswer parsed = parse_answer(input.answer, input.options);
  CHECK(parsed.commands.size() <= kCommandsMax);
  CHECK(parsed.visible.size() <= input.answer.text.size());
  CHECK(split_reasoning(parsed.visible).reasoning.empty());
  for (const ParsedCommand& command : parsed.commands) {
    CHECK(!command.tool_call || *command.tool_call < input.answer.tool_calls.size());
  }
  if (!input.options.commands_from_reasoning) {
    // Reasoning decides nothing.
    FuzzInput silent = input;
    silent.answer.reasoning.clear();
    CHECK(text_of(parse_answer(silent.answer, silent.options)) == text_of(parsed));
  }
  CHECK(text_of(parse_answer(input.answer, input.options)) == text_of(parsed));
}

}  // namespace
}  // namespace sortie::dialogue

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  sortie::dialogue::FuzzInput input =
      sortie::dialogue::fuzz_input({reinterpret_cast<const char*>(data), size});
  if (input.repeat && !input.answer.text.empty()) {
    const std::string once = input.answer.text;
    while (input.answer.text.size() < sortie::dialogue::kRepeatedBytes) {
      input.answer.text += once;
    }
    (void)sortie::dialogue::parse_answer(input.answer, input.options);
    return 0;
  }
  sortie::dialogue::check_answer(input);
  return 0;
}
