#include "sortie/spec/scenarios.h"

#include "sortie/base/text.h"
#include "sortie/spec/cells.h"
#include "sortie/spec/factor_values.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"
#include "sortie/spec/read_campaign.h"
#include "sortie/spec/reader.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

constexpr std::int64_t kInstancesMax = 1'000'000;
constexpr std::size_t kScenariosMax = 100;
constexpr std::int64_t kRepeatsMax = 1'000'000;

std::vector<std::string> names_of(std::span<const std::size_t> models, const Topology& topology) {
  std::vector<std::string> names;
  for (const std::size_t model : models) {
    names.push_back(topology.models[model].name);
  }
  return names;
}

std::string levels_of(const suite::Task& task) {
  std::vector<std::string> levels;
  for (const suite::Difficulty level : suite::kDifficulties) {
    if (!task.text(level).empty()) {
      levels.emplace_back(suite::to_string(level));
    }
  }
  return base::join(levels, ", ");
}

/// Reads one scenario; holds what all its parts need.
class ScenarioReader {
 public:
  ScenarioReader(const ScenarioDefaults& defaults,
                 const CampaignContext& context,
                 Problems& problems)
      : defaults_(&defaults), context_(&context), problems_(&problems) {}

  Scenario from_name(const Node& node);
  Scenario from_mapping(const Node& node);

 private:
  void read_sizes(Mapping& mapping, Scenario& scenario);
  void read_models(const Node& node, Scenario& scenario);
  void read_preset(Mapping& mapping, Scenario& scenario);
  void read_own(Mapping& mapping, const Node& id, Scenario& scenario);
  std::vector<ScenarioCell> sweep(const Node& vary, const suite::TrialParams& base);
  std::vector<suite::TrialParams> values_of(const NodeEntry& factor,
                                            const suite::TrialParams& base);
  void check_severity(const Node& vary, std::span<const suite::TrialParams> points);
  void restrict_scale(Mark mark, bool explicit_models, Scenario& scenario);
  void check_instances(Mark mark, const Scenario& scenario);
  void check_flaws(Mark mark, const Scenario& scenario);
  void check_flaw(Mark mark, const suite::TrialParams& params, std::size_t instances);
  void check_texts(Mark mark, const Scenario& scenario);
  [[nodiscard]] std::string flawless_hint() const;

  [[nodiscard]] Scenario with_defaults() const {
    return {.id = {},
            .cells = {},
            .models = defaults_->campaign->models,
            .instances = defaults_->instances,
            .repeats = defaults_->repeats};
  }

  const ScenarioDefaults* defaults_;
  const CampaignContext* context_;
  Problems* problems_;
};

Scenario ScenarioReader::from_name(const Node& node) {
  Scenario scenario = with_defaults();
  const std::optional<std::string> name = read_text(node, "scenario", *problems_);
  if (!name) {
    return scenario;
  }
  const std::optional<std::string> preset = preset_named(*name);
  if (!preset) {
    report_unknown("scenario", {.text = *name, .mark = node.mark}, preset_ids(), *problems_);
    return scenario;
  }
  scenario.id = *preset;
  scenario.cells = preset_cells(*preset, defaults_->campaign->base);
  restrict_scale(node.mark, false, scenario);
  check_instances(defaults_->instances_mark, scenario);
  check_flaws(node.mark, scenario);
  check_texts(node.mark, scenario);
  return scenario;
}

Scenario ScenarioReader::from_mapping(const Node& node) {
  Scenario scenario = with_defaults();
  Mapping mapping(node, "scenario", *problems_);
  const Node* id = mapping.require("id");
  const std::optional<std::string> name =
      id != nullptr ? read_text(*id, "id", *problems_) : std::nullopt;
  read_sizes(mapping, scenario);
  const Node* models = mapping.get("models");
  if (models != nullptr) {
    read_models(*models, scenario);
  }
  if (!name) {
    return scenario;
  }
  if (const std::optional<std::string> preset = preset_named(*name)) {
    scenario.id = *preset;
    read_preset(mapping, scenario);
    restrict_scale(node.mark, models != nullptr, scenario);
  } else if (check_name(*name, id->mark, "", *problems_)) {
    scenario.id = *name;
    read_own(mapping, *id, scenario);
  }
  const bool own_instances = mapping.get("instances") != nullptr;
  check_instances(own_instances ? mapping.mark_of("instances") : defaults_->instances_mark,
                  scenario);
  check_flaws(node.mark, scenario);
  check_texts(node.mark, scenario);
  return scenario;
}

