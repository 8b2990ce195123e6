#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/monitor/web_index.h"
#include "sortie/monitor/web_request.h"

#include <string>

// What the pages show of one run, as JSON: counts, cells, lists of trials. Money in micro-dollars,
// times as ISO 8601, durations in seconds.

namespace sortie::monitor {

/// Totals, models, routes, error labels, speeds, events and what the run was made with.
[[nodiscard]] base::Result<json::Value> overview_json(TrialIndex& index, const std::string& run);

/// Every cell with its factors and counts.
[[nodiscard]] json::Value cells_json(const TrialIndex& index);

/// Ended requests per route over time.
[[nodiscard]] json::Value timeline_json(const TrialIndex& index);

/// A page of the trials that match. Query: model, cell, task, task_type, prompt, difficulty,
/// outcome
/// ("open": none yet), level, label, success (0, 1), repairs_min, injected_min, turns_min, cost_min
/// (dollars), latency_min (seconds per answer); sort (id, turns, repairs, progress, cost, latency),
/// order (asc, desc); offset, limit (50, at most 200). Bad input names what was expected.
[[nodiscard]] base::Result<json::Value> trials_json(const TrialIndex& index, const Target& query);

/// A page of the trials that models `a` and `b` both have of the same task, factors and repeat,
/// with how many each of them solved. Query: a, b, differ (1: only where their success differs),
/// offset, limit.
[[nodiscard]] base::Result<json::Value> compare_json(const TrialIndex& index, const Target& query);

/// One trial as lists show it.
[[nodiscard]] json::Value trial_json(const TrialIndex& index, std::size_t id);

}  // namespace sortie::monitor
