#pragma once

#include "sortie/dialogue/repair.h"
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
  other_calls,    // <TOOLCALL>, <|START_ACTION|>, functools[ and others: one call or a list
  bracket_calls,  // [TOOL_CALLS]
  python_tag,     // <|python_tag|>
  function_tag,   // <function=
  invoke,         // <invoke
  deepseek,       // <｜tool▁call▁begin｜>
  kimi,           // <|tool_call_begin|>
  harmony,        // <|channel|>commentary to=
  action,         // Action: name, with "Action Input:" on the next line
};

struct Token {
  Mark mark = Mark::open;
  CommandKind kind = CommandKind::use_tool;  // open, close, self_closing
  std::size_t begin = 0;
  std::size_t end = 0;
  bool exact = true;             // spelled as we say it
  std::string_view name{};       // value of an attribute name, tool, query or result
  std::string_view arguments{};  // value of an attribute arguments or parameters
  bool other_attributes = false;
};

/// Tags in order of position. The views point into `text`.
[[nodiscard]] std::vector<Token> find_tags(std::string_view text);

struct SplitText {
  std::string visible;
  std::string reasoning;
};

/// Takes blocks of reasoning out: <think> and what other families write for it, and gpt-oss's
/// analysis channel. An unclosed block reaches to the end. A close tag without an open one ends a
/// block that began with the text: templates of reasoning models put the open tag into the prompt.
[[nodiscard]] SplitText split_reasoning(std::string_view text);

/// `text` with HTML's escapes and fullwidth forms of the characters that make a tag replaced by
/// these characters; what was replaced is added to `repairs`.
[[nodiscard]] std::string plain_markup(std::string_view text, Repairs& repairs);

}  // namespace sortie::dialogue