void ScenarioReader::read_sizes(Mapping& mapping, Scenario& scenario) {
  if (const auto instances = mapping.integer("instances", 1, kInstancesMax)) {
    scenario.instances = static_cast<std::size_t>(*instances);
  }
  if (const auto repeats = mapping.integer("repeats", 1, kRepeatsMax)) {
    scenario.repeats = static_cast<std::size_t>(*repeats);
  }
}

void ScenarioReader::read_models(const Node& node, Scenario& scenario) {
  const std::vector<std::size_t>& campaign_models = defaults_->campaign->models;
  const std::vector<std::string> known = names_of(campaign_models, *context_->topology);
  scenario.models.clear();
  for (const Name& name : read_names(node, "models", *problems_)) {
    const auto found = std::ranges::find(known, name.text);
    if (found == known.end()) {
      report_unknown("model of this campaign", name, known, *problems_);
    } else {
      scenario.models.push_back(campaign_models[static_cast<std::size_t>(found - known.begin())]);
    }
  }
}

void ScenarioReader::read_preset(Mapping& mapping, Scenario& scenario) {
  for (const std::string& factor : factor_names()) {
    if (mapping.get(factor) != nullptr) {
      problems_->add(mapping.mark_of(factor),
                     fmt::format("scenario '{}' is a preset: its {} is fixed or the campaign's; "
                                 "give a scenario of your "
                                 "own an id of its own",
                                 scenario.id,
                                 factor));
    }
  }
  if (mapping.get("vary") != nullptr) {
    problems_->add(mapping.mark_of("vary"),
                   fmt::format("scenario '{}' is a preset and varies what it varies; give a "
                               "scenario of your own an id of "
                               "its own",
                               scenario.id));
  }
  mapping.finish();
  scenario.cells = preset_cells(scenario.id, defaults_->campaign->base);
}

void ScenarioReader::read_own(Mapping& mapping, const Node& id, Scenario& scenario) {
  suite::TrialParams base = defaults_->campaign->base;
  const std::vector<std::string> fixed = apply_factors(mapping, base, *problems_);
  const Node* vary = mapping.get("vary");
  mapping.finish();
  if (vary == nullptr && fixed.empty()) {
    problems_->add(id.mark,
                   fmt::format("scenario '{}' is no preset and has neither vary: nor a factor{}",
                               scenario.id,
                               base::suggestion(scenario.id, preset_ids())));
    return;
  }
  if (vary == nullptr) {
    scenario.cells = {{.params = base}};
    return;
  }
  for (const NodeEntry& entry : vary->entries) {
    if (std::ranges::find(fixed, entry.key) != fixed.end()) {
      problems_->add(entry.mark,
                     fmt::format("vary: {} has one value above and is varied here", entry.key));
    }
  }
  scenario.cells = sweep(*vary, base);
}

std::vector<suite::TrialParams> ScenarioReader::values_of(const NodeEntry& factor,
                                                          const suite::TrialParams& base) {
  std::vector<suite::TrialParams> values;
  if (factor.value.kind == Node::Kind::list && factor.value.items.empty()) {
    problems_->add(factor.mark, fmt::format("vary: {} has no values", factor.key));
  }
  for (const Node& item : items_of(factor.value)) {
    suite::TrialParams value = base;
    if (!apply_factor(factor.key, item, value, *problems_)) {
      continue;
    }
    if (std::ranges::find(values, value) != values.end()) {
      problems_->add(item.mark, fmt::format("vary: {} has this value twice", factor.key));
      continue;
    }
    values.push_back(value);
  }
  return values;
}

