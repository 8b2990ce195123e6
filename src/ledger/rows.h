#pragma once

#include "sortie/ledger/reader.h"
#include "sortie/ledger/sqlite.h"

#include <string>
#include <vector>

namespace sortie::ledger {

/// The cells of a statement's row; both vectors have its number of columns. Digests are spelled
/// into `hex`, which must live as long as the row is looked at.
void read_row(const Statement& statement, std::vector<Cell>& row, std::vector<std::string>& hex);

}  // namespace sortie::ledger
