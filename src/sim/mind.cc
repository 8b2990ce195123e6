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
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sortie::sim {

namespace {

/// How much likelier a step is misread than at easy, by suite::Difficulty.
constexpr std::array<double, suite::kDifficulties.size()> kDifficultyFactor = {
    0.7, 1.0, 1.3, 1.6, 1.9};

constexpr double kDoubtShare =
    0.5;  // of the repair chance: doubting a shown plan is harder than seeing an own mistake
constexpr double kGiveUpShare =
    0.4;  // of unseen mistakes: finishes instead of trying the same again
constexpr double kTweakShare =
    0.6;  // of impatient answers to an injected failure: another value; the others give up

template <class Range, class Value, class Projection = std::identity>
bool contains(const Range& range, const Value& value, Projection projection = {}) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

bool wrote(const PastCall& call, const suite::Step& step, const Handles& handles) {
  return call.tool == step.tool && call.arguments == arguments_text(step.arguments, handles);
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
  for (std::size_t k = 0; k < beliefs_.size(); ++k) {
    if (step(k, StepPurpose::misread) < chance) {
      const Mistake mistake{.kind = step(k, StepPurpose::kind),
                            .place = step(k, StepPurpose::place),
                            .choice = step(k, StepPurpose::choice)};
      beliefs_[k] = {.wrong = misread(input_->catalog, task_->plan[k], mistake), .misread = true};
    }
  }
}

const suite::Step& Mind::believed(std::size_t step) const {
  return beliefs_[step].misread ? beliefs_[step].wrong : task_->plan[step];
}

std::optional<std::size_t> Mind::step_called(const PastCall& call) const {
  for (std::size_t k = 0; k < beliefs_.size(); ++k) {
    if (!handles_[k].has_value() && wrote(call, believed(k), handles_)) {
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
  unrepaired_rejection_ = false;
  std::optional<std::size_t> rejected;
  // Calls of one answer were written before any of them ran, so they name the handles of the
  // beginning of the turn.
  std::vector<std::pair<std::size_t, std::string>> results;
  for (const PastCall& call : input_->conversation.turns[turn].calls) {
    const auto k = step_called(call);
    if (!k.has_value()) {
      continue;
    }
    if (call.outcome == CallOutcome::ok) {
      results.emplace_back(*k, call.handle);
    } else if (call.outcome == CallOutcome::rejected) {
      rejected = k;
    }
  }
  for (auto& [k, handle] : results) {
    handles_[k] = std::move(handle);
    beliefs_[k].done_wrong = beliefs_[k].misread;
  }
  if (rejected.has_value()) {
    if (turn_at(turn + 1, TurnPurpose::repair) < input_->skill.repair) {
      see_mistake(*rejected);
    } else {
      unrepaired_rejection_ = true;
    }
  }
}

void Mind::see_mistake(std::size_t step) {
  beliefs_[step].misread = false;
  // The step itself may be right and what it was given wrong.
  for (std::size_t k = 0; k < beliefs_.size(); ++k) {
    if (beliefs_[k].done_wrong) {
      beliefs_[k].misread = false;
      forget_results_of(k);
    }
  }
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

bool Mind::is_ready(std::size_t step) const {
  const auto done = [&](std::size_t k) { return k >= handles_.size() || handles_[k].has_value(); };
  return !handles_[step].has_value() &&
         std::ranges::all_of(references(task_->plan[step].arguments), done) &&
         std::ranges::all_of(task_->order, [&](const auto& pair) {
           return pair.second != step || done(pair.first);
         });
}

std::vector<std::size_t> Mind::ready() const {
  std::vector<std::size_t> out;
  for (std::size_t k = 0; k < handles_.size(); ++k) {
    if (is_ready(k)) {
      out.push_back(k);
    }
  }
  return out;
}

bool Mind::last_turn_had(CallOutcome outcome) const {
  return now_ > 0 &&
         contains(input_->conversation.turns[now_ - 1].calls, outcome, &PastCall::outcome);
}

Move Mind::finish() const {
  std::string result = "done";
  if (const auto last = handles_.empty() ? std::nullopt : handles_.back()) {
    result += ": " + *last;
  }
  return {.kind = Move::Kind::finish, .calls = {}, .text = std::move(result)};
}

std::optional<Move> Mind::after_failure(std::size_t next) const {
  if (unrepaired_rejection_ && turn(TurnPurpose::give_up) < kGiveUpShare) {
    return finish();
  }
  if (!last_turn_had(CallOutcome::injected) ||
      turn(TurnPurpose::persistence) < input_->skill.persistence) {
    return std::nullopt;
  }
  if (turn(TurnPurpose::alternative) >= kTweakShare) {
    return finish();
  }
  const Mistake mistake{
      .kind = 0, .place = turn(TurnPurpose::place), .choice = turn(TurnPurpose::choice)};
  const auto tweaked = with_wrong_value(input_->catalog, believed(next), mistake);
  if (!tweaked.has_value()) {
    return std::nullopt;
  }
  return Move{.kind = Move::Kind::call,
              .calls = {{tweaked->tool, arguments_text(tweaked->arguments, handles_)}},
              .text = {}};
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
  const suite::Step& next = shown[literal_next_];
  return {.kind = Move::Kind::call,
          .calls = {{next.tool, arguments_text(next.arguments, handles_)}},
          .text = {}};
}

Move Mind::next() const {
  if (literal_) {
    return literal_move();
  }
  const std::vector<std::size_t> candidates = ready();
  if (candidates.empty() ||
      (now_ > 0 && turn(TurnPurpose::early_finish) < input_->skill.early_finish)) {
    return finish();
  }
  const std::size_t next = candidates.front();
  if (auto move = after_failure(next)) {
    return std::move(*move);
  }
  if (auto move = look_around(next)) {
    return std::move(*move);
  }
  const bool both = candidates.size() > 1 && turn(TurnPurpose::batching) < input_->skill.batching;
  Move move{.kind = Move::Kind::call, .calls = {}, .text = {}};
  for (std::size_t i = 0; i < (both ? 2U : 1U); ++i) {
    const suite::Step& step = believed(candidates[i]);
    move.calls.emplace_back(step.tool, arguments_text(step.arguments, handles_));
  }
  return move;
}

}  // namespace sortie::sim
