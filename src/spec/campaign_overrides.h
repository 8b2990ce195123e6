#pragma once

#include "sortie/base/error.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/cells.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"

#include <vector>

namespace sortie::spec {

/// Keeps the cells that the command line wants. A scenario keeps every cell that it shows, also
/// those that another one owns, or its table would have a hole; the names on the cells stay, since
/// the campaign's file did not change. A limit takes the first trials of each type and cell.
[[nodiscard]] base::Status apply_overrides(const CampaignOverrides& overrides,
                                           const std::vector<Scenario>& scenarios,
                                           const Topology& topology,
                                           std::vector<Cell>& cells);

}  // namespace sortie::spec
