#include "sortie/spec/campaign_overrides.h"

#include "sortie/base/error.h"
#include "sortie/base/text.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/cells.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

/// The wanted names as a set; each must be one of `known`.
base::Result<std::set<std::string>> chosen(std::string_view flag,
                                           const std::vector<std::string>& wanted,
                                           const std::vector<std::string>& known) {
  std::set<std::string> names;
  for (const std::string& name : wanted) {
    if (std::ranges::find(known, name) == known.end()) {
      return base::bad_input(fmt::format(
          "{}: this campaign has no '{}'{}", flag, name, base::suggestion(name, known)));
    }
    names.insert(name);
  }
  return names;
}

base::Status keep_scenarios(const std::vector<std::string>& only,
                            const std::vector<Scenario>& scenarios,
                            std::vector<Cell>& cells) {
  std::vector<std::string> wanted;
  for (const std::string& name : only) {
    wanted.push_back(preset_named(name).value_or(name));
  }
  std::vector<std::string> known;
  for (const Scenario& scenario : scenarios) {
    known.push_back(scenario.id);
  }
  TRY_ASSIGN(const std::set<std::string> ids, chosen("--only", wanted, known));
  std::erase_if(cells, [&ids](const Cell& cell) {
    return std::ranges::none_of(cell.scenarios,
                                [&ids](const std::string& id) { return ids.contains(id); });
  });
  return {};
}

base::Status keep_models(const std::vector<std::string>& wanted,
                         const Topology& topology,
                         std::vector<Cell>& cells) {
  std::vector<std::string> known;
  for (const Cell& cell : cells) {
    const std::string& name = topology.models[cell.model].name;
    if (known.empty() || known.back() != name) {
      known.push_back(name);
    }
  }
  TRY_ASSIGN(const std::set<std::string> names, chosen("--model", wanted, known));
  std::erase_if(
      cells, [&](const Cell& cell) { return !names.contains(topology.models[cell.model].name); });
  return {};
}

}  // namespace

base::Status apply_overrides(const CampaignOverrides& overrides,
                             const std::vector<Scenario>& scenarios,
                             const Topology& topology,
                             std::vector<Cell>& cells) {
  // Models first: what they are called does not depend on the scenarios kept.
  if (!overrides.models.empty()) {
    TRY(keep_models(overrides.models, topology, cells));
  }
  if (!overrides.only.empty()) {
    TRY(keep_scenarios(overrides.only, scenarios, cells));
  }
  if (cells.empty()) {
    return base::bad_input(
        "nothing is left of this campaign: the chosen scenarios have no cell of the chosen models");
  }
  if (overrides.limit > 0) {
    for (Cell& cell : cells) {
      cell.instances = std::min(cell.instances, overrides.limit);
      cell.repeats =
          std::min(cell.repeats, std::max<std::size_t>(1, overrides.limit / cell.instances));
    }
  }
  return {};
}

}  // namespace sortie::spec