std::vector<ScenarioCell> ScenarioReader::sweep(const Node& vary, const suite::TrialParams& base) {
  std::vector<suite::TrialParams> points = {base};
  Mapping mapping(vary, "vary", *problems_);
  for (const std::string& factor : factor_names()) {
    (void)mapping.get(factor);
  }
  mapping.finish();
  const std::vector<std::string> known = factor_names();
  for (const NodeEntry& factor : vary.entries) {
    if (std::ranges::find(known, factor.key) == known.end()) {
      continue;
    }
    const std::vector<suite::TrialParams> values = values_of(factor, base);
    if (points.size() * values.size() > kCellsMax) {
      problems_->add(
          factor.mark,
          fmt::format("vary: more than {} combinations", base::with_thousands(kCellsMax)));
      return {};
    }
    std::vector<suite::TrialParams> product;
    for (const suite::TrialParams& point : points) {
      for (const suite::TrialParams& value : values) {
        copy_factor(factor.key, value, product.emplace_back(point));
      }
    }
    points = std::move(product);
  }
  check_severity(vary, points);
  std::vector<ScenarioCell> cells;
  for (const suite::TrialParams& point : points) {
    cells.push_back({.params = point});
  }
  return cells;
}

/// A sweep over severities of a plan without a flaw would be one cell under several names.
void ScenarioReader::check_severity(const Node& vary, std::span<const suite::TrialParams> points) {
  const auto severity = std::ranges::find(vary.entries, "severity", &NodeEntry::key);
  const bool any_flaw = std::ranges::any_of(points, [](const suite::TrialParams& point) {
    return point.prompt.style == suite::PromptStyle::flawed;
  });
  if (severity != vary.entries.end() && !any_flaw) {
    problems_->add(severity->mark, "vary: severity means something only with a flawed prompt");
  }
}

/// Scale compares sizes within a family: other models cannot take part.
void ScenarioReader::restrict_scale(Mark mark, bool explicit_models, Scenario& scenario) {
  if (scenario.id != "scale") {
    return;
  }
  const std::vector<Model>& models = context_->topology->models;
  std::set<std::string> families;
  std::vector<std::size_t> sized;
  for (const std::size_t model : scenario.models) {
    if (models[model].size_b) {
      sized.push_back(model);
      families.insert(models[model].family);
    } else if (explicit_models) {
      problems_->add(mark,
                     fmt::format("scenario 'scale': model '{}' has no size_b", models[model].name));
    }
  }
  if (sized.empty() && !scenario.models.empty() && !explicit_models) {
    problems_->add(mark, "scenario 'scale': no model of this campaign has a size_b");
  }
  if (families.size() > 1) {
    const std::vector<std::string> names(families.begin(), families.end());
    problems_->add(mark,
                   fmt::format("scenario 'scale' compares models of one family, and those with a "
                               "size_b are of {} ({}); "
                               "choose with {{id: scale, models: [...]}}",
                               names.size(),
                               base::join(names, ", ")));
  }
  scenario.models = std::move(sized);
}

void ScenarioReader::check_instances(Mark mark, const Scenario& scenario) {
  for (const suite::TaskType type : defaults_->campaign->types) {
    const std::size_t available = context_->suite->available(type);
    if (scenario.instances > available) {
      problems_->add(mark,
                     fmt::format("instances: {} of each task type, but suite '{}' has only {}{} "
                                 "tasks of type {}",
                                 scenario.instances,
                                 context_->suite->name(),
                                 available,
                                 context_->suite->built_in() ? " eligible" : "",
                                 suite::to_string(type)));
    }
  }
}

/// Below severe a flaw may not exist for a task; such a trial would show the right plan under the
/// flaw's name.
void ScenarioReader::check_flaws(Mark mark, const Scenario& scenario) {
  std::set<std::pair<suite::Flaw, suite::Severity>> checked;
  for (const ScenarioCell& cell : scenario.cells) {
    const suite::TrialParams& params = cell.params;
    if (params.prompt.style == suite::PromptStyle::flawed &&
        checked.emplace(params.prompt.flaw, params.severity).second) {
      check_flaw(mark, params, scenario.instances);
    }
  }
}

