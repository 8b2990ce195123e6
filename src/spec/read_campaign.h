#pragma once

#include "sortie/spec/campaign.h"
#include "sortie/spec/cells.h"
#include "sortie/spec/comparisons.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <string>
#include <vector>

namespace sortie::spec {

/// A campaign file's content, before scenarios become cells.
struct CampaignFile {
  std::string name;
  std::string endpoints;  // as written
  std::vector<std::size_t> models;
  std::vector<suite::TaskType> types;
  suite::TrialParams base;
  std::vector<Scenario> scenarios;
  Comparisons comparisons;
  Budget budget;
  CampaignShare share;
};

/// What a campaign file is read against.
struct CampaignContext {
  const suite::Suite* suite = nullptr;
  const Topology* topology = nullptr;
};

/// Reads and checks the whole file. The result is complete only if no problem was added.
[[nodiscard]] CampaignFile read_campaign(const Node& root,
                                         const CampaignContext& context,
                                         Problems& problems);

/// The `suite:` of a campaign file, the built-in one if it names none, and where it stands.
struct SuiteName {
  std::string text;
  Mark mark;
};

[[nodiscard]] SuiteName read_suite_name(const Node& root, Problems& problems);

/// The `endpoints:` of a campaign file, "endpoints.yaml" if it names none.
[[nodiscard]] std::string read_endpoints_name(const Node& root, Problems& problems);

}  // namespace sortie::spec
