#pragma once

#include "sortie/analysis/declared.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/result_table.h"
#include "sortie/analysis/summary.h"
#include "sortie/analysis/trial_rows.h"

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

// The tables of the five scenarios (docs/design/benchmark.md). Pure functions of scores and of what
// the campaign declared: not of time, order, retries or money.

namespace sortie::analysis {

/// The factors of a cell but its model: what decides the dialogues of a scripted agent.
struct Setting {
  std::string prompt;
  std::string severity;
  std::string difficulty;
  std::string protocol;
  double tool_success_rate = 0;
  std::int64_t max_turns = 0;

  auto operator<=>(const Setting&) const = default;
};

[[nodiscard]] Setting setting_of(const CellFactors& factors);

struct ReferenceCount {
  std::uint64_t n = 0;
  std::uint64_t successes = 0;
};

/// What a scripted agent achieved over all trials (task and repeat) that some model has scored in
/// one setting: what was lost of one model does not change the yardstick of all.
struct ReferenceRate {
  ReferenceCount all;
  std::map<std::string, ReferenceCount> by_type;  // of tasks
  // Of trials with a flawed plan in view:
  std::uint64_t flawed = 0;
  std::uint64_t resistant = 0;  // followed none of its places
  std::uint64_t recovered = 0;  // followed some and succeeded
  double obedience = 0;         // sum of the shares of places that were followed
  RetryCounts retry;
};

struct ReferenceRates {
  std::string agent;  // score::to_string; its rows say the phrase "agent.…"
  std::map<Setting, ReferenceRate> by_setting;
};

struct TableInputs {
  const RunRows* rows = nullptr;
  const Summary* summary = nullptr;  // of the same rows
  const Declared* declared = nullptr;
  std::vector<ReferenceRates> agents;  // shown as rows marked "scripted"
  Language language = Language::english;
};

/// Those of the presets that the run has cells of, in their order; native cells in tables of their
/// own.
[[nodiscard]] std::vector<ResultTable> scenario_tables(const TableInputs& inputs);

/// Whether every report on this campaign says what is not comparable with it (the phrase
/// "comparability").
[[nodiscard]] bool is_pilot(const Declared& declared);

}  // namespace sortie::analysis
