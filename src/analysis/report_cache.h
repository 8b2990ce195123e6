#pragma once

#include "sortie/analysis/cache_file.h"
#include "sortie/analysis/report_data.h"
#include "sortie/base/hash.h"

#include <optional>
#include <string>

// What a report is made of, kept beside a large ledger: everything that was summed over it. A cache
// is believed only under the stamp of the ledger's content and of this program; whatever else it
// holds, it is as if there were none.

namespace sortie::analysis {

/// nullopt: there is none under this stamp, or it is damaged.
[[nodiscard]] std::optional<ReportData> load_report(const std::string& directory,
                                                    const base::Digest& stamp);

/// Replaces the older one. A folder that cannot be written has no cache.
void store_report(const std::string& directory, const base::Digest& stamp, const ReportData& data);

}  // namespace sortie::analysis
