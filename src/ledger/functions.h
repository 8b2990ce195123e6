#pragma once

#include "sortie/base/error.h"
#include "sortie/ledger/sqlite.h"

namespace sortie::ledger {

/// Gives a connection the SQL functions of a ledger:
///   message_text(m)             the content of a message; m is its id, its digest, or the digest
///   as hexadecimal text;
///                               NULL if there is none, an error if it is damaged
///   content_digest(e, s, c)     digest of the content that encoding, size and stored bytes stand
///   for; NULL if damaged row_checksum('table', …)    the checksum of a row with these columns
[[nodiscard]] base::Status add_functions(Connection& connection);

/// From now on the connection only reads: SELECT, plain functions, and the pragmas that inspect.
/// Statements prepared before keep working.
[[nodiscard]] base::Status allow_only_reading(Connection& connection);

}  // namespace sortie::ledger
