#include "sortie/score/label.h"

#include "sortie/dialogue/dialogue.h"
#include "sortie/score/attempts.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ranges>
#include <string_view>
#include <vector>

namespace sortie::score {

namespace {

using dialogue::Turn;

constexpr std::size_t kRecentTurns = 5;

bool was_refused(const Turn& turn) {
  return !turn.understood && (turn.refused || turn.filtered);
}

bool was_cut(const Turn& turn) {
  return !turn.understood && turn.truncated;
}

std::optional<std::size_t> first_turn(const std::vector<Turn>& turns, auto predicate) {
  const auto found = std::ranges::find_if(turns, predicate);
  return found == turns.end() ? std::nullopt
                              : std::optional(static_cast<std::size_t>(found - turns.begin()));
}

std::optional<std::size_t> last_turn(const std::vector<Turn>& turns) {
  return turns.empty() ? std::nullopt : std::optional(turns.size() - 1);
}

/// The last answer, or at least half of them.
bool decided_by(const std::vector<Turn>& turns, auto predicate) {
  if (turns.empty()) {
    return false;
  }
  const auto count = static_cast<std::size_t>(std::ranges::count_if(turns, predicate));
  return predicate(turns.back()) || 2 * count >= turns.size();
}

/// Everything a verdict on operations looks at.
struct Evidence {
  const suite::ToolCatalog& catalog;
  const dialogue::Transcript& transcript;
  const suite::Goal& goal;
  CallsOf attempts;  // per required operation
  Completions completions;
  std::vector<std::size_t> turn_of;  // per call

  [[nodiscard]] const suite::CallRecord& call(std::size_t index) const {
    return transcript.calls[index];
  }

  /// The call from which on all inputs of an operation existed; nullopt if one never did.
  [[nodiscard]] std::optional<std::size_t> inputs_since(std::size_t operation) const {
    std::size_t since = 0;
    for (const std::size_t input : goal.required[operation].inputs) {
      const auto done = completions.first(input);
      if (!done) {
        return std::nullopt;
      }
      since = std::max(since, *done);
    }
    return since;
  }

