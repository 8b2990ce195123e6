#pragma once

#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/spec/comparisons.h"
#include "sortie/spec/model.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// A campaign: a matrix of factors over a suite, as an indexable space of trials. Nothing is
// materialised: ten million trials cost as much memory as their cells.

namespace sortie::spec {

/// All trials that share every factor but task and repeat.
struct Cell {
  std::size_t model = 0;      // in Topology::models
  suite::TrialParams params;  // repeat 0; the rest holds for every trial of the cell
  std::vector<std::string>
      scenarios;  // that show this cell, e.g. {"baseline", "reliability"}; the first one owns it
  std::size_t instances = 20;  // per task type
  std::size_t repeats = 1;
  std::vector<suite::TaskType> types;
  base::Digest id;  // of model identity, factors, sampling: independent of instances and repeats

  [[nodiscard]] std::uint64_t size() const { return instances * repeats * types.size(); }
};

/// One trial of the space.
struct Trial {
  std::size_t cell = 0;       // in Campaign::cells
  std::uint64_t ordinal = 0;  // within the cell: 0 … size()-1
  std::size_t task = 0;       // in Suite::tasks()
  suite::TrialParams params;  // with its repeat
};

/// From the start of a command, or a point in time.
using Deadline = std::variant<base::Duration, base::WallTime>;

/// What a run may use (spec/budget.h). Absent: no limit.
struct Budget {
  std::optional<double> max_cost_usd;
  std::optional<std::int64_t> max_tokens;  // in and out
  std::optional<Deadline> deadline;
};

/// What a campaign gets beside others that run in the same process.
struct CampaignShare {
  double priority = 1;    // > 0: its work counts so many times
  double guaranteed = 0;  // in [0, 1): at least this fraction of what its limits let through
  Position where;         // of `guaranteed`, if it is declared
};

class Campaign {
 public:
  std::string name;
  std::string suite_name;
  std::uint64_t seed = 0;
  std::string endpoints_file;  // resolved against the campaign file's folder
  Comparisons comparisons;
  Budget budget;            // as the file says; not part of any key
  CampaignShare share;      // likewise
  std::vector<Cell> cells;  // ordered by model, then as the scenarios list them
  base::Digest file_hash;
  std::string file;
  std::string text;  // the file's bytes, for the manifest

  [[nodiscard]] std::uint64_t trial_count() const;

  /// The trial number `ordinal` of a cell. Ordinals run over repeats slowest, then instances, then
  /// types, so that every prefix of a cell is balanced over types.
  [[nodiscard]] Trial trial(std::size_t cell, std::uint64_t ordinal) const;

  /// Global index → trial, cells one after the other. index < trial_count().
  [[nodiscard]] Trial trial_at(std::uint64_t index) const;

  /// Ordinal of a (task, repeat) in a cell, if the cell contains it.
  [[nodiscard]] std::optional<std::uint64_t> ordinal_of(std::size_t cell,
                                                        std::size_t task,
                                                        int repeat) const;

  /// Draws the tasks that the cells need; `cells` must not change afterwards. Called by
  /// load_campaign. The suite must offer as many tasks of each type as its largest cell has
  /// instances.
  void bind(const suite::Suite& suite);

 private:
  std::vector<std::vector<std::size_t>> drawn_;  // per TaskType: positions in Suite::tasks()
  std::vector<std::vector<std::size_t>>
      rank_of_task_;                      // per TaskType: task position → rank in drawn_, or npos
  std::vector<std::uint64_t> end_index_;  // per cell: global index after its last trial
};

/// What a trial's key is made of besides the trial itself.
struct KeyContext {
  const suite::Suite* suite = nullptr;
  base::Digest dialogue_version;  // from dialogue; spec does not depend on it
};

/// The key of a trial (docs/reference/files.md lists its parts). `plan_digest` is dialogue's digest
/// of the shown plan's text.
[[nodiscard]] base::Digest trial_key(const KeyContext& context,
                                     const Topology& topology,
                                     const Campaign& campaign,
                                     const Trial& trial,
                                     const base::Digest& plan_digest);

/// The provider's seed parameter of a trial, derived from its key; in [0, 2^31).
[[nodiscard]] std::int64_t provider_seed(const base::Digest& trial_key);

}  // namespace sortie::spec
