#pragma once

#include "sortie/base/error.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/ledger/reader.h"

namespace sortie::engine {

/// A recorded turn as what its dialogue heard. Errors: an answer that is none.
[[nodiscard]] base::Result<dialogue::Event> event_of(const ledger::StoredTurn& turn);

}  // namespace sortie::engine
