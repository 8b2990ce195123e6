#pragma once

#include "sortie/spec/cells.h"
#include "sortie/spec/node.h"
#include "sortie/spec/read_campaign.h"

#include <cstddef>
#include <vector>

namespace sortie::spec {

/// What a scenario takes from its campaign where it says nothing itself.
struct ScenarioDefaults {
  const CampaignFile* campaign = nullptr;  // models, types, base
  std::size_t instances = 0;
  std::size_t repeats = 0;
  Mark instances_mark;  // where the campaign says them, for messages
};

/// Reads the `scenarios:` list of a campaign.
[[nodiscard]] std::vector<Scenario> read_scenarios(const Node& node,
                                                   const ScenarioDefaults& defaults,
                                                   const CampaignContext& context,
                                                   Problems& problems);

}  // namespace sortie::spec
