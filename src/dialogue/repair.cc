#include "sortie/dialogue/repair.h"

#include <array>
#include <cstddef>

namespace sortie::dialogue {

namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Repair::count)> kNames = {
    "unclosed_tag",        "mismatched_tag",   "tag_spelling",         "self_closing_tag",
    "name_attribute",      "unopened_tag",     "html_escaped",         "fullwidth_marks",
    "odd_space",           "quoted_body",      "code_fence",           "json_body",
    "name_only",           "call_syntax",      "name_before_json",     "name_as_key",
    "xml_members",         "member_names",     "flat_arguments",       "arguments_as_text",
    "nested_function",     "several_in_tag",   "command_as_tool",      "single_quotes",
    "trailing_comma",      "python_literal",   "unquoted_key",         "raw_control",
    "bad_escape",          "escaped_quotes",   "missing_bracket",      "extra_bracket",
    "invalid_utf8",        "native_tool_call", "native_bracket_calls", "native_python_tag",
    "native_function_tag", "native_invoke",    "native_deepseek",      "native_kimi",
    "native_harmony",      "native_action",    "native_other",         "bare_call",
    "structured_calls",    "from_reasoning",   "over_limit",
};

}  // namespace

std::string_view to_string(Repair repair) {
  return kNames.at(static_cast<std::size_t>(repair));
}

std::vector<std::string> Repairs::names() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (has(static_cast<Repair>(i))) {
      names.emplace_back(kNames[i]);
    }
  }
  return names;
}

}  // namespace sortie::dialogue
