#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Lines made to fit a terminal: how wide text is says display_width().

namespace sortie::base {

/// As much of one line without control characters (printable_line()) as `columns` hold; what was
/// cut shows as "…".
[[nodiscard]] std::string fitted(std::string_view text, std::size_t columns);

/// fitted(), filled up with spaces to exactly `columns`.
[[nodiscard]] std::string padded(std::string_view text, std::size_t columns);

}  // namespace sortie::base
