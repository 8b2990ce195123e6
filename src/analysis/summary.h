#pragma once

#include "sortie/analysis/phrases.h"
#include "sortie/analysis/trial_rows.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/ledger/reader.h"
#include "sortie/score/reference.h"
#include "sortie/stats/proportion.h"

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

// The numbers of a run, from queries over its ledger alone. The scored part depends on nothing but
// scores: not on time, order, retries or money, so that equal results have equal text.

namespace sortie::analysis {

/// Counts and means over scored trials.
struct Tally {
  std::uint64_t scored = 0;
  std::uint64_t successes = 0;
  std::uint64_t partial = 0;
  std::uint64_t clean = 0;
  double progress = 0;        // mean
  double tool_coverage = 0;   // mean
  double turns = 0;           // mean
  double calls = 0;           // mean
  double repaired_turns = 0;  // share of turns
  // Mean over the trials with a call, of answers with one; absent from older scorers.
  std::optional<double> calls_per_answer;
  std::uint64_t rejected_calls = 0;  // by the world: they draw no luck
  std::uint64_t injected_failures = 0;
  std::uint64_t valid_calls = 0;                // ok and injected: what luck was drawn for
  std::map<std::string, std::uint64_t> labels;  // of failures
  // What agents without mistakes achieve on the same trials, by score::Policy: exact means. Absent
  // when a task is not of the suite that this binary holds.
  std::optional<std::array<double, std::size(score::kPolicies)>> reference;

  [[nodiscard]] double success_rate() const {
    return scored == 0 ? 0 : static_cast<double>(successes) / static_cast<double>(scored);
  }
};

/// The success rates if every missing trial had failed, and if every one had succeeded. Losses are
/// not neutral: dialogues that fail are longer, so they are lost more often.
[[nodiscard]] stats::Interval loss_bounds(const Tally& tally, std::uint64_t lost);

/// Of a cell whose tasks ran more than once: means over its tasks, for k draws of a task's repeats.
struct RepeatSummary {
  std::uint64_t k = 0;    // the fewest scored repeats of a task
  double pass_at_k = 0;   // at least one of k succeeds
  double pass_hat_k = 0;  // all k succeed
};

/// Lost trials by infrastructure outcome.
using Losses = std::map<std::string, std::uint64_t>;

[[nodiscard]] std::uint64_t total(const Losses& lost);

/// "12 (throttled 10, timeout 2)"
[[nodiscard]] std::string lost_text(const Losses& lost);

struct CellSummary {
  CellFactors factors;
  std::uint64_t planned = 0;
  Losses lost;
  std::uint64_t open = 0;
  Tally tally;
  stats::Interval success;
  std::string interval_method;  // of an Estimate: "score within types", of one type "wilson", with
                                // repeats "bootstrap over tasks"
  std::optional<RepeatSummary> repeats;

  [[nodiscard]] std::uint64_t lost_total() const { return total(lost); }

  /// Planned trials without a score: lost, or still open. Both are missing for a reason.
  [[nodiscard]] std::uint64_t missing() const { return lost_total() + open; }

  /// At least 95 % of the planned trials are scored.
  [[nodiscard]] bool complete() const { return tally.scored * 100 >= planned * 95; }

  /// All or none succeeded: the cell needs a diagnosis before it is believed.
  [[nodiscard]] bool saturated() const {
    return tally.scored > 0 && (tally.successes == 0 || tally.successes == tally.scored);
  }
};

/// One model in one scenario, pooled over the scenario's cells of one protocol.
struct GroupSummary {
  std::string scenario;
  std::string model;
  std::string protocol;
  bool simulated = false;
  std::size_t cells = 0;
  std::uint64_t planned = 0;
  Losses lost;
  std::uint64_t tasks = 0;  // distinct
  Tally tally;
  stats::Interval success;
  std::string interval_method;  // as of a cell; of several cells "bootstrap over tasks"

  [[nodiscard]] bool complete() const { return tally.scored * 100 >= planned * 95; }

  [[nodiscard]] std::uint64_t missing() const {
    return planned > tally.scored ? planned - tally.scored : 0;
  }
};

struct Summary {
  std::string run;
  std::string scorer;
  std::string high_water_mark;
  std::vector<CellSummary> cells;    // by model, scenario, factors
  std::vector<GroupSummary> groups;  // by scenario, model, protocol
};

struct SummaryOptions {
  bool intervals = true;  // most of the work of a large run
};

/// Reads within one snapshot of `reader`.
[[nodiscard]] base::Result<Summary> summarize(ledger::Reader& reader);

/// The same from rows that were read before, within the caller's snapshot. Its cells are those of
/// the rows, in their order.
[[nodiscard]] base::Result<Summary> summarize(ledger::Reader& reader,
                                              const RunRows& rows,
                                              SummaryOptions options = {});

/// The scored table as JSON: stable field names, the same bytes for the same scores. It counts the
/// losses; what they were due to says how a run went, and is not in it.
[[nodiscard]] json::Value to_json(const Summary& summary);

/// A model with the word that it is simulated, if it is.
[[nodiscard]] std::string named(const std::string& model, bool simulated, const Phrases& say);

/// A group's model as terminals and figures name it: "m, native (simulated)".
[[nodiscard]] std::string named(const GroupSummary& group, const Phrases& say);

/// The result table for a terminal: one line per scenario and model.
[[nodiscard]] std::string to_text(const Summary& summary, Language language = Language::english);

}  // namespace sortie::analysis
