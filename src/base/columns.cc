#include "sortie/base/columns.h"

#include "sortie/base/text.h"
#include "sortie/base/width.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace sortie::base {

std::string fitted(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) {
    return std::string(text);
  }
  if (columns == 0) {
    return {};
  }
  std::size_t used = 0;
  std::size_t bytes = 0;
  for (;;) {
    const std::string_view rest = text.substr(bytes);
    const std::size_t length = std::max<std::size_t>(utf8_sequence_length(rest), 1);
    const std::size_t width = display_width(rest.substr(0, length));
    if (used + width > columns - 1) {
      break;
    }
    used += width;
    bytes += length;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::string padded(std::string_view text, std::size_t columns) {
  std::string out = fitted(text, columns);
  out.append(columns - display_width(out), ' ');
  return out;
}

}  // namespace sortie::base
