#include "sortie/sim/mind.h"

#include "sortie/sim/agent.h"
#include "sortie/sim/call_script.h"
#include "sortie/sim/conversation.h"
#include "sortie/sim/situation.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

/// How much likelier a step is misread than at easy, by suite::Difficulty.
constexpr std::array<double, suite::kDifficulties.size()> kDifficultyFactor = {
    0.7, 1.0, 1.3, 1.6, 1.9};

constexpr double kDoubtShare =
    0.5;  // of the repair chance: doubting a shown plan is harder than seeing an own mistake
constexpr std::size_t kCallsAtOnceMax = 8;  // as many as a dialogue takes of one answer

template <class Range, class Value, class Projection = std::identity>
bool contains(const Range& range, const Value& value, Projection projection = {}) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

bool wrote(const PastCall& call, const suite::Step& step, const Handles& handles) {
  return call.tool == step.tool &&
         (call.arguments.empty() || call.arguments == arguments_text(step.arguments, handles));
}

/// The number in "table#12"; 0 if there is none.
std::size_t number_of(std::string_view handle) {
  const std::size_t mark = handle.rfind('#');
  std::size_t number = 0;
  if (mark != std::string_view::npos) {
    std::from_chars(handle.data() + mark + 1, handle.data() + handle.size(), number);
  }
  return number;
}

/// Results seen so far: handles are numbered in the order in which they come.
std::size_t results_seen(const Conversation& conversation) {
  std::size_t seen = 0;
  for (const PastTurn& turn : conversation.turns) {
    for (const PastCall& call : turn.calls) {
      seen = std::max(seen, number_of(call.handle));
    }
  }
  return seen;
}

}  // namespace

Mind::Mind(const AgentInput& input)
    : input_(&input), task_(input.situation.task), now_(input.conversation.turns.size()) {
  const bool flawed = input.situation.plan == Situation::Plan::flawed;
  literal_ = flawed && step(0, StepPurpose::gullible) < input.skill.gullibility && read_literally();
  if (!literal_) {
    form_beliefs();
    replay();
  }
}

double Mind::turn_at(std::size_t turn, TurnPurpose purpose) const {
  return input_->draws.of_turn(static_cast<std::uint32_t>(turn),
                               static_cast<std::uint32_t>(purpose));
}

double Mind::step(std::size_t step, StepPurpose purpose) const {
  return input_->draws.of_step(static_cast<std::uint32_t>(step),
                               static_cast<std::uint32_t>(purpose));
}

bool Mind::read_literally() {
  const std::vector<suite::Step>& shown = input_->situation.shown;
  handles_.assign(shown.size(), std::nullopt);
  literal_next_ = 0;
  for (std::size_t t = 0; t < now_; ++t) {
    for (const PastCall& call : input_->conversation.turns[t].calls) {
      if (literal_next_ >= shown.size() || !wrote(call, shown[literal_next_], handles_)) {
        continue;
      }
      if (call.outcome == CallOutcome::ok) {
        handles_[literal_next_] = std::string(call.handle);
        ++literal_next_;
      } else if (call.outcome == CallOutcome::rejected) {
        ++literal_next_;
        if (turn_at(t + 1, TurnPurpose::repair) < input_->skill.repair * kDoubtShare) {
          return false;
        }
      }
    }
  }
  return true;
}

void Mind::form_beliefs() {
  const Skill& skill = input_->skill;
  double chance =
      skill.misread * kDifficultyFactor[static_cast<std::size_t>(input_->situation.difficulty)];
  if (input_->situation.plan == Situation::Plan::right) {
    chance = skill.misread_with_plan;
  } else if (input_->situation.plan == Situation::Plan::flawed) {
    // A plan that is partly right still tells something.
    chance = (chance + skill.misread_with_plan) / 2;
  }
  beliefs_.resize(task_->plan.size());
  handles_.assign(task_->plan.size(), std::nullopt);
  if (!beliefs_.empty() && step(0, StepPurpose::loop) < skill.loop) {
    stuck_at_ = static_cast<std::size_t>(step(0, StepPurpose::loop_step) *
                                         static_cast<double>(beliefs_.size()));
  }
  for (std::size_t k = 0; k < beliefs_.size(); ++k) {
    if (is_stuck_at(k)) {
      beliefs_[k] = {.wrong = without_arguments(task_->plan[k]), .misread = true};
    } else if (step(k, StepPurpose::misread) < chance) {
      beliefs_[k] = belief_about(k);
    }
  }
}

