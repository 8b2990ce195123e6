#pragma once

#include <cstddef>
#include <string_view>

namespace sortie::base {

/// Columns that valid UTF-8 takes on a terminal with fixed-width characters: two for characters of
/// East Asian width W or F (Unicode Standard Annex 11), none for those that combine with the one
/// before, one for all others. Ambiguous ones (†, –) count one, as the annex says for text that is
/// not East Asian by itself.
[[nodiscard]] std::size_t display_width(std::string_view text);

}  // namespace sortie::base
