#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/engine/core.h"
#include "sortie/engine/records.h"
#include "sortie/engine/replay.h"
#include "sortie/score/score.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

// Opening, replaying and closing trials.

namespace sortie::engine {

namespace {

std::size_t bytes_of(const std::vector<chat::Message>& messages) {
  std::size_t bytes = 0;
  for (const chat::Message& message : messages) {
    bytes += message.text.size();
    for (const chat::ToolCall& call : message.tool_calls) {
      bytes += call.name.size() + call.arguments.size();
    }
  }
  return bytes;
}

std::size_t bytes_of(const std::vector<chat::ToolSchema>& functions) {
  std::size_t bytes = 0;
  for (const chat::ToolSchema& function : functions) {
    bytes += function.name.size() + function.description.size() +
             json::to_text(function.parameters).size();
  }
  return bytes;
}

/// A dialogue of tasks of this type before any has finished: as long as their plans are, in
/// proportion to those of the whole suite.
double prior_turns(const suite::Suite& suite, suite::TaskType type) {
  double all = 0;
  double of_type = 0;
  double count = 0;
  for (const suite::Task& task : suite.tasks()) {
    const auto steps = static_cast<double>(task.plan.size());
    all += steps / static_cast<double>(suite.tasks().size());
    if (task.type == type) {
      of_type += steps;
      count += 1;
    }
  }
  return count > 0 && all > 0 ? kPriorTurns * of_type / count / all : kPriorTurns;
}

std::unique_ptr<OpenTrial> make_trial(const RunContext& context,
                                      const spec::Trial& planned,
                                      std::size_t stratum) {
  const suite::Task& task = context.suite->tasks()[planned.task];
  const std::size_t model = context.campaign->cells[planned.cell].model;
  const dialogue::DialogueOptions options{
      .commands_from_reasoning = context.topology->models[model].commands_from_reasoning};
  auto trial = std::make_unique<OpenTrial>(
      OpenTrial{.key = key_of(context, planned),
                .cell = planned.cell,
                .stratum = stratum,
                .model = model,
                .task = &task,
                .params = planned.params,
                .dialogue = dialogue::Dialogue(*context.rules, task, planned.params, options)});
  return trial;
}

}  // namespace

/// Interrupted trials come back first: their answers are replayed without a request.
void Engine::Core::reopen_begun_trials() {
  for (const BegunTrial& begun : history_.open) {
    auto turns = parts_.reader->turns(begun.id);
    if (!turns.has_value()) {
      fail(turns.error());
      return;
    }
    const spec::Trial planned = context_.campaign->trial(begun.cell, begun.ordinal);
    auto trial = make_trial(context_, planned, stratum_of(planned));
    trial->id = begun.id;
    trial->attempts = begun.attempts_of_open_turn;
    const base::Status replayed = replay(*trial, *turns);
    if (!replayed.has_value()) {
      fail(replayed.error());
      return;
    }
    ++models_[trial->model].progress.running;
    ++counts_[trial->cell].running;
    const bool ended = std::holds_alternative<dialogue::Ended>(trial->dialogue.need());
    const sched::Ticket ticket = place(std::move(trial));
    if (ended) {
      close_scored(ticket);
    } else {
      make_ready(ticket);
    }
  }
  history_.open.clear();
}

base::Status Engine::Core::replay(OpenTrial& trial, const std::vector<ledger::StoredTurn>& turns) {
  for (const ledger::StoredTurn& turn : turns) {
    if (!std::holds_alternative<dialogue::AskModel>(trial.dialogue.need())) {
      return base::failure(
          base::Remedy::fail_campaign,
          base::ErrorCode::integrity,
          fmt::format("trial {} has turn {} after its end", trial.id, turn.record.turn));
    }
    TRY_ASSIGN(dialogue::Event event, event_of(turn));
    // As take_answer() had it: what no server counted is estimated from its bytes.
    const auto* answered = std::get_if<dialogue::Answered>(&event);
    if (answered != nullptr && answered->answer.usage_reported) {
      trial.bytes_counted = bytes_of(trial.dialogue.history()) +
                            bytes_of(trial.dialogue.functions()) + answered->answer.text.size();
      trial.shape.previous_input = static_cast<double>(turn.record.usage.input);
      trial.shape.previous_output =
          static_cast<double>(turn.record.usage.output - turn.record.usage.reasoning);
    }
    trial.dialogue.step(std::move(event));
  }
  return {};
}

bool Engine::Core::may_begin(std::size_t model) {
  return models_[model].unopened > 0 && may_send() && !counters_.draining && !is_paused(model) &&
         can_afford_dialogue(model);
}

void Engine::Core::open_next(std::size_t cell) {
  const spec::Trial planned = next_trial(cell);
  auto trial = make_trial(context_, planned, stratum_of(planned));
  trial->id = next_trial_id_++;
  append(ledger::TrialRecord{.id = trial->id,
                             .key = trial->key,
                             .cell = context_.campaign->cells[cell].id,
                             .task = trial->task->id,
                             .task_type = std::string(suite::to_string(trial->task->type)),
                             .repeat = planned.params.repeat});
  ++models_[trial->model].progress.running;
  ++counts_[trial->cell].running;
  make_ready(place(std::move(trial)));
}

/// The next trial of the cell: of its task types the longest, so that no long dialogue begins last.
spec::Trial Engine::Core::next_trial(std::size_t cell) {
  Stratum* longest = nullptr;
  for (Stratum& stratum : strata_of(cell)) {
    if (stratum.left > 0 && (longest == nullptr || turns_each(stratum) > turns_each(*longest))) {
      longest = &stratum;
    }
  }
  CHECK(longest != nullptr);
  Stratum& stratum = *longest;
  while (history_.cells[cell].is_begun(stratum.ordinal(stratum.next))) {
    ++stratum.next;
  }
  CHECK(stratum.next < stratum.rows);
  --stratum.left;
  --models_[model_of(stratum)].unopened;
  tell_backlog(cell);
  return context_.campaign->trial(cell, stratum.ordinal(stratum.next++));
}

std::span<Stratum> Engine::Core::strata_of(std::size_t cell) {
  const std::size_t first = first_stratum_[cell];
  return std::span(strata_).subspan(first, static_cast<std::size_t>(strata_[first].step));
}

void Engine::Core::add_strata(std::size_t index) {
  const spec::Cell& cell = context_.campaign->cells[index];
  first_stratum_.push_back(strata_.size());
  for (std::size_t i = 0; i < cell.types.size(); ++i) {
    const double prior = prior_turns(*context_.suite, cell.types[i]);
    Stratum& stratum = strata_.emplace_back(Stratum{.cell = index,
                                                    .type = cell.types[i],
                                                    .first = i,
                                                    .step = cell.types.size(),
                                                    .rows = cell.instances * cell.repeats,
                                                    .per_repeat = cell.instances,
                                                    .lengths = DialogueLengths(kTurnsMax, prior)});
    for (std::uint64_t row = 0; row < stratum.rows; ++row) {
      stratum.left += history_.cells[index].is_begun(stratum.ordinal(row)) ? 0U : 1U;
    }
    models_[cell.model].unopened += stratum.left;
    models_[cell.model].lengths_by_type.try_emplace(stratum.type, kTurnsMax, prior);
  }
  tell_backlog(index);
}

std::size_t Engine::Core::stratum_of(const spec::Trial& trial) const {
  const std::size_t first = first_stratum_[trial.cell];
  return first + static_cast<std::size_t>(trial.ordinal % strata_[first].step);
}

std::size_t Engine::Core::model_of(const Stratum& stratum) const {
  return context_.campaign->cells[stratum.cell].model;
}

/// Nothing while none may begin: that is no claim on what others share.
void Engine::Core::tell_backlog(std::size_t cell) {
  double dialogues = 0;
  double turns = 0;
  const std::size_t model = context_.campaign->cells[cell].model;
  if (may_send() && !ended_ && !counters_.draining && !is_paused(model)) {
    for (const Stratum& stratum : strata_of(cell)) {
      dialogues += static_cast<double>(stratum.left);
      turns += static_cast<double>(stratum.left) * turns_each(stratum);
    }
  }
  scheduler().set_backlog(
      model,
      group_of(cell),
      {.dialogues = dialogues, .turns_each = dialogues > 0 ? turns / dialogues : 0});
}

void Engine::Core::tell_backlogs() {
  for (std::size_t cell = 0; cell < context_.campaign->cells.size(); ++cell) {
    tell_backlog(cell);
  }
}

sched::Ticket Engine::Core::place(std::unique_ptr<OpenTrial> trial) {
  const sched::Ticket ticket = floor_.take_ticket(place_);
  if (ticket.value >= open_.size()) {
    open_.resize(ticket.value + std::size_t{1});
  }
  trial->assignment.ticket = ticket;
  forecast_.opened(trial->model, static_cast<std::size_t>(trial->dialogue.turns_done()));
  open_[ticket.value] = std::move(trial);
  ++open_count_;
  return ticket;
}

/// Estimates the next request from what the provider counted last and what is new since.
void Engine::Core::measure(OpenTrial& trial) const {
  const std::size_t bytes =
      bytes_of(trial.dialogue.history()) + bytes_of(trial.dialogue.functions());
  const auto max_tokens = context_.topology->models[trial.model].sampling.max_tokens;
  trial.shape.new_bytes = static_cast<double>(bytes - std::min(bytes, trial.bytes_counted));
  trial.shape.max_output = static_cast<double>(max_tokens.value_or(0));
  trial.size = models_[trial.model].estimator.estimate(trial.shape);
}

/// Its next turn can be asked as soon as the budget and the limits allow it.
void Engine::Core::make_ready(sched::Ticket ticket) {
  OpenTrial& open = trial(ticket);
  measure(open);
  measure_reserve(open);
  expect(open, turns_to_come(open));
  open.stage = Stage::waiting;
  if (!may_send()) {
    return;
  }
  if (fund(open)) {
    queue(ticket);
  } else {
    park(ticket);
  }
}

/// Expected of a dialogue that has not begun: what the stratum shows, shrunk to what its model
/// shows in tasks of this type.
double Engine::Core::turns_each(const Stratum& stratum) const {
  const DialogueLengths& wider = models_[model_of(stratum)].lengths_by_type.at(stratum.type);
  return stratum.lengths.remaining(0, wider.remaining(0));
}

/// Of one that has begun, what its model shows in all tasks: few dialogues of one type get as far
/// as the longest do, and what few show is no reason to let those wait.
double Engine::Core::turns_to_come(const OpenTrial& open) const {
  return models_[open.model].lengths.remaining(
      static_cast<std::size_t>(open.dialogue.turns_done()));
}

void Engine::Core::queue(sched::Ticket ticket) {
  OpenTrial& open = trial(ticket);
  open.stage = Stage::waiting;
  scheduler().add({.ticket = ticket,
                   .model = open.model,
                   .remaining_turns = turns_to_come(open),
                   .input_tokens = open.size.input,
                   .output_tokens = open.size.output,
                   .max_output_tokens = open.size.max_output,
                   .route_before = open.route_before,
                   .group = group_of(open.cell)},
                  now());
}

/// The answer is durable: the dialogue goes on.
void Engine::Core::advance(sched::Ticket ticket) {
  OpenTrial& open = trial(ticket);
  CHECK(open.pending != nullptr);
  const int turns_before = open.dialogue.turns_done();
  const dialogue::Need need = open.dialogue.step(std::move(*open.pending));
  open.pending.reset();
  if (open.dialogue.turns_done() > turns_before) {
    forecast_.turn(open.model,
                   static_cast<std::size_t>(turns_before),
                   {.tokens = open.size.input + open.size.output,
                    .tokens_reserved = open.size.input + open.size.max_output},
                   now());
  }
  open.attempts = 0;
  // The pilot world runs its tools inside the dialogue and never asks for them to be run.
  CHECK(!std::holds_alternative<dialogue::RunTools>(need));
  if (std::holds_alternative<dialogue::Ended>(need)) {
    close_scored(ticket);
  } else {
    make_ready(ticket);
  }
}

void Engine::Core::close_scored(sched::Ticket ticket) {
  const OpenTrial& open = trial(ticket);
  const dialogue::Transcript& transcript = open.dialogue.transcript();
  const score::Score score =
      score::score(transcript, *open.task, open.params, context_.rules->plans());
  std::vector<ledger::Record> facts;
  facts.emplace_back(
      ledger::OutcomeRecord{.trial = open.id,
                            .at = wall(),
                            .outcome = "scored",
                            .detail = {},
                            .end = std::string(dialogue::to_string(transcript.end))});
  facts.emplace_back(to_record(open.id, score));
  for (ledger::CallRecord& call : calls_of(open.id, transcript)) {
    facts.emplace_back(std::move(call));
  }
  append_together(std::move(facts));
  ModelState& model = models_[open.model];
  model.lengths.finished(transcript.turns.size());
  model.lengths_by_type.at(open.task->type).finished(transcript.turns.size());
  strata_[open.stratum].lengths.finished(transcript.turns.size());
  tell_backlog(open.cell);
  ++model.progress.scored;
  model.progress.succeeded += score.success ? 1U : 0U;
  --model.progress.running;
  TrialCounts& counts = counts_[open.cell];
  ++counts.scored;
  counts.succeeded += score.success ? 1U : 0U;
  --counts.running;
  release(ticket, /*ended=*/true);
}

void Engine::Core::close_lost(sched::Ticket ticket, std::string_view outcome, std::string detail) {
  const OpenTrial& open = trial(ticket);
  const spec::Model& model = context_.topology->models[open.model];
  parts_.log->warning(
      "trial_lost",
      {{"trial", open.key.hex()}, {"model", model.name}, {"outcome", outcome}, {"detail", detail}});
  note(fmt::format("{}: a trial was lost ({}): {}", model.name, outcome, detail));
  append(ledger::OutcomeRecord{.trial = open.id,
                               .at = wall(),
                               .outcome = std::string(outcome),
                               .detail = std::move(detail),
                               .end = {}});
  ModelProgress& progress = models_[open.model].progress;
  ++progress.lost;
  --progress.running;
  ++counts_[open.cell].lost;
  --counts_[open.cell].running;
  release(ticket, /*ended=*/false);
}

/// One that has not `ended` was lost.
void Engine::Core::release(sched::Ticket ticket, bool ended) {
  const OpenTrial& open = trial(ticket);
  forecast_.closed(open.model, static_cast<std::size_t>(open.dialogue.turns_done()), ended);
  expect(trial(ticket), 0);
  CHECK(!open.funded);
  open_[ticket.value].reset();
  floor_.give_back(ticket);
  --open_count_;
}

}  // namespace sortie::engine
