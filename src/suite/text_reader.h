#pragma once

#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <optional>
#include <string_view>
#include <vector>

// The published lexicon (lexicon.h) read backwards: from a task's text to the steps that it asks
// for. It knows the wordings, frames and asides of one level and the schemas of the tools, nothing
// about any task.

namespace sortie::suite {

/// Every way to understand a text at a level, without doubles: none where a part of it is not of
/// the level's lexicon, more than one where the lexicon is ambiguous. Two are enough to know that;
/// the search ends there.
[[nodiscard]] std::vector<std::vector<Step>> readings(const ToolCatalog& catalog,
                                                      std::string_view text,
                                                      Difficulty difficulty);

/// What a reader understands who knows only the lexicon of one level: the steps in the order of the
/// text, with their values and the steps whose results they take. nullopt where the text is not of
/// this level's lexicon, or has more than one reading. Reasons are empty.
[[nodiscard]] std::optional<std::vector<Step>> read_text(const ToolCatalog& catalog,
                                                         std::string_view text,
                                                         Difficulty difficulty);

}  // namespace sortie::suite
