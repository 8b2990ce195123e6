#pragma once

#include "sortie/base/error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sortie::ledger {

/// What the page checksums of a ledger's file say, page by page and past SQLite.
struct PageReport {
  bool has_checksums = false;          // ledgers of schema versions 1 and 2 have none
  std::uint64_t pages = 0;             // whole ones
  std::uint64_t left_bytes = 0;        // behind the last whole page
  std::uint64_t unsigned_pages = 0;    // copied out of the log by another program
  std::vector<std::uint32_t> damaged;  // page numbers, from 1
};

/// Reads the whole file, which may be written meanwhile. Errors: io.
[[nodiscard]] base::Result<PageReport> examine_pages(const std::string& path);

}  // namespace sortie::ledger
