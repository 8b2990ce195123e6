#pragma once

#include "sortie/base/json.h"
#include "sortie/dialogue/lenient_json.h"
#include "sortie/dialogue/parser.h"
#include "sortie/dialogue/repair.h"

#include <optional>
#include <string>
#include <vector>

// The shapes in which models write one call: an object, name(…), a name and an object, XML members,
// and what stands between the markers of the native forms.

namespace sortie::dialogue {

/// The member that holds a command's text when its body is JSON.
[[nodiscard]] std::string_view usual_member(CommandKind kind);

/// A name without the space and the namespace of native forms around it ("functions.x"), and
/// without a marker of a channel after it ("x<|channel|>commentary").
[[nodiscard]] std::string clean_name(std::string_view name, Repairs& repairs);

/// A call of `name`. find_tool, show_tool and finish written as a function become those commands.
[[nodiscard]] ParsedCommand command_named(std::string name, json::Object arguments);

enum class Shape : unsigned char {
  any,     // inside markers that say "this is a call"
  strict,  // no marker: only an object with a name and arguments
};

/// The call that an object describes: {"name": …, "arguments": …} and its variants.
[[nodiscard]] std::optional<ParsedCommand> call_from_object(json::Object object,
                                                            Shape shape,
                                                            Repairs& repairs);

struct CallSyntax {
  Shape shape = Shape::any;
  bool list_expected = false;  // a list of calls is this form's usual shape
  bool truncated = false;      // the answer was cut: a name alone may be half a name
};

/// Reads the call or calls at the reader's position and appends them. False, with nothing appended,
/// if what stands there is not readable; the reader's position then says how far it came.
[[nodiscard]] bool read_calls(LenientReader& reader,
                              CallSyntax syntax,
                              std::vector<ParsedCommand>& out);

/// What follows the opening marker of DeepSeek's, Kimi's and gpt-oss's forms, and "Action:".
[[nodiscard]] std::optional<ParsedCommand> read_deepseek(LenientReader& reader);
[[nodiscard]] std::optional<ParsedCommand> read_kimi(LenientReader& reader);
[[nodiscard]] std::optional<ParsedCommand> read_harmony(LenientReader& reader);
[[nodiscard]] std::optional<ParsedCommand> read_action(LenientReader& reader);

}  // namespace sortie::dialogue
