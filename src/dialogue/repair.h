#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What the parser had to overlook in order to understand an answer. Recorded on the turn; never an
// error.

namespace sortie::dialogue {

enum class Repair : std::uint8_t {
  unclosed_tag,          // the close tag is missing
  mismatched_tag,        // closed by, or wrapped in, another command's tag
  tag_spelling,          // <USE_TOOL>, <use-tool >
  self_closing_tag,      // <finish/>
  name_attribute,        // <use_tool name="x">{…}
  unopened_tag,          // {…}</use_tool>: the open tag is missing
  html_escaped,          // &lt;use_tool&gt;
  fullwidth_marks,       // ＜use_tool＞, {“name”：…}
  odd_space,             // a byte order mark or an invisible character where space may stand
  quoted_body,           // <show_tool>"name"</show_tool>
  code_fence,            // the command stands in a code block
  json_body,             // <find_tool>{"query": …}
  name_only,             // a name without arguments
  call_syntax,           // name({...}), name(key="value")
  name_before_json,      // name {…}
  name_as_key,           // {"name of the tool": {…}}
  xml_members,           // <name>x</name><arguments>…
  member_names,          // "tool" for "name", "parameters" for "arguments"
  flat_arguments,        // arguments beside the name
  arguments_as_text,     // arguments are JSON inside a JSON string
  nested_function,       // {"function": {…}}
  several_in_tag,        // more than one call in one tag
  command_as_tool,       // use_tool of find_tool, show_tool or finish
  single_quotes,         // 'text' for "text"
  trailing_comma,        // [1,]
  python_literal,        // True, False, None
  unquoted_key,          // {name: …}
  raw_control,           // a line break inside a JSON string
  bad_escape,            // \d inside a JSON string
  escaped_quotes,        // {\"name\": …}
  missing_bracket,       // the tag or the answer ends before the JSON does
  extra_bracket,         // }} for }
  invalid_utf8,          // bytes that are no text, replaced by U+FFFD
  native_tool_call,      // <tool_call>{…}</tool_call>
  native_bracket_calls,  // [TOOL_CALLS][{…}]
  native_python_tag,     // <|python_tag|>…
  native_function_tag,   // <function=name>{…}</function>
  native_invoke,         // <invoke name="x"><parameter name="k">v</parameter></invoke>
  native_deepseek,       // <｜tool▁call▁begin｜>…
  native_kimi,           // <|tool_call_begin|>…
  native_harmony,        // <|channel|>commentary to=functions.x …
  native_action,         // Action: name, Action Input: {…}
  native_other,          // <TOOLCALL>, <|START_ACTION|>, functools[…], …
  bare_call,             // the JSON of a call on lines of its own, without a tag
  structured_calls,      // the tool_calls field, nobody asked for
  from_reasoning,        // taken from the reasoning, since the visible part has none
  over_limit,            // more commands than are taken
  count,
};

[[nodiscard]] std::string_view to_string(Repair repair);

/// A set of repairs in one word.
class Repairs {
 public:
  void add(Repair repair) { bits_ |= bit(repair); }

  void add(Repairs other) { bits_ |= other.bits_; }

  [[nodiscard]] bool has(Repair repair) const { return (bits_ & bit(repair)) != 0; }

  [[nodiscard]] bool empty() const { return bits_ == 0; }

  /// In the order of the enumeration.
  [[nodiscard]] std::vector<std::string> names() const;

  bool operator==(const Repairs&) const = default;

 private:
  static std::uint64_t bit(Repair repair) {
    return std::uint64_t{1} << static_cast<unsigned>(repair);
  }

  std::uint64_t bits_ = 0;
};

static_assert(static_cast<unsigned>(Repair::count) <= 64);

}  // namespace sortie::dialogue
