#pragma once

#include "sortie/dialogue/transcript.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/shown_plans.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Scores are pure functions of a transcript and its task, versioned. Time never enters a score.

namespace sortie::score {

/// Changes whenever any field can change for any transcript.
inline constexpr std::string_view kScorerVersion = "pilot-scorer/2";

enum class Level : std::uint8_t { full, partial, failure };

/// Why a trial failed, by rules, in order of precedence (docs/design/benchmark.md).
enum class Label : std::uint8_t {
  none,  // success
  no_command,
  tool_call_format,
  refused,
  truncated,
  loop,
  tool_selection,
  parameter_config,
  sequence_order,
  dependency,
  early_finish,
  max_turns,
  other,
};

[[nodiscard]] std::string_view to_string(Level level);
[[nodiscard]] std::string_view to_string(Label label);

/// What came next after each injected failure.
struct Retries {
  int same = 0;       // the same call again
  int arguments = 0;  // the same tool with other arguments
  int tool = 0;       // another tool
  int none = 0;       // no further call
};

struct Score {
  bool success = false;
  bool clean = false;
  double progress = 0;
  Level level = Level::failure;
  std::optional<double> order;  // no pair attempted: absent
  double tool_coverage = 0;
  std::optional<double> efficiency;  // successes only
  int calls = 0;
  int calls_ok = 0;
  int calls_rejected = 0;
  int calls_injected = 0;
  int turns = 0;
  int turns_repaired = 0;
  int turns_not_understood = 0;
  Label label = Label::none;
  std::optional<int> label_turn;  // the turn (from 0) that shows it
  // flags of the outcome `scored`
  bool empty = false;
  bool truncated = false;
  bool filtered = false;
  bool refused = false;
  bool context_full = false;
  dialogue::End end = dialogue::End::finish;
  Retries retry;
  std::optional<double> calls_per_answer;  // of answers with a call, run or not; none: absent
  // Of a flawed plan alone: where it is flawed, and how many of these places the model followed.
  std::optional<int> flawed_places;
  std::optional<int> followed_places;
};

/// Always against the task, never against the plan that was shown. `catalog` is that of the task's
/// suite.
[[nodiscard]] Score score(const dialogue::Transcript& transcript,
                          const suite::Task& task,
                          const suite::TrialParams& params,
                          const suite::ToolCatalog& catalog);

/// The same for many trials: makes no plan twice.
[[nodiscard]] Score score(const dialogue::Transcript& transcript,
                          const suite::Task& task,
                          const suite::TrialParams& params,
                          const suite::ShownPlans& plans);

}  // namespace sortie::score