/// Of a misread step. A kind of mistake that the step does not admit makes no mistake; only a value
/// where none could be wrong is a wrong tool instead, where the model makes that mistake too.
Mind::Belief Mind::belief_about(std::size_t k) const {
  const suite::Step& right = task_->plan[k];
  const Mistakes& kinds = input_->skill.mistakes;
  const Mistake mistake{.place = step(k, StepPurpose::place),
                        .choice = step(k, StepPurpose::choice)};
  const double kind = step(k, StepPurpose::kind);
  const double tools_from = kinds.wrong_value;
  const double orders_from = tools_from + kinds.wrong_tool;
  const double handles_from = orders_from + kinds.wrong_order;
  std::optional<suite::Step> wrong;
  if (kind < tools_from) {
    wrong = with_wrong_value(input_->catalog, right, mistake);
    if (!wrong.has_value() && kinds.wrong_tool > 0) {
      wrong = with_wrong_tool(input_->catalog, right, mistake, task_->plan);
    }
  } else if (kind < orders_from) {
    wrong = with_wrong_tool(input_->catalog, right, mistake, task_->plan);
  } else if (kind < handles_from) {
    return {.wrong = {}, .early = needs_something(k)};
  } else {
    wrong = with_stale_handle(right, mistake);
  }
  return wrong.has_value() ? Belief{.wrong = std::move(*wrong), .misread = true} : Belief{};
}

const suite::Step& Mind::believed(std::size_t step) const {
  return beliefs_[step].misread ? beliefs_[step].wrong : task_->plan[step];
}

std::optional<std::size_t> Mind::step_called(const PastCall& call, const Handles& handles) const {
  for (std::size_t k = 0; k < beliefs_.size(); ++k) {
    if (!handles_[k].has_value() && wrote(call, believed(k), handles)) {
      return k;
    }
  }
  return std::nullopt;
}

void Mind::replay() {
  for (std::size_t t = 0; t < now_; ++t) {
    replay_turn(t);
  }
}

void Mind::replay_turn(std::size_t turn) {
  gives_up_ = false;
  std::optional<std::size_t> rejected;
  // Calls of one answer were written before any of them ran, so they name the handles of the
  // beginning of the turn, or those that the model foresaw.
  Handles foreseen = handles_;
  std::vector<std::pair<std::size_t, std::string>> results;
  for (const PastCall& call : input_->conversation.turns[turn].calls) {
    auto k = step_called(call, handles_);
    if (!k.has_value()) {
      k = step_called(call, foreseen);
    }
    if (!k.has_value()) {
      continue;
    }
    if (call.outcome == CallOutcome::ok) {
      results.emplace_back(*k, call.handle);
      foreseen[*k] = std::string(call.handle);
    } else if (call.outcome == CallOutcome::rejected) {
      rejected = k;
    }
  }
  for (auto& [k, handle] : results) {
    handles_[k] = std::move(handle);
    beliefs_[k].done_wrong = beliefs_[k].misread;
  }
  if (!rejected.has_value() || is_stuck_at(*rejected)) {
    return;
  }
  if (turn_at(turn + 1, TurnPurpose::repair) < input_->skill.repair) {
    see_mistake(*rejected);
  } else {
    overlook_mistake(*rejected, turn);
  }
}

void Mind::see_mistake(std::size_t step) {
  beliefs_[step].misread = false;
  // The step itself may be right and what it was given wrong.
  for (std::size_t k = 0; k < beliefs_.size(); ++k) {
    beliefs_[k].early = false;
    beliefs_[k].abandoned = false;
    if (beliefs_[k].done_wrong) {
      beliefs_[k].misread = false;
      forget_results_of(k);
    }
  }
}

