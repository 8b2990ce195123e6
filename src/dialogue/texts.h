#pragma once

#include "sortie/suite/declared_tool.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

// Every sentence that a model is told, in one table: what stands in the table is part of the
// dialogue's version by construction, and there is no other place to put a sentence. Braces are
// fmt's.

namespace sortie::dialogue {

enum class Text : std::uint8_t {
  system_text,    // {categories}
  system_native,  // {categories}
  world,          // {count} {categories}: how tools work, the same for both protocols
  task,           // {task}
  plan,           // {steps}
  plan_step,      // {number} {tool} {arguments} {reason}
  plan_result,    // {number}: an argument that is an earlier result
  plan_no_arguments,
  cot,
  start,
  help_text,
  help_native,
  cut_off,
  no_text,         // stands for an answer without visible text
  not_understood,  // of one command
  not_understood_native,
  not_run,  // {number} of the command that did not succeed
  not_run_after_finish,
  over_limit,  // {limit}
  ok,
  rejected,
  failed,
  finished,
  found,          // {count}
  found_tool,     // {name} {description}
  found_nothing,  // {categories}
  unknown_tool,
  tool_head,  // {name} {description}
  tool_no_parameters,
  tool_parameter,  // {name} {type} {required} {description}
  tool_kinds,      // {kinds}
  tool_produces,   // {produces}
  tool_errors,     // {codes}
  function_find,
  function_find_query,
  function_show,
  function_show_name,
  function_finish,
  function_finish_result,
  count,
};

inline constexpr std::size_t kTextCount = static_cast<std::size_t>(Text::count);

[[nodiscard]] const std::array<std::string_view, kTextCount>& all_texts();

[[nodiscard]] std::string_view text(Text which);

/// The tool that examples of the format call. No catalog has it: users' suites are refused the
/// name.
inline constexpr std::string_view kExampleTool = suite::kExampleToolName;

}  // namespace sortie::dialogue
