#include "sortie/score/label.h"

#include "sortie/score/attempts.h"
#include "sortie/suite/world.h"

#include <algorithm>
#include <ranges>
#include <vector>

namespace sortie::score {

namespace {

using dialogue::Turn;

constexpr std::size_t kLoopLength = 5;
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
  const dialogue::Transcript& transcript;
  const suite::Goal& goal;
  std::vector<std::vector<std::size_t>> attempts;  // per required operation
  std::vector<std::size_t> turn_of;                // per call

  [[nodiscard]] const suite::CallRecord& call(std::size_t index) const {
    return transcript.calls[index];
  }

  /// The first call that did this operation with its values.
  [[nodiscard]] std::optional<std::size_t> first_success(std::size_t operation) const {
    const auto& calls = attempts[operation];
    const auto found = std::ranges::find_if(calls, [&](std::size_t index) {
      return call(index).result.status == suite::CallStatus::ok &&
             has_checked_values(call(index), goal.required[operation]);
    });
    return found == calls.end() ? std::nullopt : std::optional(*found);
  }

  /// The call from which on all inputs of an operation existed; nullopt if one never did.
  [[nodiscard]] std::optional<std::size_t> inputs_since(std::size_t operation) const {
    std::size_t since = 0;
    for (const std::size_t input : goal.required[operation].inputs) {
      const auto done = first_success(input);
      if (!done) {
        return std::nullopt;
      }
      since = std::max(since, *done);
    }
    return since;
  }

  [[nodiscard]] bool is_needed(std::string_view tool) const {
    return std::ranges::any_of(goal.required,
                               [&](const suite::Required& r) { return r.tool == tool; });
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
    const bool too_early = !since || index < *since;
    const bool values = has_checked_values(call, evidence.goal.required[operation]);
    Verdict verdict{.turn = evidence.turn_of[index]};
    if (call.rejection == suite::Rejection::parameter || !values) {
      verdict.label = Label::parameter_config;
    } else if (call.rejection == suite::Rejection::other) {
      continue;
    } else {
      // An unknown handle, a handle of the wrong kind, or a result made from the wrong input.
      verdict.label = too_early ? Label::sequence_order : Label::dependency;
    }
    return verdict;
  }
  return std::nullopt;
}

std::optional<Verdict> judge_selection(const Evidence& evidence, std::size_t operation) {
  if (!evidence.attempts[operation].empty()) {
    return std::nullopt;
  }
  const std::size_t since = evidence.inputs_since(operation).value_or(0);
  for (std::size_t index = since; index < evidence.transcript.calls.size(); ++index) {
    if (!evidence.is_needed(evidence.call(index).tool)) {
      return Verdict{.label = Label::tool_selection, .turn = evidence.turn_of[index]};
    }
  }
  return std::nullopt;
}

std::optional<Verdict> judge_operations(const Evidence& evidence) {
  const std::vector<bool>& done = evidence.transcript.required_done;
  for (std::size_t i = 0; i < evidence.goal.required.size(); ++i) {
    if (i < done.size() && done[i]) {
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
    const auto done = evidence.first_success(i);
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

Verdict judge(const dialogue::Transcript& transcript, const suite::Task& task) {
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
    return {.label = Label::loop, .turn = turns.size() - std::min(turns.size(), kLoopLength)};
  }
  const Evidence evidence{.transcript = transcript,
                          .goal = task.goal,
                          .attempts = attempts_at_required(transcript, task.goal),
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
