#pragma once

#include "sortie/analysis/phrases.h"
#include "sortie/analysis/request_columns.h"
#include "sortie/analysis/result_table.h"
#include "sortie/analysis/trial_columns.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <string>
#include <vector>

// What a run cost, by whom: from its attempts, those without a known end as reserved.

namespace sortie::analysis {

struct CostLine {
  std::string name;  // a model, a key ("alpha/key-1") or a cell's factors
  std::string id;    // of a cell
  std::uint64_t attempts = 0;
  std::uint64_t unknown = 0;  // attempts whose bill is not known
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost = 0;      // micro-dollars, reserved ones included
  std::int64_t reserved = 0;  // of it: where the bill is not known
};

struct Costs {
  CostLine total;
  std::vector<CostLine> models;
  std::vector<CostLine> keys;
  std::vector<CostLine> cells;
};

/// Within the caller's snapshot, if there is one.
[[nodiscard]] base::Result<Costs> read_costs(ledger::Reader& reader);

/// The same from requests that were read before, in the caller's snapshot; cells are named in the
/// words of `say`.
[[nodiscard]] base::Result<Costs> costs_of(ledger::Reader& reader,
                                           const TrialColumns& trials,
                                           const RequestColumns& requests,
                                           const Phrases& say);

/// `what` the lines are: "model", "key" or "cell".
[[nodiscard]] ResultTable cost_table(const std::string& what,
                                     const std::vector<CostLine>& lines,
                                     Language language);

/// {"total": {…}, "models": […], "keys": […], "cells": […]}
[[nodiscard]] json::Value to_json(const Costs& costs);

}  // namespace sortie::analysis
