#pragma once

#include "sortie/dialogue/transcript.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Finds tags in an answer: our own commands and the native forms of model families. One pass, no
// judgement of what stands between them.

namespace sortie::dialogue {

/// Our own tags, in the order of CommandKind.
inline constexpr std::array<std::string_view, 4> kCommandTags = {
    "find_tool", "show_tool", "use_tool", "finish"};

enum class Mark : std::uint8_t {
  open,           // <use_tool>, perhaps with a name attribute
  close,          // </use_tool>
  self_closing,   // <finish/>
  tool_call,      // <tool_call>
  bracket_calls,  // [TOOL_CALLS]
  python_tag,     // <|python_tag|>
  function_tag,   // <function=
  invoke,         // <invoke
  deepseek,       // <｜tool▁call▁begin｜>
  kimi,           // <|tool_call_begin|>
  harmony,        // <|channel|>commentary to=
};

struct Token {
  Mark mark = Mark::open;
  CommandKind kind = CommandKind::use_tool;  // open, close, self_closing
  std::size_t begin = 0;
  std::size_t end = 0;
  bool exact = true;        // spelled as we say it
  std::string_view name{};  // value of a name attribute
};

/// Tags in order of position. The views point into `text`.
[[nodiscard]] std::vector<Token> find_tags(std::string_view text);

struct SplitText {
  std::string visible;
  std::string reasoning;
};

/// Takes <think> and <thinking> blocks out. An unclosed block reaches to the end. A close tag
/// without an open one ends a block that began with the text: templates of reasoning models put the
/// open tag into the prompt.
[[nodiscard]] SplitText split_reasoning(std::string_view text);

}  // namespace sortie::dialogue
