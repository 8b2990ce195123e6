#include "sortie/spec/read_campaign.h"

#include "sortie/base/text.h"
#include "sortie/spec/cells.h"
#include "sortie/spec/comparisons.h"
#include "sortie/spec/factor_values.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/spec/read_budget.h"
#include "sortie/spec/reader.h"
#include "sortie/spec/scenarios.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

constexpr std::int64_t kInstances = 20;
constexpr std::int64_t kInstancesMax = 1'000'000;
constexpr std::int64_t kRepeatsMax = 1'000'000;
constexpr std::int64_t kSeed = 1;
constexpr double kPriorityMax = 1000;
constexpr double kGuaranteedMax = 0.99;  // the others must be able to end, too
constexpr const char* kEndpoints = "endpoints.yaml";
constexpr const char* kBaselineModel = "baseline_model";
constexpr const char* kAllPairs = "all_pairs";

/// Another name than that of the built-in suite is the folder that the suite was read from.
void read_suite(Mapping& top, const suite::Suite& suite, Problems& problems) {
  const std::string name = top.text("suite").value_or(std::string(suite::kBuiltInSuite));
  if ((name == suite::kBuiltInSuite) != suite.built_in()) {
    problems.add(
        top.mark_of("suite"),
        fmt::format("suite: '{}' is not here; this run has suite '{}'", name, suite.name()));
  }
}

/// Those of which the suite has tasks.
std::vector<suite::TaskType> offered_types(const suite::Suite& suite) {
  std::vector<suite::TaskType> types;
  std::ranges::copy_if(suite::kTaskTypes, std::back_inserter(types), [&](suite::TaskType type) {
    return suite.available(type) > 0;
  });
  return types;
}

/// The usual number, or as many as there are of the rarest type of a small suite.
std::int64_t default_instances(const suite::Suite& suite,
                               const std::vector<suite::TaskType>& types) {
  std::int64_t instances = kInstances;
  for (const suite::TaskType type : types) {
    const auto available = static_cast<std::int64_t>(suite.available(type));
    instances = suite.built_in() || available == 0 ? instances : std::min(instances, available);
  }
  return instances;
}

void read_models(const Node& node,
                 const Topology& topology,
                 CampaignFile& campaign,
                 Problems& problems) {
  std::vector<std::string> known;
  std::ranges::transform(topology.models, std::back_inserter(known), &Model::name);
  for (const Name& name : read_names(node, "models", problems)) {
    if (const std::optional<std::size_t> model = topology.find_model(name.text)) {
      campaign.models.push_back(*model);
    } else {
      report_unknown("model", name, known, problems);
    }
  }
}

/// Who is compared with whom in 5.1.
void read_compared_models(Mapping& top,
                          const Topology& topology,
                          CampaignFile& campaign,
                          Problems& problems) {
  Comparisons& declared = campaign.comparisons;
  std::vector<std::string> known;
  std::ranges::transform(campaign.models, std::back_inserter(known), [&](std::size_t model) {
    return topology.models[model].name;
  });
  const std::optional<std::string> kind = top.text("comparisons");
  if (kind.has_value() && *kind != kBaselineModel && *kind != kAllPairs) {
    problems.add(
        top.mark_of("comparisons"),
        fmt::format("comparisons: '{}' is neither {} nor {}{}",
                    *kind,
                    kBaselineModel,
                    kAllPairs,
                    base::suggestion(*kind, std::vector<std::string>{kBaselineModel, kAllPairs})));
  }
  declared.all_pairs = kind == kAllPairs;
  const std::optional<std::string> model = top.text(kBaselineModel);
  if (model.has_value() && declared.all_pairs) {
    problems.add(top.mark_of(kBaselineModel),
                 "baseline_model: all pairs of models are compared; drop this line, or "
                 "'comparisons: all_pairs'");
  } else if (model.has_value() && std::ranges::find(known, *model) == known.end()) {
    report_unknown("model of this campaign",
                   {.text = *model, .mark = top.mark_of(kBaselineModel)},
                   known,
                   problems);
  } else if (!declared.all_pairs && !known.empty()) {
    declared.baseline_model = model.value_or(known.front());
  }
}

/// Does some scenario show this model the factors of `params` under `prompt`?
bool shows(const CampaignFile& campaign,
           std::size_t model,
           suite::TrialParams params,
           suite::Prompt prompt) {
  params.prompt = prompt;
  params = normalized(params);
  return std::ranges::any_of(campaign.scenarios, [&](const Scenario& scenario) {
    return std::ranges::find(scenario.models, model) != scenario.models.end() &&
           std::ranges::any_of(scenario.cells, [&](const ScenarioCell& cell) {
             return normalized(cell.params) == params;
           });
  });
}

/// How many models of `scenario` have a cell of it and the cell that differs from that one in its
/// prompt alone.
std::size_t models_with(const CampaignFile& campaign,
                        const Scenario& scenario,
                        suite::Prompt prompt) {
  return static_cast<std::size_t>(std::ranges::count_if(scenario.models, [&](std::size_t model) {
    return std::ranges::any_of(scenario.cells, [&](const ScenarioCell& cell) {
      return shows(campaign, model, cell.params, prompt);
    });
  }));
}