void Mind::overlook_mistake(std::size_t step, std::size_t turn) {
  if (beliefs_[step].early) {
    // The next step in its order is what it does next.
    beliefs_[step].early = false;
    beliefs_[step].abandoned = true;
    return;
  }
  const AfterRejection& habit = input_->skill.rejected;
  const double chance = turn_at(turn + 1, TurnPurpose::give_up);
  gives_up_ = chance < habit.give_up;
  beliefs_[step].abandoned = !gives_up_ && chance < habit.give_up + habit.go_on;
}

void Mind::forget_results_of(std::size_t step) {
  handles_[step].reset();
  beliefs_[step].done_wrong = false;
  for (std::size_t k = 0; k < beliefs_.size(); ++k) {
    if (handles_[k].has_value() && contains(references(task_->plan[k].arguments), step)) {
      forget_results_of(k);
    }
  }
}

bool Mind::needs_something(std::size_t step) const {
  return !references(task_->plan[step].arguments).empty() ||
         contains(task_->order, step, &std::pair<std::size_t, std::size_t>::second);
}

bool Mind::is_done(std::size_t step, const Handles& handles) const {
  return step >= handles.size() || handles[step].has_value() || beliefs_[step].abandoned;
}

bool Mind::is_ready(std::size_t step, const Handles& handles) const {
  const auto done = [&](std::size_t k) { return is_done(k, handles); };
  return !done(step) && std::ranges::all_of(references(task_->plan[step].arguments), done) &&
         std::ranges::all_of(task_->order, [&](const auto& pair) {
           return pair.second != step || done(pair.first);
         });
}

std::vector<std::size_t> Mind::ready(const Handles& handles) const {
  std::vector<std::size_t> out;
  for (std::size_t k = 0; k < handles.size(); ++k) {
    if (is_ready(k, handles)) {
      out.push_back(k);
    }
  }
  return out;
}

bool Mind::last_turn_had(CallOutcome outcome) const {
  return now_ > 0 &&
         contains(input_->conversation.turns[now_ - 1].calls, outcome, &PastCall::outcome);
}

SpelledCall Mind::call_of(const suite::Step& step, const Handles& handles) const {
  return {step.tool, arguments_text(step.arguments, handles)};
}

Move Mind::finish() const {
  std::string result = "done";
  if (const auto last = handles_.empty() ? std::nullopt : handles_.back()) {
    result += ": " + *last;
  }
  return {.kind = Move::Kind::finish, .calls = {}, .text = std::move(result)};
}

std::optional<Move> Mind::after_failure(std::size_t next) const {
  if (gives_up_) {
    return finish();
  }
  const Retry& retry = input_->skill.retry;
  if (!last_turn_had(CallOutcome::injected) || turn(TurnPurpose::persistence) < retry.same) {
    return std::nullopt;
  }
  const double otherwise =
      turn(TurnPurpose::alternative) * (retry.other_arguments + retry.other_tool + retry.give_up);
  if (otherwise >= retry.other_arguments + retry.other_tool) {
    return finish();
  }
  const Mistake mistake{.place = turn(TurnPurpose::place), .choice = turn(TurnPurpose::choice)};
  const auto other = otherwise < retry.other_arguments
                         ? with_wrong_value(input_->catalog, believed(next), mistake)
                         : with_wrong_tool(input_->catalog, believed(next), mistake, task_->plan);
  if (!other.has_value()) {
    return std::nullopt;
  }
  return Move{.kind = Move::Kind::call, .calls = {call_of(*other, handles_)}, .text = {}};
}

/// Another look at the catalog before the next new step, never the same one twice in a row.
std::optional<Move> Mind::dawdle() const {
  const std::vector<PastTurn>& turns = input_->conversation.turns;
  std::size_t idle = 0;
  while (idle < turns.size() && turns[turns.size() - 1 - idle].calls.empty()) {
    ++idle;
  }
  const bool retries = idle < turns.size() &&
                       std::ranges::any_of(
                           turns[turns.size() - 1 - idle].calls,
                           [](const PastCall& call) { return call.outcome != CallOutcome::ok; });
  const std::vector<suite::ToolSpec>& tools = input_->catalog.tools();
  if (retries || idle >= input_->skill.dawdle || tools.empty()) {
    return std::nullopt;
  }
  const suite::ToolSpec& tool = tools[now_ % tools.size()];
  if (now_ % 2 == 0 || tool.synonyms.empty()) {
    return Move{.kind = Move::Kind::lookup, .calls = {}, .text = tool.name};
  }
  return Move{.kind = Move::Kind::search, .calls = {}, .text = tool.synonyms.front()};
}

