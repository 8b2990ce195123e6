#pragma once

#include "sortie/ledger/cells.h"

// Columns of a ledger row by type, as this module's files name them.

namespace sortie::engine {

using ledger::double_of;
using ledger::int_of;
using ledger::text_of;

}  // namespace sortie::engine
