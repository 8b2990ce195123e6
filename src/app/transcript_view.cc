#include "sortie/app/transcript_view.h"

#include "sortie/analysis/cells.h"
#include "sortie/analysis/run_suite.h"
#include "sortie/app/replay.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/ledger/reader.h"
#include "sortie/score/attempts.h"
#include "sortie/score/score.h"
#include "sortie/suite/flaw_detector.h"
#include "sortie/suite/suite.h"

#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

/// Longer texts are cut to this in a transcript.
constexpr std::size_t kTextMax = 32UL * 1024;

void put_text(json::Object& object, std::string_view name, std::string_view text) {
  object[name] = text.size() <= kTextMax ? std::string(text) : base::shortened(text, kTextMax);
  if (text.size() > kTextMax) {
    object["size"] = text.size();
  }
}

template <class Number>
json::Value number_or_null(const std::optional<Number>& number) {
  return number.has_value() ? json::Value(*number) : json::Value(nullptr);
}

json::Array messages_json(const ReplayedTrial& trial) {
  json::Array messages;
  for (const chat::Message& message : trial.dialogue.history()) {
    json::Object object{{"role", chat::to_string(message.role)}};
    put_text(object, "text", message.text);
    json::Array calls;
    for (const chat::ToolCall& call : message.tool_calls) {
      calls.push_back(json::Object{{"name", call.name},
                                   {"arguments", base::shortened(call.arguments, kTextMax)}});
    }
    object["tool_calls"] = std::move(calls);
    messages.push_back(std::move(object));
  }
  return messages;
}

json::Array commands_json(const dialogue::Turn& turn) {
  json::Array commands;
  for (const dialogue::Command& command : turn.commands) {
    commands.push_back(json::Object{{"kind", dialogue::to_string(command.kind)},
                                    {"name", base::shortened(command.name, kTextMax)},
                                    {"ran", command.ran},
                                    {"succeeded", command.succeeded},
                                    {"call", number_or_null(command.call)}});
  }
  return commands;
}

/// What a model thought aloud is in the stored answer alone: it never goes back to it.
std::string reasoning_of(const ledger::TurnRecord& record) {
  const auto value = json::parse(record.answer);
  const auto text =
      value.has_value() ? json::get_string(*value, "reasoning") : std::optional<std::string_view>();
  return base::shortened(text.value_or(""), kTextMax);
}

json::Array turns_json(const ReplayedTrial& trial) {
  json::Array turns;
  const dialogue::Transcript& transcript = trial.dialogue.transcript();
  for (std::size_t i = 0; i < transcript.turns.size(); ++i) {
    const dialogue::Turn& turn = transcript.turns[i];
    const ledger::TurnRecord& record = trial.turns[i].record;
    turns.push_back(json::Object{{"turn", i},
                                 {"message", turn.answer},
                                 {"route", record.route},
                                 {"served_model", record.served_model},
                                 {"finish", record.finish},
                                 {"input_tokens", record.usage.input},
                                 {"output_tokens", record.usage.output},
                                 {"reasoning", reasoning_of(record)},
                                 {"repairs", json::Array(turn.repairs.begin(), turn.repairs.end())},
                                 {"unreadable", turn.unreadable},
                                 {"understood", turn.understood},
                                 {"injected", turn.injected},
                                 {"empty", turn.empty},
                                 {"truncated", turn.truncated},
                                 {"filtered", turn.filtered},
                                 {"refused", turn.refused},
                                 {"commands", commands_json(turn)}});
  }
  return turns;
}

std::string_view status_of(const suite::CallRecord& call) {
  switch (call.result.status) {
    case suite::CallStatus::ok:
      return "ok";
    case suite::CallStatus::rejected:
      return "rejected";
    case suite::CallStatus::injected:
      return "injected";
  }
  return "rejected";
}

/// Artifacts that a call names, as far as they existed before it.
json::Array inputs_of(const suite::ToolCatalog& catalog,
                      const suite::CallRecord& call,
                      const std::set<std::string>& made) {
  json::Array inputs;
  const suite::ToolSpec* tool = catalog.find(call.tool);
  if (tool == nullptr) {
    return inputs;
  }
  for (const std::string_view name : tool->handle_parameters()) {
    const json::Value* handle = call.arguments.if_contains(name);
    if (handle != nullptr && handle->is_string() &&
        made.contains(std::string(json::view(handle->get_string())))) {
      inputs.push_back(*handle);
    }
  }
  return inputs;
}

json::Value shortened_json(const json::Value& value) {
  const std::string text = json::to_text(value);
  return text.size() <= kTextMax ? value : json::Value(base::shortened(text, kTextMax));
}

