#pragma once

#include "sortie/base/error.h"

#include <cstdint>
#include <string>

namespace sortie::ledger {

struct Repair {
  std::uint64_t frames_kept = 0;  // of the log
  std::string damage;  // what was cut off or written anew; empty: nothing, no copy was made
};

/// Makes a run directory `out`, which must not be there, with a sound copy of a ledger whose log
/// has a torn tail: a commit that was cut off by a crash, or damage to the last one, and pages that
/// a crash tore while the log was being copied over them. The copy ends with the last whole commit
/// and has page checksums if the ledger has. The ledger itself is only read. Any other damage is
/// refused: what was lost there no copy brings back. Errors: locked (it is being written),
/// integrity (other damage), bad_input (`out` is there), io.
[[nodiscard]] base::Result<Repair> repair_to(const std::string& run_directory,
                                             const std::string& out);

}  // namespace sortie::ledger
