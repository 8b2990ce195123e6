#pragma once

#include "sortie/ledger/cells.h"

// Columns of a ledger row by type, as this module's files name them.

namespace sortie::analysis {

using ledger::double_of;
using ledger::int_of;
using ledger::text_of;
using ledger::view_of;

}  // namespace sortie::analysis
