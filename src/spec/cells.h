#pragma once

#include "sortie/base/hash.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/model.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Scenarios as sets of cells: the five presets of the workload, and how cells that several
// scenarios show become one.

namespace sortie::spec {

/// Cells of one campaign, over all models: what a sweep may multiply up to.
inline constexpr std::size_t kCellsMax = 100'000;

/// A combination of factors that a scenario shows.
struct ScenarioCell {
  suite::TrialParams params;
  bool borrowed = false;  // another scenario's own cell, where the campaign lists that one too
};

struct Scenario {
  std::string id;
  std::vector<ScenarioCell> cells;
  std::vector<std::size_t> models;  // in Topology::models
  std::size_t instances = 0;
  std::size_t repeats = 0;
};

[[nodiscard]] std::vector<std::string> preset_ids();

/// "baseline" for "baseline" and "5.1"; nullopt for what is no preset.
[[nodiscard]] std::optional<std::string> preset_named(std::string_view id_or_number);

/// The cells of a preset for one model; `base` holds every factor that the preset does not vary.
[[nodiscard]] std::vector<ScenarioCell> preset_cells(std::string_view id,
                                                     const suite::TrialParams& base);

/// `params` with the severity of an unflawed prompt set to the default, since it means nothing
/// there.
[[nodiscard]] suite::TrialParams normalized(suite::TrialParams params);

/// Names a cell for ever: model identity, factors, seed and sampling.
[[nodiscard]] base::Digest cell_id(const Model& model, const suite::TrialParams& params);

/// The cells of a campaign, by model in the order of `models`, then as the scenarios list them;
/// equal cells once, with the largest number of instances and of repeats that a scenario asks for.
[[nodiscard]] std::vector<Cell> merged_cells(const std::vector<Scenario>& scenarios,
                                             const std::vector<std::size_t>& models,
                                             const std::vector<suite::TaskType>& types,
                                             const Topology& topology);

}  // namespace sortie::spec
