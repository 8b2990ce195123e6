#pragma once

#include "sortie/base/json.h"
#include "sortie/dialogue/lenient_json.h"

#include <cstddef>
#include <optional>
#include <string_view>

// Arguments of a call, as an object or between tags, and what may stand around them.

namespace sortie::dialogue {

inline constexpr std::size_t kNameMax = 200;  // bytes between two markers that enclose a name

/// Text up to `close`, which is consumed; nullopt if `close` does not come within `bytes_max`.
std::optional<std::string_view> text_until(LenientReader& reader,
                                           std::string_view close,
                                           std::size_t bytes_max = std::string_view::npos);

/// Moves over space and an opening fence with its language.
void skip_fence(LenientReader& reader);

/// Moves over a closing fence, brackets too many, and nothing else.
void skip_leftovers(LenientReader& reader);

/// Arguments alone: an object, <parameter=k>v</parameter>, <parameter name="k">v</parameter> or
/// <arg_key>k</arg_key><arg_value>v</arg_value>; nothing gives no arguments. In an answer that was
/// cut, what is not an object has to be followed by a close tag: more could have come.
[[nodiscard]] std::optional<json::Object> read_arguments(LenientReader& reader);

/// <path>x</path><format>csv</format>: one element per argument, up to `close`.
[[nodiscard]] std::optional<json::Object> read_elements(LenientReader& reader,
                                                        std::string_view close);

}  // namespace sortie::dialogue
