#include "sortie/app/campaign_setup.h"

#include "sortie/spec/suite_folder.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

engine::RunContext CampaignSetup::context() const {
  return {.suite = &suite,
          .rules = rules.get(),
          .topology = &topology,
          .campaign = &campaign,
          .secrets = &secrets};
}

base::Result<std::unique_ptr<CampaignSetup>> load_setup(const std::string& campaign_path,
                                                        const spec::CampaignOverrides& overrides) {
  auto setup = std::make_unique<CampaignSetup>();
  TRY_ASSIGN(const std::string endpoints, spec::endpoints_path_of(campaign_path));
  TRY_ASSIGN(setup->topology, spec::load_endpoints(endpoints));
  TRY_ASSIGN(setup->suite, spec::load_suite_of(campaign_path));
  TRY_ASSIGN(setup->campaign,
             spec::load_campaign(campaign_path, setup->suite, setup->topology, overrides));
  setup->rules = std::make_unique<dialogue::Rules>(setup->suite);
  return setup;
}

std::vector<bool> models_used(const spec::Topology& topology, const spec::Campaign& campaign) {
  std::vector<bool> used(topology.models.size());
  for (const spec::Cell& cell : campaign.cells) {
    used[cell.model] = true;
  }
  return used;
}

base::Status resolve_secrets(const spec::Topology& topology,
                             const std::vector<bool>& used,
                             std::vector<std::vector<base::Secret>>& secrets,
                             base::Scrubber& scrubber) {
  secrets.clear();
  for (const spec::Endpoint& endpoint : topology.endpoints) {
    secrets.emplace_back(endpoint.keys.size());
  }
  for (const spec::Route& route : topology.routes) {
    if (!used.empty() && !used[route.model]) {
      continue;
    }
    const spec::Endpoint& endpoint = topology.endpoints[route.endpoint];
    base::Secret& secret = secrets[route.endpoint][route.key];
    const spec::Key& key = endpoint.keys[route.key];
    if (!secret.empty() || key.secret.kind == spec::SecretRef::Kind::none) {
      continue;
    }
    TRY_ASSIGN(secret, spec::resolve_secret(key.secret, topology.file));
    scrubber.add(fmt::format("{}/{}", endpoint.name, key.name), secret);
  }
  return {};
}

}  // namespace sortie::app
