#include "sortie/analysis/run_suite.h"
#include "sortie/app/command.h"
#include "sortie/app/replay.h"
#include "sortie/base/printable.h"
#include "sortie/dialogue/transcript.h"
#include "sortie/ledger/reader.h"
#include "sortie/score/score.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ShowOptions {
  std::string run;
  std::string trial;
  bool json = false;
};

/// By number, or by the first digits of its key (at least four).
base::Result<ledger::TrialState> find_trial(ledger::Reader& reader, const std::string& name) {
  std::optional<ledger::TrialState> found;
  bool several = false;
  TRY(reader.for_each_trial([&](const ledger::TrialState& state) {
    const bool by_id = fmt::to_string(state.id) == name;
    const bool by_key = name.size() >= 4 && state.key.hex().starts_with(name);
    if (by_id || by_key) {
      several = found.has_value() && !by_id;
      found = state;
    }
  }));
  if (!found.has_value() || several) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::not_found,
        several
            ? fmt::format("more than one trial's key begins with '{}'", name)
            : fmt::format("no trial '{}': give its number or the first digits of its key", name));
  }
  return *found;
}

json::Value call_json(const suite::CallRecord& call) {
  return json::Object{{"tool", call.tool},
                      {"arguments", call.arguments},
                      {"code", call.result.code},
                      {"message", call.result.message},
                      {"result", call.result.value},
                      {"artifact", call.result.artifact}};
}

json::Value to_json(const ReplayedTrial& trial, const score::Score& score) {
  const dialogue::Transcript& transcript = trial.dialogue.transcript();
  json::Array messages;
  for (const chat::Message& message : trial.dialogue.history()) {
    messages.push_back(
        json::Object{{"role", chat::to_string(message.role)}, {"text", message.text}});
  }
  json::Array turns;
  for (std::size_t i = 0; i < transcript.turns.size(); ++i) {
    const dialogue::Turn& turn = transcript.turns[i];
    json::Array calls;
    for (const dialogue::Command& command : turn.commands) {
      if (command.call.has_value()) {
        calls.push_back(call_json(transcript.calls[*command.call]));
      }
    }
    turns.push_back(json::Object{{"turn", i},
                                 {"route", trial.turns[i].record.route},
                                 {"served_model", trial.turns[i].record.served_model},
                                 {"repairs", json::Array(turn.repairs.begin(), turn.repairs.end())},
                                 {"calls", std::move(calls)}});
  }
  return json::Object{{"trial", trial.state.id},
                      {"key", trial.state.key.hex()},
                      {"model", trial.model},
                      {"simulated", trial.simulated},
                      {"task", trial.state.task},
                      {"prompt", suite::to_string(trial.params.prompt)},
                      {"outcome", trial.state.outcome},
                      {"end", dialogue::to_string(transcript.end)},
                      {"success", score.success},
                      {"progress", score.progress},
                      {"label", score::to_string(score.label)},
                      {"messages", std::move(messages)},
                      {"turns", std::move(turns)}};
}

std::string to_text(const ReplayedTrial& trial, const score::Score& score) {
  const dialogue::Transcript& transcript = trial.dialogue.transcript();
  std::string out = fmt::format(
      "trial {} {}\nmodel {}{}  task {}  prompt {}  difficulty {}  rate {}  repeat {}\n",
      trial.state.id,
      trial.state.key.hex(),
      trial.model,
      trial.simulated ? " (simulated)" : "",
      trial.state.task,
      suite::to_string(trial.params.prompt),
      suite::to_string(trial.params.difficulty),
      trial.params.tool_success_rate,
      trial.params.repeat);
  std::size_t turn = 0;
  for (const chat::Message& message : trial.dialogue.history()) {
    if (message.role == chat::Role::assistant && turn < trial.turns.size()) {
      const ledger::TurnRecord& record = trial.turns[turn].record;
      out += fmt::format("\n── turn {} ── {} served {} ",
                         turn,
                         record.route,
                         base::printable_line(record.served_model));
      for (const std::string& repair : transcript.turns[turn].repairs) {
        out += fmt::format("[repaired: {}] ", repair);
      }
      out += fmt::format("\n{}\n", message.text);
      ++turn;
      continue;
    }
    out += fmt::format("\n── {} ──\n{}\n", chat::to_string(message.role), message.text);
  }
  out += fmt::format("\n── end: {} ── outcome {}  success {}  progress {:.2f}  label {}\n",
                     dialogue::to_string(transcript.end),
                     trial.state.outcome.empty() ? "open" : trial.state.outcome,
                     score.success ? "yes" : "no",
                     score.progress,
                     score::to_string(score.label));
  return out;
}

base::Result<std::string> show_trial(const ShowOptions& options) {
  TRY_ASSIGN(const std::string directory, run_directory(options.run));
  TRY_ASSIGN(const auto reader, ledger::Reader::open(directory));
  TRY_ASSIGN(const auto state, find_trial(*reader, options.trial));
  TRY_ASSIGN(const suite::Suite suite, analysis::suite_of(*reader));
  const dialogue::Rules rules(suite);
  TRY_ASSIGN(Replayer replayer, Replayer::open(*reader, suite, rules));
  TRY_ASSIGN(const ReplayedTrial trial, replayer.replay(state));
  const score::Score score =
      score::score(trial.dialogue.transcript(), *trial.task, trial.params, suite.catalog());
  return options.json ? json::to_pretty_text(to_json(trial, score)) : to_text(trial, score);
}

int show(const ShowOptions& options) {
  const auto printed = show_trial(options);
  if (!printed.has_value()) {
    return fail(printed.error(), options.json);
  }
  print_text(*printed);
  return kDone;
}

}  // namespace

void add_show(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ShowOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("show", "A trial's transcript with tool results, repairs, end and label");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  command->add_option("TRIAL", options->trial, "The trial's number, or the first digits of its key")
      ->required();
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:  sortie show quickstart 17");
  command->callback([&action, options] { action = [options] { return show(*options); }; });
}

}  // namespace sortie::app
