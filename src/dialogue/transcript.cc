#include "sortie/dialogue/transcript.h"

#include <array>

namespace sortie::dialogue {

std::string_view to_string(CommandKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {
      "find_tool", "show_tool", "use_tool", "finish"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string_view to_string(End end) {
  constexpr std::array<std::string_view, 6> kNames = {
      "open", "finish", "max_turns", "loop", "filtered", "context_full"};
  return kNames.at(static_cast<std::size_t>(end));
}

}  // namespace sortie::dialogue