/// Why a family of comparisons would be empty; "" if it is not.
std::string lacks(const CampaignFile& campaign,
                  const Scenario& scenario,
                  const ComparisonFamily& family) {
  const bool between_models = family.scenario == "baseline";
  if (between_models && scenario.models.size() < 2) {
    return "compares models, and the scenario baseline has only one: add another one to models";
  }
  const std::size_t needed = between_models ? 2 : 1;
  const bool plain = family.name == "baseline/without_plan" || family.name == "flawed/no_plan";
  if (plain && models_with(campaign, scenario, {.style = suite::PromptStyle::baseline}) < needed) {
    return "needs cells without a plan: add the scenario prompts";
  }
  // With another prompt than none 5.1's own cells show a plan.
  const bool own_plan =
      between_models && campaign.base.prompt.style != suite::PromptStyle::baseline;
  const bool planned = family.name == "baseline/with_plan" || family.name == "flawed/right_plan";
  if (planned && !own_plan && models_with(campaign, scenario, {}) < needed) {
    return "needs cells with the right plan: add the scenario prompts";
  }
  return {};
}

/// Names of families, or of presets for all of theirs that have cells.
void read_primary(const Node& node, CampaignFile& campaign, Problems& problems) {
  std::vector<std::string> known = preset_ids();
  for (const ComparisonFamily& family : comparison_families()) {
    known.emplace_back(family.name);
  }
  for (const Name& name : read_names(node, "primary", problems)) {
    const std::string wanted = preset_named(name.text).value_or(name.text);
    bool found = false;
    bool declared = false;
    std::string problem;
    for (const ComparisonFamily& family : comparison_families()) {
      if (family.name != wanted && family.scenario != wanted) {
        continue;
      }
      found = true;
      const auto scenario = std::ranges::find(campaign.scenarios, family.scenario, &Scenario::id);
      if (scenario == campaign.scenarios.end()) {
        problem =
            fmt::format("'{}' compares cells of scenario '{}', which this campaign does not run",
                        name.text,
                        family.scenario);
        break;
      }
      if (const std::string lacking = lacks(campaign, *scenario, family); !lacking.empty()) {
        problem = fmt::format("{} {}", family.name, lacking);
        continue;
      }
      declared = true;
      std::vector<std::string>& primary = campaign.comparisons.primary;
      if (std::ranges::find(primary, family.name) == primary.end()) {
        primary.emplace_back(family.name);
      }
    }
    if (!found) {
      report_unknown("family of comparisons", name, known, problems);
    } else if (!declared) {
      problems.add(name.mark, "primary: " + problem);
    }
  }
}

CampaignShare read_share(Mapping& top, Problems& problems) {
  CampaignShare share;
  share.priority =
      top.number("priority", {.min = 0, .max = kPriorityMax, .above_min = true}).value_or(1);
  if (const auto guaranteed =
          top.number("guaranteed", {.min = 0, .max = kGuaranteedMax, .above_min = true})) {
    share.guaranteed = *guaranteed;
    share.where = problems.position(top.mark_of("guaranteed"));
  }
  return share;
}

}  // namespace

CampaignFile read_campaign(const Node& root, const CampaignContext& context, Problems& problems) {
  CampaignFile campaign;
  Mapping top(root, "campaign file", problems);
  if (!check_version(root, top, problems)) {
    return campaign;
  }
  const Node* name = top.require("name");
  campaign.name = top.text("name").value_or("");
  if (name != nullptr && name->kind == Node::Kind::scalar) {
    check_name(campaign.name, name->mark, "", problems);
  }
  read_suite(top, *context.suite, problems);
  campaign.endpoints = top.text("endpoints").value_or(kEndpoints);
  const std::int64_t seed =
      top.integer("seed", 0, std::numeric_limits<std::int64_t>::max()).value_or(kSeed);
  campaign.base.seed = static_cast<std::uint64_t>(seed);
  if (const Node* models = top.require("models")) {
    read_models(*models, *context.topology, campaign, problems);
  }
  const Node* types = top.get("task_types");
  campaign.types =
      types != nullptr ? read_task_types(*types, problems) : offered_types(*context.suite);
  apply_factors(top, campaign.base, problems);
  const ScenarioDefaults defaults = {
      .campaign = &campaign,
      .instances = static_cast<std::size_t>(
          top.integer("instances", 1, kInstancesMax)
              .value_or(default_instances(*context.suite, campaign.types))),
      .repeats = static_cast<std::size_t>(top.integer("repeats", 1, kRepeatsMax).value_or(1)),
      .instances_mark = top.mark_of("instances")};
  const Node* scenarios = top.require("scenarios");
  read_compared_models(top, *context.topology, campaign, problems);
  const Node* primary = top.get("primary");
  if (const Node* budget = top.get("budget")) {
    campaign.budget = read_budget(*budget, problems);
  }
  campaign.share = read_share(top, problems);
  top.finish();
  if (scenarios != nullptr) {
    campaign.scenarios = read_scenarios(*scenarios, defaults, context, problems);
  }
  if (primary != nullptr) {
    read_primary(*primary, campaign, problems);
  }
  return campaign;
}

SuiteName read_suite_name(const Node& root, Problems& problems) {
  Mapping top(root, "campaign file", problems);
  const Node* node = top.get("suite");
  return {.text = top.text("suite").value_or(std::string(suite::kBuiltInSuite)),
          .mark = node == nullptr ? root.mark : node->mark};
}

std::string read_endpoints_name(const Node& root, Problems& problems) {
  Mapping top(root, "campaign file", problems);
  return top.text("endpoints").value_or(kEndpoints);
}

}  // namespace sortie::spec
