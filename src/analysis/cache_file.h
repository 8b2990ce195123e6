#pragma once

#include "sortie/base/hash.h"

#include <optional>
#include <string>
#include <string_view>

// Files in RUN/cache: what would take long to compute again from the ledger. A file is believed
// only under the stamp of what it was made from and of this program; whatever else is there, it is
// as if there were none.

namespace sortie::analysis {

/// `name` tells kinds of data apart. Names the content (high-water mark), the program's file and
/// the run.
[[nodiscard]] base::Digest report_stamp(std::string_view name,
                                        std::string_view run_key,
                                        std::string_view high_water_mark);

/// nullopt: there is none under this stamp, or it is damaged.
[[nodiscard]] std::optional<std::string> load_cache(const std::string& directory,
                                                    std::string_view name,
                                                    const base::Digest& stamp);

/// Replaces the older one. A folder that cannot be written has no cache.
void store_cache(const std::string& directory,
                 std::string_view name,
                 const base::Digest& stamp,
                 std::string_view body);

}  // namespace sortie::analysis