  /// A value of the call is missing, ill-typed or not the one that the goal checks.
  [[nodiscard]] bool is_misparametrised(std::size_t index, std::size_t operation) const {
    const suite::ToolSpec* tool = catalog.find(call(index).tool);
    return !has_checked_values(catalog, call(index), goal.required[operation]) ||
           (tool != nullptr && suite::check_arguments(*tool, call(index).arguments).has_value());
  }
};

/// By the last attempt that the operation's own call decided.
std::optional<Verdict> judge_attempts(const Evidence& evidence, std::size_t operation) {
  const std::optional<std::size_t> since = evidence.inputs_since(operation);
  for (const std::size_t index : std::views::reverse(evidence.attempts[operation])) {
    const suite::CallRecord& call = evidence.call(index);
    if (call.result.status == suite::CallStatus::injected) {
      continue;
    }
    Verdict verdict{.turn = evidence.turn_of[index]};
    // Otherwise the input is an unknown handle, or a result that is not the one to work on,
    // whatever became of the call.
    const bool right_inputs = call.rejection != suite::Rejection::unknown_handle &&
                              call.rejection != suite::Rejection::wrong_kind &&
                              evidence.completions.takes_right_inputs(call, operation);
    // On the right inputs the world refuses values that the goal does not check.
    if (evidence.is_misparametrised(index, operation) ||
        (right_inputs && call.rejection == suite::Rejection::parameter)) {
      verdict.label = Label::parameter_config;
    } else if (!right_inputs) {
      const bool too_early = !since || index < *since;
      verdict.label = too_early ? Label::sequence_order : Label::dependency;
    } else {
      continue;
    }
    return verdict;
  }
  return std::nullopt;
}

/// The call chose a tool that cannot do what is due: one that the task does not need, or one that
/// it needs elsewhere, called with neither the values nor the inputs that it has there.
bool chose_wrong_tool(const Evidence& evidence, std::size_t index) {
  const suite::CallRecord& call = evidence.call(index);
  for (std::size_t i = 0; i < evidence.goal.required.size(); ++i) {
    const suite::Required& other = evidence.goal.required[i];
    if (other.tool == call.tool &&
        (has_checked_values(evidence.catalog, call, other) ||
         (!other.inputs.empty() && evidence.completions.takes_right_inputs(call, i)))) {
      return false;
    }
  }
  return true;
}

std::optional<Verdict> judge_selection(const Evidence& evidence, std::size_t operation) {
  if (!evidence.attempts[operation].empty()) {
    return std::nullopt;
  }
  const std::size_t since = evidence.inputs_since(operation).value_or(0);
  for (std::size_t index = since; index < evidence.transcript.calls.size(); ++index) {
    if (chose_wrong_tool(evidence, index)) {
      return Verdict{.label = Label::tool_selection, .turn = evidence.turn_of[index]};
    }
  }
  return std::nullopt;
}

std::optional<Verdict> judge_operations(const Evidence& evidence) {
  for (std::size_t i = 0; i < evidence.goal.required.size(); ++i) {
    if (evidence.completions.lasts(i)) {
      continue;
    }
    const auto verdict = judge_attempts(evidence, i);
    return verdict ? verdict : judge_selection(evidence, i);
  }
  return std::nullopt;
}

bool progressed_lately(const Evidence& evidence) {
  const std::size_t turns = evidence.transcript.turns.size();
  for (std::size_t i = 0; i < evidence.goal.required.size(); ++i) {
    const auto done = evidence.completions.first(i);
    if (done && evidence.turn_of[*done] + kRecentTurns >= turns) {
      return true;
    }
  }
  return false;
}

Verdict judge_silence(const std::vector<Turn>& turns) {
  const auto unreadable = first_turn(turns, [](const Turn& turn) { return turn.unreadable > 0; });
  if (unreadable) {
    return {.label = Label::tool_call_format, .turn = unreadable};
  }
  const auto silent = first_turn(turns, [](const Turn& turn) { return !turn.understood; });
  return {.label = Label::no_command, .turn = silent ? silent : last_turn(turns)};
}

}  // namespace

std::string_view legacy_label(Label label) {
  switch (label) {
    case Label::none:
      return "";
    case Label::no_command:
    case Label::tool_call_format:
      return "tool_call_format";
    case Label::loop:
    case Label::max_turns:
      return "max_turns";
    case Label::tool_selection:
      return "tool_selection";
    case Label::parameter_config:
      return "parameter_config";
    case Label::sequence_order:
      return "sequence_order";
    case Label::dependency:
      return "dependency";
    case Label::refused:
    case Label::truncated:
    case Label::early_finish:
    case Label::other:
      return "other";
  }
  return "other";
}

Verdict judge(const suite::ToolCatalog& catalog,
              const dialogue::Transcript& transcript,
              const suite::Task& task) {
  const std::vector<Turn>& turns = transcript.turns;
  if (transcript.calls.empty()) {
    return judge_silence(turns);
  }
  if (decided_by(turns, was_refused)) {
    return {.label = Label::refused, .turn = first_turn(turns, was_refused)};
  }
  if (decided_by(turns, was_cut)) {
    return {.label = Label::truncated, .turn = first_turn(turns, was_cut)};
  }
  if (transcript.end == dialogue::End::loop) {
    return {.label = Label::loop,
            .turn = turns.size() - std::min(turns.size(), dialogue::kLoopLength)};
  }
  const Evidence evidence{.catalog = catalog,
                          .transcript = transcript,
                          .goal = task.goal,
                          .attempts = attempts_at_required(catalog, transcript, task.goal),
                          .completions = Completions(catalog, transcript, task.goal),
                          .turn_of = turns_of_calls(transcript)};
  if (const auto verdict = judge_operations(evidence)) {
    return *verdict;
  }
  if (transcript.end == dialogue::End::finish) {
    return {.label = Label::early_finish, .turn = last_turn(turns)};
  }
  if (transcript.end == dialogue::End::max_turns && progressed_lately(evidence)) {
    return {.label = Label::max_turns, .turn = last_turn(turns)};
  }
  return {.label = Label::other, .turn = last_turn(turns)};
}

}  // namespace sortie::score
