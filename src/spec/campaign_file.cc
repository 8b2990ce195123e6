#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/campaign_overrides.h"
#include "sortie/spec/cells.h"
#include "sortie/spec/file.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/spec/read_campaign.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

base::Status check_native_tools(const std::vector<Cell>& cells,
                                const Topology& topology,
                                const std::string& file_name) {
  for (const Cell& cell : cells) {
    const Model& model = topology.models[cell.model];
    if (cell.params.protocol == suite::Protocol::native && !model.capability.native_tools) {
      return base::bad_input(
          fmt::format("{}: protocol: native needs the model's function calling, but '{}' has none "
                      "({}:{}: parameters: {{tools: false}}); leave it out or use protocol: text",
                      file_name,
                      model.name,
                      model.where.file,
                      model.where.line));
    }
  }
  return {};
}

}  // namespace

base::Result<Campaign> parse_campaign(std::string_view text,
                                      const std::string& file_name,
                                      const suite::Suite& suite,
                                      const Topology& topology,
                                      const CampaignOverrides& overrides) {
  Problems problems(file_name, text);
  CampaignFile file;
  if (const std::optional<Node> root = parse_yaml(text, problems)) {
    file = read_campaign(*root, {.suite = &suite, .topology = &topology}, problems);
  }
  if (problems.any()) {
    return std::unexpected(problems.error());
  }
  Campaign campaign;
  campaign.cells = merged_cells(file.scenarios, file.models, file.types, topology);
  TRY(apply_overrides(overrides, file.scenarios, topology, campaign.cells));
  TRY(check_native_tools(campaign.cells, topology, file_name));
  campaign.name = std::move(file.name);
  campaign.suite_name = suite.name();
  campaign.seed = file.base.seed;
  campaign.comparisons = std::move(file.comparisons);
  campaign.budget = file.budget;
  campaign.share = file.share;
  campaign.endpoints_file = resolve_path(file.endpoints, file_name);
  campaign.file_hash = base::digest_of(text);
  campaign.file = file_name;
  campaign.text = text;
  campaign.bind(suite);
  return campaign;
}

base::Result<Campaign> load_campaign(const std::string& path,
                                     const suite::Suite& suite,
                                     const Topology& topology,
                                     const CampaignOverrides& overrides) {
  TRY_ASSIGN(const std::string text, read_file(path, kYamlBytesMax));
  return parse_campaign(text, path, suite, topology, overrides);
}

base::Result<std::string> endpoints_path_of(const std::string& campaign_path) {
  TRY_ASSIGN(const std::string text, read_file(campaign_path, kYamlBytesMax));
  Problems problems(campaign_path, text);
  std::string name;
  if (const std::optional<Node> root = parse_yaml(text, problems)) {
    name = read_endpoints_name(*root, problems);
  }
  if (problems.any()) {
    return std::unexpected(problems.error());
  }
  return resolve_path(name, campaign_path);
}

}  // namespace sortie::spec