/// A step that it tries before what the step needs.
std::optional<std::size_t> Mind::too_early() const {
  for (std::size_t k = 0; k < beliefs_.size(); ++k) {
    if (beliefs_[k].early && !is_done(k, handles_) && !is_ready(k, handles_)) {
      return k;
    }
  }
  return std::nullopt;
}

/// The move and everything that comes after it, with the handles that it should give.
Move Mind::rush(Move move, std::size_t first) const {
  Handles foreseen = handles_;
  std::size_t results = results_seen(input_->conversation);
  std::optional<std::size_t> next = first;
  while (next.has_value()) {
    const suite::ToolSpec* tool = input_->catalog.find(believed(*next).tool);
    if (tool == nullptr) {
      return move;
    }
    foreseen[*next] = fmt::format("{}#{}", tool->kind, ++results);
    const std::vector<std::size_t> candidates = ready(foreseen);
    next = candidates.empty() ? std::nullopt : std::optional(candidates.front());
    if (next.has_value()) {
      if (move.calls.size() == kCallsAtOnceMax) {
        return move;
      }
      move.calls.push_back(call_of(believed(*next), foreseen));
    }
  }
  move.then_finish = move.calls.size() < kCallsAtOnceMax;
  return move;
}

std::optional<Move> Mind::look_around(std::size_t next) const {
  if (input_->situation.plan != Situation::Plan::none) {
    return std::nullopt;
  }
  const suite::ToolSpec* tool = input_->catalog.find(believed(next).tool);
  if (tool == nullptr) {
    return std::nullopt;
  }
  const std::string& query = tool->synonyms.empty() ? tool->operation : tool->synonyms.front();
  bool searched = false;
  bool looked_up = false;
  bool called = false;
  for (const PastTurn& past : input_->conversation.turns) {
    searched = searched || contains(past.searches, query);
    looked_up = looked_up || contains(past.lookups, tool->name);
    called = called || contains(past.calls, tool->name, &PastCall::tool);
  }
  if (!called && !searched && step(next, StepPurpose::search) < input_->skill.search) {
    return Move{.kind = Move::Kind::search, .calls = {}, .text = query};
  }
  if (!called && !looked_up && step(next, StepPurpose::lookup) < input_->skill.lookup) {
    return Move{.kind = Move::Kind::lookup, .calls = {}, .text = tool->name};
  }
  return std::nullopt;
}

Move Mind::literal_move() const {
  const std::vector<suite::Step>& shown = input_->situation.shown;
  if (literal_next_ >= shown.size()) {
    return finish();
  }
  return {.kind = Move::Kind::call, .calls = {call_of(shown[literal_next_], handles_)}, .text = {}};
}

Move Mind::next() const {
  if (literal_) {
    return literal_move();
  }
  const std::vector<std::size_t> candidates = ready(handles_);
  if (candidates.empty() ||
      (now_ > 0 && turn(TurnPurpose::early_finish) < input_->skill.early_finish)) {
    return finish();
  }
  const std::optional<std::size_t> early = too_early();
  const std::size_t next = early.value_or(candidates.front());
  if (auto move = after_failure(next)) {
    return std::move(*move);
  }
  if (auto move = dawdle()) {
    return std::move(*move);
  }
  if (auto move = look_around(next)) {
    return std::move(*move);
  }
  Move move{.kind = Move::Kind::call, .calls = {call_of(believed(next), handles_)}, .text = {}};
  if (early.has_value()) {
    return move;
  }
  if (input_->draws.of_answer(static_cast<std::uint32_t>(now_),
                              static_cast<std::uint32_t>(AnswerPurpose::rushing)) <
      input_->skill.rushing) {
    return rush(std::move(move), next);
  }
  if (candidates.size() > 1 && turn(TurnPurpose::batching) < input_->skill.batching) {
    move.calls.push_back(call_of(believed(candidates[1]), handles_));
  }
  return move;
}

}  // namespace sortie::sim
