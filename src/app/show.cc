#include "sortie/analysis/cells.h"
#include "sortie/analysis/reused.h"
#include "sortie/analysis/run_suite.h"
#include "sortie/app/command.h"
#include "sortie/app/replay.h"
#include "sortie/app/styled_text.h"
#include "sortie/base/hash.h"
#include "sortie/base/printable.h"
#include "sortie/dialogue/transcript.h"
#include "sortie/ledger/reader.h"
#include "sortie/score/score.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ShowOptions {
  std::string run;
  std::string trial;
  std::string colour = "auto";
  bool json = false;
};

/// Trials by a condition on the columns of `trial`, two at most.
base::Result<std::vector<ledger::TrialState>> trials_where(ledger::Reader& reader,
                                                           const std::string& condition) {
  std::vector<ledger::TrialState> found;
  TRY(reader.scan(
      fmt::format("SELECT s.trial, s.key, s.cell, s.task, s.repeat, coalesce(s.outcome, '') "
                  "FROM trial_state AS s WHERE s.trial IN (SELECT id FROM trial WHERE {} "
                  "LIMIT 2)",
                  condition),
      [&](std::span<const ledger::Cell> row) {
        found.push_back(
            {.id = analysis::int_of(row[0]),
             .key = base::Digest::from_hex(analysis::view_of(row[1])).value_or(base::Digest{}),
             .cell = base::Digest::from_hex(analysis::view_of(row[2])).value_or(base::Digest{}),
             .task = analysis::text_of(row[3]),
             .repeat = analysis::int_of(row[4]),
             .outcome = analysis::text_of(row[5])});
        return true;
      }));
  return found;
}

/// "key BETWEEN x'12340…' AND x'1234f…'"; empty where the digits begin no key.
std::string key_condition(const std::string& digits) {
  constexpr std::size_t kKeyDigits = 2 * sizeof(base::Digest::bytes);
  if (digits.size() < 4 || digits.size() > kKeyDigits ||
      digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return {};
  }
  const std::size_t rest = kKeyDigits - digits.size();
  return fmt::format("key BETWEEN x'{0}{1}' AND x'{0}{2}'",
                     digits,
                     std::string(rest, '0'),
                     std::string(rest, 'f'));
}

/// By number, or by the first digits of its key (at least four).
base::Result<ledger::TrialState> find_trial(ledger::Reader& reader, const std::string& name) {
  ledger::TrialId id = 0;
  std::from_chars(name.data(), name.data() + name.size(), id);
  std::vector<ledger::TrialState> found;
  if (fmt::to_string(id) == name) {
    TRY_ASSIGN(found, trials_where(reader, fmt::format("id = {}", id)));
  }
  if (const std::string condition = key_condition(name); found.empty() && !condition.empty()) {
    TRY_ASSIGN(found, trials_where(reader, condition));
  }
  if (found.size() != 1) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::not_found,
        found.size() > 1
            ? fmt::format("more than one trial's key begins with '{}'", name)
            : fmt::format("no trial '{}': give its number or the first digits of its key", name));
  }
  return std::move(found.front());
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

std::vector<Span> turn_spans(const dialogue::Turn& turn,
                             const ledger::TurnRecord& record,
                             std::size_t number) {
  std::vector<Span> spans{{.style = Style::heading,
                           .text = fmt::format("\n── turn {} ── {} served {} ",
                                               number,
                                               record.route,
                                               base::printable_line(record.served_model))}};
  for (const std::string& repair : turn.repairs) {
    spans.push_back({.style = Style::caution, .text = fmt::format("[repaired: {}] ", repair)});
  }
  return spans;
}

std::vector<Span> spans_of(const ReplayedTrial& trial, const score::Score& score) {
  const dialogue::Transcript& transcript = trial.dialogue.transcript();
  std::vector<Span> spans{{.style = Style::plain,
                           .text = fmt::format("trial {} {}\nmodel {}{}  task {}  prompt {}  "
                                               "difficulty {}  rate {}  repeat {}\n",
                                               trial.state.id,
                                               trial.state.key.hex(),
                                               trial.model,
                                               trial.simulated ? " (simulated)" : "",
                                               trial.state.task,
                                               suite::to_string(trial.params.prompt),
                                               suite::to_string(trial.params.difficulty),
                                               trial.params.tool_success_rate,
                                               trial.params.repeat)}};
  std::size_t turn = 0;
  for (const chat::Message& message : trial.dialogue.history()) {
    if (message.role == chat::Role::assistant && turn < trial.turns.size()) {
      std::ranges::move(turn_spans(transcript.turns[turn], trial.turns[turn].record, turn),
                        std::back_inserter(spans));
      ++turn;
    } else {
      spans.push_back({.style = Style::heading,
                       .text = fmt::format("\n── {} ──", chat::to_string(message.role))});
    }
    spans.push_back({.style = Style::plain, .text = fmt::format("\n{}\n", message.text)});
  }
  spans.push_back(
      {.style = score.success ? Style::good : Style::bad,
       .text = fmt::format("\n── end: {} ── outcome {}  success {}  progress {:.2f}  label {}\n",
                           dialogue::to_string(transcript.end),
                           trial.state.outcome.empty() ? "open" : trial.state.outcome,
                           score.success ? "yes" : "no",
                           score.progress,
                           score::to_string(score.label))});
  return spans;
}

base::Status show_trial(const ShowOptions& options) {
  TRY_ASSIGN(const std::string directory, run_directory(options.run));
  TRY_ASSIGN(const auto reader, ledger::Reader::open(directory));
  TRY_ASSIGN(const auto state, find_trial(*reader, options.trial));
  TRY_ASSIGN(const suite::Suite suite, analysis::suite_of(*reader));
  const dialogue::Rules rules(suite);
  TRY_ASSIGN(Replayer replayer, Replayer::open(*reader, suite, rules, ReplayFor::reading));
  TRY_ASSIGN(const ReplayedTrial trial, replayer.replay(state));
  const score::Score score =
      score::score(trial.dialogue.transcript(), *trial.task, trial.params, suite.catalog());
  TRY_ASSIGN(const auto origin, analysis::origin_of(*reader, state.id));
  if (options.json) {
    json::Value document = to_json(trial, score);
    document.as_object()["reused_from"] =
        origin.has_value() ? json::Value(*origin) : json::Value(nullptr);
    print_json(document);
    return {};
  }
  std::vector<Span> spans;
  if (origin.has_value()) {
    spans.push_back({.style = Style::plain, .text = fmt::format("reused from {}\n", *origin)});
  }
  std::ranges::move(spans_of(trial, score), std::back_inserter(spans));
  print_spans(spans, wants_colour(options.colour));
  return {};
}

int show(const ShowOptions& options) {
  const auto shown = show_trial(options);
  return shown.has_value() ? kDone : fail(shown.error(), options.json);
}

}  // namespace

void add_show(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ShowOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("show", "A trial's transcript with tool results, repairs, end and label");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  command->add_option("TRIAL", options->trial, "The trial's number, or the first digits of its key")
      ->required();
  add_colour_option(*command, options->colour);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:  sortie show quickstart 17");
  command->callback([&action, options] { action = [options] { return show(*options); }; });
}

}  // namespace sortie::app