void ScenarioReader::check_flaw(Mark mark,
                                const suite::TrialParams& params,
                                std::size_t instances) {
  const suite::Suite& suite = *context_->suite;
  std::size_t missing = 0;
  std::size_t total = 0;
  std::string example;
  for (const suite::TaskType type : defaults_->campaign->types) {
    for (const std::size_t position :
         suite.draw(params.seed, type, std::min(instances, suite.available(type)))) {
      const suite::Task& task = suite.tasks()[position];
      ++total;
      if (!suite::shown_plan(suite.catalog(), task, params.prompt, params.severity)) {
        ++missing;
        example = example.empty() ? task.id : example;
      }
    }
  }
  if (missing > 0) {
    problems_->add(
        mark,
        fmt::format(
            "flaw {} at severity {} does not exist for {} of the {} drawn tasks, e.g. {}; {}",
            suite::to_string(params.prompt.flaw),
            suite::to_string(params.severity),
            missing,
            total,
            example,
            params.severity == suite::Severity::severe ? flawless_hint()
                                                       : "severity severe exists for all"));
  }
}

/// What a suite with tasks that have not all flaws can do.
std::string ScenarioReader::flawless_hint() const {
  std::vector<std::string> counts;
  for (const suite::TaskType type : defaults_->campaign->types) {
    counts.push_back(
        fmt::format("{} of {}", context_->suite->eligible(type), suite::to_string(type)));
  }
  return fmt::format("all flaws exist for eligible tasks, which are drawn first: {}",
                     base::join(counts, ", "));
}

/// A user's suite need not have a text at every level.
void ScenarioReader::check_texts(Mark mark, const Scenario& scenario) {
  const suite::Suite& suite = *context_->suite;
  std::set<suite::Difficulty> checked;
  for (const ScenarioCell& cell : scenario.cells) {
    const suite::Difficulty level = cell.params.difficulty;
    if (suite.built_in() || !checked.insert(level).second) {
      continue;
    }
    for (const suite::TaskType type : defaults_->campaign->types) {
      const std::size_t count = std::min(scenario.instances, suite.available(type));
      for (const std::size_t position : suite.draw(cell.params.seed, type, count)) {
        const suite::Task& task = suite.tasks()[position];
        if (task.text(level).empty()) {
          problems_->add(mark,
                         fmt::format("difficulty {}: the drawn task {} has no text at this level; "
                                     "it has: {}",
                                     suite::to_string(level),
                                     task.id,
                                     levels_of(task)));
          return;
        }
      }
    }
  }
}

void check_size(const Node& node, std::span<const Scenario> scenarios, Problems& problems) {
  std::size_t cells = 0;
  for (const Scenario& scenario : scenarios) {
    cells += scenario.cells.size() * scenario.models.size();
  }
  if (cells > kCellsMax) {
    problems.add(node.mark,
                 fmt::format("scenarios: {} cells over all models, at most {} are possible",
                             base::with_thousands(static_cast<long long>(cells)),
                             base::with_thousands(kCellsMax)));
  }
}

}  // namespace

std::vector<Scenario> read_scenarios(const Node& node,
                                     const ScenarioDefaults& defaults,
                                     const CampaignContext& context,
                                     Problems& problems) {
  std::vector<Scenario> scenarios;
  if (node.kind != Node::Kind::list || node.items.empty()) {
    problems.add(node.mark,
                 fmt::format("scenarios: expected a list of scenarios, found {}",
                             node.kind == Node::Kind::list ? "an empty one" : kind_name(node)));
    return scenarios;
  }
  if (node.items.size() > kScenariosMax) {
    problems.add(node.mark, fmt::format("scenarios: more than {}", kScenariosMax));
    return scenarios;
  }
  ScenarioReader reader(defaults, context, problems);
  for (const Node& item : node.items) {
    Scenario scenario =
        item.kind == Node::Kind::mapping ? reader.from_mapping(item) : reader.from_name(item);
    if (!scenario.id.empty() &&
        std::ranges::find(scenarios, scenario.id, &Scenario::id) != scenarios.end()) {
      problems.add(item.mark, fmt::format("scenario '{}' stands here twice", scenario.id));
      continue;
    }
    scenarios.push_back(std::move(scenario));
  }
  check_size(node, scenarios, problems);
  return scenarios;
}

}  // namespace sortie::spec
