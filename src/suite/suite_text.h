#pragma once

#include "sortie/base/error.h"
#include "sortie/suite/suite.h"

#include <string>
#include <string_view>

namespace sortie::suite {

/// A user's suite as one JSON document, complete: what a run keeps of it, so that its trials can be
/// played back wherever the folder has gone.
[[nodiscard]] std::string suite_text(const Suite& suite);

/// The same suite again. `source` names the text in errors.
[[nodiscard]] base::Result<Suite> suite_from_text(std::string_view source, std::string_view text);

}  // namespace sortie::suite
