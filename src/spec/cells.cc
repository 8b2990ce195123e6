#include "sortie/spec/cells.h"

#include "sortie/base/hash.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/factors.h"
#include "sortie/spec/model.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::spec {
namespace {

struct Preset {
  std::string_view id;
  std::string_view number;
};

constexpr std::array kPresets = {Preset{"baseline", "5.1"},
                                 Preset{"scale", "5.2"},
                                 Preset{"flawed", "5.3"},
                                 Preset{"reliability", "5.4"},
                                 Preset{"prompts", "5.5"}};

constexpr suite::Prompt kOptimal = {.style = suite::PromptStyle::optimal};
constexpr suite::Prompt kNoPlan = {.style = suite::PromptStyle::baseline};
constexpr suite::Prompt kCot = {.style = suite::PromptStyle::cot};

std::vector<ScenarioCell> scale_cells(const suite::TrialParams& base) {
  std::vector<ScenarioCell> cells;
  for (const auto difficulty :
       {suite::Difficulty::very_easy, suite::Difficulty::easy, suite::Difficulty::medium}) {
    for (const suite::Prompt prompt : {kOptimal, kNoPlan}) {
      suite::TrialParams params = base;
      params.difficulty = difficulty;
      params.prompt = prompt;
      cells.push_back({.params = params, .borrowed = difficulty == suite::Difficulty::easy});
    }
  }
  return cells;
}

std::vector<ScenarioCell> flawed_cells(const suite::TrialParams& base) {
  std::vector<ScenarioCell> cells;
  for (const suite::Flaw flaw : suite::kPlanFlaws) {
    suite::TrialParams params = base;
    params.prompt = {.style = suite::PromptStyle::flawed, .flaw = flaw};
    cells.push_back({.params = params});
  }
  return cells;
}

std::vector<ScenarioCell> reliability_cells(const suite::TrialParams& base) {
  std::vector<ScenarioCell> cells;
  for (const double rate : {0.9, 0.8, 0.7, 0.6}) {
    suite::TrialParams params = base;
    params.tool_success_rate = rate;
    cells.push_back({.params = params, .borrowed = rate == 0.8});
  }
  return cells;
}

std::vector<ScenarioCell> prompt_cells(const suite::TrialParams& base) {
  std::vector<ScenarioCell> cells;
  for (const suite::Prompt prompt : {kOptimal, kNoPlan, kCot}) {
    suite::TrialParams params = base;
    params.prompt = prompt;
    cells.push_back({.params = params, .borrowed = prompt == kOptimal});
  }
  return cells;
}

/// A cell under construction, with whether its first scenario really owns it.
struct Draft {
  Cell cell;
  bool owned = false;
};

void add_to_model(const Scenario& scenario,
                  const ScenarioCell& shown,
                  Draft fresh,
                  std::vector<Draft>& drafts,
                  std::unordered_map<base::Digest, std::size_t>& known) {
  const auto [position, is_new] = known.emplace(fresh.cell.id, drafts.size());
  if (is_new) {
    drafts.push_back(std::move(fresh));
  }
  Draft& draft = drafts[position->second];
  std::vector<std::string>& names = draft.cell.scenarios;
  if (std::ranges::find(names, scenario.id) == names.end()) {
    const bool takes = !shown.borrowed && !draft.owned;
    names.insert(takes ? names.begin() : names.end(), scenario.id);
    draft.owned = draft.owned || takes;
  }
  draft.cell.instances = std::max(draft.cell.instances, scenario.instances);
  draft.cell.repeats = std::max(draft.cell.repeats, scenario.repeats);
}

}  // namespace

std::vector<std::string> preset_ids() {
  std::vector<std::string> ids;
  for (const Preset& preset : kPresets) {
    ids.emplace_back(preset.id);
  }
  return ids;
}

std::optional<std::string> preset_named(std::string_view id_or_number) {
  for (const Preset& preset : kPresets) {
    if (preset.id == id_or_number || preset.number == id_or_number) {
      return std::string(preset.id);
    }
  }
  return std::nullopt;
}

std::vector<ScenarioCell> preset_cells(std::string_view id, const suite::TrialParams& base) {
  if (id == "scale") {
    return scale_cells(base);
  }
  if (id == "flawed") {
    return flawed_cells(base);
  }
  if (id == "reliability") {
    return reliability_cells(base);
  }
  if (id == "prompts") {
    return prompt_cells(base);
  }
  return {{.params = base}};
}

suite::TrialParams normalized(suite::TrialParams params) {
  if (params.prompt.style != suite::PromptStyle::flawed) {
    params.severity = suite::Severity::severe;
  }
  return params;
}

base::Digest cell_id(const Model& model, const suite::TrialParams& params) {
  base::FieldHasher hasher("sortie.cell.v1");
  add_model_fields(hasher, model);
  add_factor_fields(hasher, params);
  return hasher.finish();
}

std::vector<Cell> merged_cells(const std::vector<Scenario>& scenarios,
                               const std::vector<std::size_t>& models,
                               const std::vector<suite::TaskType>& types,
                               const Topology& topology) {
  std::vector<Cell> cells;
  for (const std::size_t model : models) {
    std::vector<Draft> drafts;
    std::unordered_map<base::Digest, std::size_t> known;
    for (const Scenario& scenario : scenarios) {
      if (std::ranges::find(scenario.models, model) == scenario.models.end()) {
        continue;
      }
      for (const ScenarioCell& shown : scenario.cells) {
        const suite::TrialParams params = normalized(shown.params);
        add_to_model(scenario,
                     shown,
                     {.cell = {.model = model,
                               .params = params,
                               .scenarios = {},
                               .instances = scenario.instances,
                               .repeats = scenario.repeats,
                               .types = types,
                               .id = cell_id(topology.models[model], params)}},
                     drafts,
                     known);
      }
    }
    for (Draft& draft : drafts) {
      cells.push_back(std::move(draft.cell));
    }
  }
  return cells;
}

}  // namespace sortie::spec
