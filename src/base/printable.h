#pragma once

#include <string>
#include <string_view>

// Text from outside (answers, names that servers state) for terminals, which obey control
// characters.

namespace sortie::base {

/// `text` with every character that could steer a terminal or reorder what it shows written as
/// \uXXXX: C0 but line feed and tab, DEL, C1, line separators, and the controls of bidirectional
/// text. Bytes that are no UTF-8 become U+FFFD. A JSON document stays the same document.
[[nodiscard]] std::string printable(std::string_view text);

/// The same for one line: line feeds and tabs are written out too.
[[nodiscard]] std::string printable_line(std::string_view text);

}  // namespace sortie::base