json::Array calls_json(const suite::ToolCatalog& catalog, const dialogue::Transcript& transcript) {
  const std::vector<std::size_t> turns = score::turns_of_calls(transcript);
  json::Array calls;
  std::set<std::string> made;
  for (std::size_t i = 0; i < transcript.calls.size(); ++i) {
    const suite::CallRecord& call = transcript.calls[i];
    calls.push_back(json::Object{{"turn", turns[i]},
                                 {"tool", base::shortened(call.tool, kTextMax)},
                                 {"arguments", shortened_json(call.arguments)},
                                 {"status", status_of(call)},
                                 {"code", call.result.code},
                                 {"message", call.result.message},
                                 {"result", shortened_json(call.result.value)},
                                 {"artifact", call.result.artifact},
                                 {"inputs", inputs_of(catalog, call, made)}});
    if (!call.result.artifact.empty()) {
      made.insert(call.result.artifact);
    }
  }
  return calls;
}

json::Array goal_json(const suite::ToolCatalog& catalog, const ReplayedTrial& trial) {
  const dialogue::Transcript& transcript = trial.dialogue.transcript();
  const score::Completions completions(catalog, transcript, trial.task->goal);
  json::Array required;
  for (std::size_t i = 0; i < trial.task->goal.required.size(); ++i) {
    const suite::Required& operation = trial.task->goal.required[i];
    const bool done = i < transcript.required_done.size() && transcript.required_done[i];
    required.push_back(
        json::Object{{"tool", operation.tool},
                     {"values", operation.values},
                     {"inputs", json::Array(operation.inputs.begin(), operation.inputs.end())},
                     {"done", done},
                     {"call", number_or_null(completions.first(i))}});
  }
  return required;
}

/// null under a style without plan.
json::Value plan_json(const suite::ToolCatalog& catalog, const ReplayedTrial& trial) {
  const auto shown =
      suite::shown_plan(catalog, *trial.task, trial.params.prompt, trial.params.severity);
  if (!shown.has_value() || shown->empty()) {
    return nullptr;
  }
  json::Array steps;
  for (const suite::Step& step : *shown) {
    steps.push_back(
        json::Object{{"tool", step.tool}, {"arguments", step.arguments}, {"reason", step.reason}});
  }
  json::Array flaws;
  if (trial.params.prompt.style == suite::PromptStyle::flawed) {
    for (const suite::Sighting& sighting : suite::detect(catalog, *trial.task, *shown)) {
      if (sighting.flaw == trial.params.prompt.flaw) {
        const suite::Step& right = trial.task->plan[sighting.place.step];
        flaws.push_back(json::Object{
            {"flaw", suite::to_string(sighting.flaw)},
            {"step", number_or_null(sighting.shown)},
            {"input", number_or_null(sighting.input)},
            {"right_tool", right.tool},
            {"right_arguments", right.arguments},
            {"parameters", json::Array(sighting.parameters.begin(), sighting.parameters.end())}});
      }
    }
  }
  return json::Object{{"steps", std::move(steps)}, {"flaws", std::move(flaws)}};
}

json::Value score_json(const score::Score& score) {
  return json::Object{{"success", score.success},
                      {"clean", score.clean},
                      {"progress", score.progress},
                      {"level", score::to_string(score.level)},
                      {"label", score::to_string(score.label)},
                      {"label_turn", number_or_null(score.label_turn)},
                      {"order", number_or_null(score.order)},
                      {"tool_coverage", score.tool_coverage},
                      {"efficiency", number_or_null(score.efficiency)},
                      {"calls", score.calls},
                      {"calls_ok", score.calls_ok},
                      {"calls_rejected", score.calls_rejected},
                      {"calls_injected", score.calls_injected},
                      {"turns_repaired", score.turns_repaired},
                      {"turns_not_understood", score.turns_not_understood},
                      {"flawed_places", number_or_null(score.flawed_places)},
                      {"followed_places", number_or_null(score.followed_places)}};
}

base::Result<json::Array> attempts_json(ledger::Reader& reader, ledger::TrialId trial) {
  json::Array attempts;
  const std::array parameters = {fmt::to_string(trial)};
  TRY(reader.scan(
      "SELECT turn, number, route, at, cause, status, message, duration_us, input_tokens, "
      "output_tokens, cost, billing_known FROM attempt_full WHERE trial = CAST(?1 AS INTEGER) "
      "ORDER BY attempt",
      parameters,
      [&](std::span<const ledger::Cell> row) {
        attempts.push_back(json::Object{
            {"turn", analysis::int_of(row[0])},
            {"number", analysis::int_of(row[1])},
            {"route", analysis::text_of(row[2])},
            {"at",
             base::to_iso8601(base::WallTime(std::chrono::microseconds(analysis::int_of(row[3]))))},
            {"cause", analysis::text_of(row[4])},
            {"status", analysis::int_of(row[5])},
            {"message", analysis::text_of(row[6])},
            {"seconds", static_cast<double>(analysis::int_of(row[7])) / 1e6},
            {"input_tokens", analysis::int_of(row[8])},
            {"output_tokens", analysis::int_of(row[9])},
            {"cost_micro_usd", analysis::int_of(row[10])},
            {"billing_known", analysis::int_of(row[11]) != 0}});
        return true;
      }));
  return attempts;
}

