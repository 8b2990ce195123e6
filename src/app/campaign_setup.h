#pragma once

#include "sortie/base/error.h"
#include "sortie/base/scrubber.h"
#include "sortie/base/secret.h"
#include "sortie/dialogue/rules.h"
#include "sortie/engine/context.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/load.h"
#include "sortie/spec/merge.h"
#include "sortie/spec/model.h"
#include "sortie/suite/suite.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace sortie::app {

/// A campaign with everything it needs, loaded and checked; nothing was written or sent.
struct CampaignSetup {
  suite::Suite suite;
  std::unique_ptr<dialogue::Rules> rules;
  spec::Topology topology;
  spec::Campaign campaign;
  std::vector<std::vector<base::Secret>> secrets;  // [endpoint][key]; filled by resolve_secrets
  base::Scrubber scrubber;

  [[nodiscard]] engine::RunContext context() const;
};

[[nodiscard]] base::Result<std::unique_ptr<CampaignSetup>> load_setup(
    const std::string& campaign_path, const spec::CampaignOverrides& overrides);

/// Reads the secrets of every key that a route of `used` models needs (empty: of all), except those
/// that are there, and teaches the scrubber.
[[nodiscard]] base::Status resolve_secrets(const spec::Topology& topology,
                                           const std::vector<bool>& used,
                                           std::vector<std::vector<base::Secret>>& secrets,
                                           base::Scrubber& scrubber);

/// Campaigns that run in one process: over one topology, with its secrets in one place.
struct CampaignSet {
  std::vector<std::unique_ptr<CampaignSetup>> campaigns;  // cells are those of `topology`
  spec::Topology topology;
  std::vector<spec::MergedPlaces> places;          // of each campaign's own topology
  std::vector<std::vector<base::Secret>> secrets;  // [endpoint][key]
  base::Scrubber scrubber;

  [[nodiscard]] engine::RunContext context(std::size_t campaign) const;
};

/// Errors: those of load_setup; what has one name and two meanings; guarantees that leave nothing.
[[nodiscard]] base::Result<std::unique_ptr<CampaignSet>> load_set(
    const std::vector<std::string>& campaign_paths, const spec::CampaignOverrides& overrides);

/// Reads the secrets of every key that some campaign needs.
[[nodiscard]] base::Status resolve_secrets(CampaignSet& set);

/// Models that the campaign's cells use.
[[nodiscard]] std::vector<bool> models_used(const spec::Topology& topology,
                                            const spec::Campaign& campaign);

}  // namespace sortie::app
