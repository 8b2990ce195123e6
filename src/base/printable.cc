#include "sortie/base/printable.h"

#include "sortie/base/text.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace sortie::base {

namespace {

constexpr std::string_view kReplacement = "\uFFFD";

struct Range {
  char32_t first;
  char32_t last;
};

constexpr Range kControls[] = {{0x00, 0x1F},
                               {0x7F, 0x9F},
                               {0x061C, 0x061C},   // Arabic letter mark
                               {0x200E, 0x200F},   // left-to-right and right-to-left mark
                               {0x2028, 0x202E},   // separators; embeddings and overrides
                               {0x2066, 0x2069}};  // isolates

bool is_control(char32_t point) {
  for (const Range& range : kControls) {
    if (point >= range.first && point <= range.last) {
      return true;
    }
  }
  return false;
}

std::string escaped(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    if (length == 0) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    const std::string_view sequence = text.substr(0, length);
    const char32_t point = code_point(sequence);
    if (is_control(point) && !kept.contains(sequence.front())) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(point));
    } else {
      out += sequence;
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  return escaped(text, "\n\t");
}

std::string printable_line(std::string_view text) {
  return escaped(text, "");
}

}  // namespace sortie::base