base::Result<ledger::TrialState> state_of(ledger::Reader& reader, ledger::TrialId trial) {
  std::optional<ledger::TrialState> state;
  const std::array parameters = {fmt::to_string(trial)};
  TRY(reader.scan(
      "SELECT key, cell, task, repeat, outcome FROM trial_state WHERE trial = "
      "CAST(?1 AS INTEGER)",
      parameters,
      [&](std::span<const ledger::Cell> row) {
        state = {.id = trial,
                 .key = base::Digest::from_hex(analysis::text_of(row[0])).value_or(base::Digest()),
                 .cell = base::Digest::from_hex(analysis::text_of(row[1])).value_or(base::Digest()),
                 .task = analysis::text_of(row[2]),
                 .repeat = analysis::int_of(row[3]),
                 .outcome = analysis::text_of(row[4])};
        return true;
      }));
  if (!state.has_value()) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::not_found,
                         fmt::format("this run has no trial {}", trial));
  }
  return *state;
}

}  // namespace

struct TranscriptViews::Run {
  Run(std::string where, std::unique_ptr<ledger::Reader> from, suite::Suite with)
      : directory(std::move(where)),
        reader(std::move(from)),
        suite(std::move(with)),
        rules(suite) {}

  [[nodiscard]] base::Result<ReplayedTrial> replay(ledger::TrialId trial) {
    TRY_ASSIGN(const ledger::TrialState state, state_of(*reader, trial));
    TRY_ASSIGN(Replayer replayer, Replayer::open(*reader, suite, rules, ReplayFor::reading));
    return replayer.replay(state);
  }

  std::string directory;
  std::unique_ptr<ledger::Reader> reader;
  suite::Suite suite;
  dialogue::Rules rules;
};

TranscriptViews::TranscriptViews() = default;
TranscriptViews::~TranscriptViews() = default;

base::Result<TranscriptViews::Run*> TranscriptViews::run_of(const monitor::RunPlace& place) {
  if (run_ == nullptr || run_->directory != place.directory || run_->reader->has_moved()) {
    TRY_ASSIGN(auto reader, ledger::Reader::open(place.directory));
    TRY_ASSIGN(suite::Suite suite, analysis::suite_of(*reader));
    run_ = std::make_unique<Run>(place.directory, std::move(reader), std::move(suite));
  }
  return run_.get();
}

base::Result<json::Value> TranscriptViews::transcript(const monitor::RunPlace& place,
                                                      ledger::TrialId id) {
  TRY_ASSIGN(Run * run, run_of(place));
  TRY_ASSIGN(const ReplayedTrial trial, run->replay(id));
  TRY_ASSIGN(json::Array attempts, attempts_json(*run->reader, id));
  const suite::ToolCatalog& catalog = run->suite.catalog();
  const dialogue::Transcript& transcript = trial.dialogue.transcript();
  const bool ended = transcript.end != dialogue::End::open;
  return json::Object{
      {"version", 1},
      {"trial", id},
      {"key", trial.state.key.hex()},
      {"simulated", trial.simulated},
      {"max_turns", trial.params.max_turns},
      {"end", dialogue::to_string(transcript.end)},
      {"score",
       ended ? score_json(score::score(transcript, *trial.task, trial.params, catalog))
             : json::Value(nullptr)},
      {"messages", messages_json(trial)},
      {"turns", turns_json(trial)},
      {"calls", calls_json(catalog, transcript)},
      {"required", goal_json(catalog, trial)},
      {"plan", plan_json(catalog, trial)},
      {"attempts", std::move(attempts)}};
}

base::Result<std::string> TranscriptViews::message(const monitor::RunPlace& place,
                                                   ledger::TrialId id,
                                                   std::size_t position) {
  TRY_ASSIGN(Run * run, run_of(place));
  TRY_ASSIGN(const ReplayedTrial trial, run->replay(id));
  const auto& history = trial.dialogue.history();
  if (position >= history.size()) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::not_found,
        fmt::format("trial {} has {} messages: no number {}", id, history.size(), position));
  }
  return history[position].text;
}

}  // namespace sortie::app
