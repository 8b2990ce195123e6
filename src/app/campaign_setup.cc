#include "sortie/app/campaign_setup.h"

#include "sortie/spec/suite_folder.h"

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <set>
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

engine::RunContext CampaignSet::context(std::size_t campaign) const {
  const CampaignSetup& setup = *campaigns[campaign];
  return {.suite = &setup.suite,
          .rules = setup.rules.get(),
          .topology = &topology,
          .campaign = &setup.campaign,
          .secrets = &secrets};
}

base::Result<std::unique_ptr<CampaignSet>> load_set(const std::vector<std::string>& campaign_paths,
                                                    const spec::CampaignOverrides& overrides) {
  auto set = std::make_unique<CampaignSet>();
  std::vector<const spec::Topology*> topologies;
  std::vector<const spec::Campaign*> campaigns;
  for (const std::string& path : campaign_paths) {
    TRY_ASSIGN(auto setup, load_setup(path, overrides));
    topologies.push_back(&setup->topology);
    campaigns.push_back(&setup->campaign);
    set->campaigns.push_back(std::move(setup));
  }
  TRY(spec::check_guarantees(campaigns));
  TRY_ASSIGN(spec::MergedTopology merged, spec::merge_topologies(topologies));
  set->topology = std::move(merged.topology);
  set->places = std::move(merged.places);
  for (std::size_t i = 0; i < set->campaigns.size(); ++i) {
    spec::move_to(set->places[i], set->campaigns[i]->campaign);
  }
  return set;
}

base::Status resolve_secrets(CampaignSet& set) {
  for (const spec::Endpoint& endpoint : set.topology.endpoints) {
    set.secrets.emplace_back(endpoint.keys.size());
  }
  for (std::size_t i = 0; i < set.campaigns.size(); ++i) {
    CampaignSetup& setup = *set.campaigns[i];
    const spec::MergedPlaces& places = set.places[i];
    const std::vector<bool> of_all = models_used(set.topology, setup.campaign);
    std::vector<bool> used;
    for (const std::size_t model : places.models) {
      used.push_back(of_all[model]);
    }
    const auto for_each_key = [&](const auto& action) {
      for (std::size_t e = 0; e < places.keys.size(); ++e) {
        for (std::size_t k = 0; k < places.keys[e].size(); ++k) {
          action(setup.secrets[e][k], set.secrets[places.endpoints[e]][places.keys[e][k]]);
        }
      }
    };
    setup.secrets.clear();
    for (const std::vector<std::size_t>& keys : places.keys) {
      setup.secrets.emplace_back(keys.size());
    }
    for_each_key([](base::Secret& own, const base::Secret& common) { own = common; });
    TRY(resolve_secrets(setup.topology, used, setup.secrets, set.scrubber));
    for_each_key([](const base::Secret& own, base::Secret& common) { common = own; });
  }
  return {};
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
  secrets.resize(topology.endpoints.size());
  for (std::size_t i = 0; i < secrets.size(); ++i) {
    secrets[i].resize(topology.endpoints[i].keys.size());
  }
  std::set<const spec::Key*> tried;
  std::optional<base::Error> problems;  // a line for each key, so that all can be mended at once
  for (const spec::Route& route : topology.routes) {
    const spec::Endpoint& endpoint = topology.endpoints[route.endpoint];
    const spec::Key& key = endpoint.keys[route.key];
    if ((!used.empty() && !used[route.model]) || key.secret.kind == spec::SecretRef::Kind::none ||
        !tried.insert(&key).second) {
      continue;
    }
    auto secret = spec::resolve_secret(key.secret, topology.file);
    if (secret.has_value()) {
      secrets[route.endpoint][route.key] = std::move(*secret);
      scrubber.add(fmt::format("{}/{}", endpoint.name, key.name),
                   secrets[route.endpoint][route.key]);
    } else if (problems.has_value()) {
      problems->message += "\n" + secret.error().message;
    } else {
      problems = std::move(secret.error());
    }
  }
  return problems.has_value() ? base::Status(std::unexpected(std::move(*problems)))
                              : base::Status();
}

}  // namespace sortie::app
