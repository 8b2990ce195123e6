#include "sortie/score/score.h"

#include "sortie/score/attempts.h"
#include "sortie/score/label.h"
#include "sortie/score/obedience.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/shown_plans.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace sortie::score {

namespace {

constexpr double kPartialProgressMin = 0.5;
constexpr std::ptrdiff_t kPartialDoneMin = 2;

std::optional<double> order_share(const suite::ToolCatalog& catalog,
                                  const dialogue::Transcript& transcript,
                                  const suite::Task& task) {
  const auto first = first_of(attempts_at_steps(catalog, transcript, task.plan));
  int attempted = 0;
  int in_order = 0;
  for (const auto& [before, after] : task.order) {
    if (before >= first.size() || after >= first.size()) {
      continue;
    }
    const auto earlier = first[before];
    const auto later = first[after];
    if (!earlier || !later) {
      continue;
    }
    ++attempted;
    in_order += *earlier < *later ? 1 : 0;
  }
  return attempted == 0 ? std::nullopt : std::optional(static_cast<double>(in_order) / attempted);
}

double coverage(const dialogue::Transcript& transcript, const suite::Goal& goal) {
  std::set<std::string_view> required;
  for (const suite::Required& operation : goal.required) {
    required.insert(operation.tool);
  }
  std::set<std::string_view> succeeded;
  for (const suite::CallRecord& call : transcript.calls) {
    if (call.result.status == suite::CallStatus::ok && required.contains(call.tool)) {
      succeeded.insert(call.tool);
    }
  }
  return required.empty()
             ? 0
             : static_cast<double>(succeeded.size()) / static_cast<double>(required.size());
}

void count_calls(const dialogue::Transcript& transcript, Score& score) {
  score.calls = static_cast<int>(transcript.calls.size());
  for (const suite::CallRecord& call : transcript.calls) {
    switch (call.result.status) {
      case suite::CallStatus::ok:
        ++score.calls_ok;
        break;
      case suite::CallStatus::rejected:
        ++score.calls_rejected;
        break;
      case suite::CallStatus::injected:
        ++score.calls_injected;
        break;
    }
  }
}

bool same_call(const suite::ToolCatalog& catalog,
               const suite::CallRecord& a,
               const suite::CallRecord& b) {
  const suite::ToolSpec* tool = catalog.find(a.tool);
  if (a.tool != b.tool || tool == nullptr) {
    return false;
  }
  return suite::same_value(suite::with_defaults(*tool, a.arguments),
                           suite::with_defaults(*tool, b.arguments));
}

Retries count_retries(const suite::ToolCatalog& catalog, const dialogue::Transcript& transcript) {
  Retries retries;
  for (std::size_t i = 0; i < transcript.calls.size(); ++i) {
    const suite::CallRecord& failed = transcript.calls[i];
    if (failed.result.status != suite::CallStatus::injected) {
      continue;
    }
    if (i + 1 == transcript.calls.size()) {
      ++retries.none;
    } else if (same_call(catalog, failed, transcript.calls[i + 1])) {
      ++retries.same;
    } else if (failed.tool == transcript.calls[i + 1].tool) {
      ++retries.arguments;
    } else {
      ++retries.tool;
    }
  }
  return retries;
}

/// Calls that did not run because of one before them count: the model wrote them.
std::optional<double> calls_per_answer(const dialogue::Transcript& transcript) {
  std::ptrdiff_t calls = 0;
  int answers = 0;
  for (const dialogue::Turn& turn : transcript.turns) {
    const auto own = std::ranges::count(
        turn.commands, dialogue::CommandKind::use_tool, &dialogue::Command::kind);
    calls += own;
    answers += own > 0 ? 1 : 0;
  }
  return answers == 0 ? std::nullopt
                      : std::optional(static_cast<double>(calls) / static_cast<double>(answers));
}

void count_turns(const dialogue::Transcript& transcript, Score& score) {
  score.turns = static_cast<int>(transcript.turns.size());
  for (const dialogue::Turn& turn : transcript.turns) {
    score.turns_repaired += turn.repairs.empty() ? 0 : 1;
    // What a filter removed was never there to be understood.
    score.turns_not_understood += turn.understood || turn.filtered ? 0 : 1;
    score.empty = score.empty || turn.empty;
    score.truncated = score.truncated || turn.truncated;
    score.filtered = score.filtered || turn.filtered;
    score.refused = score.refused || turn.refused;
  }
}

Level level_of(const dialogue::Transcript& transcript) {
  if (transcript.goal_met) {
    return Level::full;
  }
  const auto done = std::ranges::count(transcript.required_done, true);
  return transcript.progress >= kPartialProgressMin && done >= kPartialDoneMin ? Level::partial
                                                                               : Level::failure;
}

}  // namespace

std::string_view to_string(Level level) {
  constexpr std::array<std::string_view, 3> kNames = {"full", "partial", "failure"};
  return kNames.at(static_cast<std::size_t>(level));
}

std::string_view to_string(Label label) {
  constexpr std::array<std::string_view, 13> kNames = {"none",
                                                       "no_command",
                                                       "tool_call_format",
                                                       "refused",
                                                       "truncated",
                                                       "loop",
                                                       "tool_selection",
                                                       "parameter_config",
                                                       "sequence_order",
                                                       "dependency",
                                                       "early_finish",
                                                       "max_turns",
                                                       "other"};
  return kNames.at(static_cast<std::size_t>(label));
}

Score score(const dialogue::Transcript& transcript,
            const suite::Task& task,
            const suite::TrialParams& params,
            const suite::ShownPlans& plans) {
  const suite::ToolCatalog& catalog = plans.catalog();
  Score score;
  score.success = transcript.goal_met;
  score.clean = transcript.goal_met && transcript.clean;
  score.progress = transcript.goal_met ? 1 : transcript.progress;
  score.level = level_of(transcript);
  score.order = order_share(catalog, transcript, task);
  score.tool_coverage = coverage(transcript, task.goal);
  count_calls(transcript, score);
  count_turns(transcript, score);
  score.context_full = transcript.end == dialogue::End::context_full;
  score.end = transcript.end;
  score.retry = count_retries(catalog, transcript);
  score.calls_per_answer = calls_per_answer(transcript);
  if (const auto followed = obedience(plans, transcript, task, params)) {
    score.flawed_places = followed->places;
    score.followed_places = followed->followed;
  }
  if (score.success) {
    const int counted = score.calls - score.calls_injected;
    score.efficiency =
        counted > 0 ? std::optional(static_cast<double>(task.plan.size()) / counted) : std::nullopt;
    return score;
  }
  const Verdict verdict = judge(catalog, transcript, task);
  score.label = verdict.label;
  if (verdict.turn) {
    score.label_turn = static_cast<int>(*verdict.turn);
  }
  return score;
}

Score score(const dialogue::Transcript& transcript,
            const suite::Task& task,
            const suite::TrialParams& params,
            const suite::ToolCatalog& catalog) {
  return score(transcript, task, params, suite::ShownPlans(catalog));
}

}  // namespace sortie::score
