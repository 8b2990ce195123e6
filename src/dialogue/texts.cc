#include "sortie/dialogue/texts.h"

#include <utility>

namespace sortie::dialogue {

namespace {

struct Entry {
  Text which;
  std::string_view wording;
};

constexpr std::array<Entry, kTextCount> kEntries = {{
    {Text::system_text,
     R"(You carry out a task with tools. You cannot touch the tools yourself: you write commands, and every answer of yours is followed by one message that tells you what came of each command.

# Commands
<find_tool>some words</find_tool>
  searches the tool catalog and names up to five tools that fit the words.
<show_tool>name of a tool</show_tool>
  describes one tool: its parameters, what it produces, which errors it can return.
<use_tool>{{"name": "name of a tool", "arguments": {{"parameter": "value"}}}}</use_tool>
  calls a tool. Between the tags stands exactly one JSON object.
<finish>short result</finish>
  says that the task is done and ends the conversation.

You may write freely around commands; only commands have an effect. One answer may hold several commands, at most eight. They run in order until one does not succeed; those after it are not run. A finish counts only if everything before it in the same answer succeeded.

{world})"},
    {Text::system_native,
     R"(You carry out a task by calling functions. Every call is answered with what came of it.

Besides the tools of the catalog there are three functions: find_tool searches the catalog and names up to five tools that fit some words; show_tool describes one tool; finish says that the task is done and ends the conversation.

One answer may hold several calls, at most eight. They run in order until one does not succeed; those after it are not run. A finish counts only if everything before it in the same answer succeeded.

{world})"},
    {Text::world,
     R"(# Tools
- The catalog has {count} categories of tools: {categories}.
- A call that succeeds gives a result with a handle: its kind, a number sign and a number. To use that result in a later call, pass the handle as the value of the parameter that takes it. Handles come from calls alone; an invented one is refused.
- Paths, addresses, numbers, field names and other values of the task have to be used exactly as the task writes them.
- A call that does not fit is rejected; the message says what is wrong with this call. Nothing was changed.
- A correct call can fail for a reason outside of your control. Then, too, nothing was changed, and the same call may be repeated.
- The task is judged by the results and effects that exist when you finish, so finish when all of it is done, and do nothing that it does not ask for.)"},
    {Text::task, "# Task\n\n{task}\n\n"},
    {Text::plan,
     "# Plan\n\nThis is a plan for the task. Each step is one call of a tool; \"the result of step "
     "k\" stands for the "
     "handle that the call of step k gives.\n\n{steps}\n"},
    {Text::plan_step, "{number}. {tool}\n   arguments: {arguments}\n   reason: {reason}\n"},
    {Text::plan_result, "the result of step {number}"},
    {Text::plan_no_arguments, "none"},
    {Text::cot,
     "# Reasoning\n\nThink step by step, in writing. Before each command say what is known so far, "
     "what is still missing "
     "and why this command comes next; after each reply say what it means for the steps that are "
     "left.\n\n"},
    {Text::start, "Start now."},
    {Text::help_text,
     R"(No command was understood in your answer. Commands look like these; {example} only shows the form and is no tool of the catalog:
<find_tool>water the garden</find_tool>
<show_tool>{example}</show_tool>
<use_tool>{{"name": "{example}", "arguments": {{"bed": "north", "minutes": 10}}}}</use_tool>
<finish>short result</finish>)"},
    {Text::help_native,
     "No function was called in your answer. Go on by calling a function; when the task is done, "
     "call finish."},
    {Text::cut_off, "Your answer reached its length limit and was cut off. "},
    {Text::no_text, "(no text)"},
    {Text::not_understood,
     R"(not understood; the form is, for example, <use_tool>{{"name": "{example}", "arguments": {{"bed": "north", "minutes": 10}}}}</use_tool>)"},
    {Text::not_understood_native,
     R"(not understood; arguments have to be one complete JSON object, for example {{"bed": "north", "minutes": 10}})"},
    {Text::not_run, "not run, since command {number} did not succeed"},
    {Text::not_run_after_finish, "not run, since the task was finished"},
    {Text::over_limit,
     "The commands after these were not run: at most {limit} are taken from one answer."},
    {Text::ok, "ok"},
    {Text::rejected, "rejected"},
    {Text::failed, "failed"},
    {Text::finished, "accepted"},
    {Text::found, "{count} found"},
    {Text::found_tool, "- {name}: {description}"},
    {Text::found_nothing, "nothing found. The categories of the catalog are: {categories}"},
    {Text::unknown_tool,
     "there is no tool of this name; names have to be written exactly as the catalog has them"},
    {Text::tool_head, "{name}: {description}"},
    {Text::tool_no_parameters, "parameters: none"},
    {Text::tool_parameter, "- {name} ({type}, {required}): {description}"},
    {Text::tool_kinds, "{description} Takes the handle of a result of kind {kinds}."},
    {Text::tool_produces, "produces {produces}"},
    {Text::tool_errors, "errors: {codes}"},
    {Text::function_find,
     "Searches the tool catalog and names up to five tools that fit some words."},
    {Text::function_find_query, "Words that say what the tool should do."},
    {Text::function_show,
     "Describes one tool: its parameters, what it produces, which errors it can return."},
    {Text::function_show_name, "Name of the tool."},
    {Text::function_finish, "Says that the task is done and ends the conversation."},
    {Text::function_finish_result, "The result in a few words."},
}};

constexpr std::array<std::string_view, kTextCount> in_order() {
  std::array<std::string_view, kTextCount> texts{};
  for (const Entry& entry : kEntries) {
    texts.at(static_cast<std::size_t>(entry.which)) = entry.wording;
  }
  return texts;
}

constexpr std::array<std::string_view, kTextCount> kTexts = in_order();

constexpr bool complete() {
  for (const std::string_view wording : kTexts) {
    if (wording.empty()) {
      return false;
    }
  }
  return true;
}

static_assert(complete(), "every text has its wording");

}  // namespace

const std::array<std::string_view, kTextCount>& all_texts() {
  return kTexts;
}

std::string_view text(Text which) {
  return kTexts.at(static_cast<std::size_t>(which));
}

}  // namespace sortie::dialogue
