#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/lexicon.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

// What the wordings of one level have to keep so that no reader can take one operation for another.

namespace sortie::suite {

/// What is wrong with the wordings of a level, each a sentence that quotes the wording: an
/// operation without them or with fewer than six different ones; a slot that is missing or names no
/// value of the tool; two wordings of different operations that some text fits both. `plain`: no
/// stem of an operation's name is allowed.
[[nodiscard]] std::vector<std::string> phrase_problems(const ToolCatalog& catalog,
                                                       std::span<const OperationWordings> level,
                                                       bool plain);

/// The names of the slots of a wording, in order.
[[nodiscard]] std::vector<std::string_view> slots_of_wording(std::string_view wording);

}  // namespace sortie::suite
