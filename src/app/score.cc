#include "sortie/score/score.h"

#include "sortie/analysis/cells.h"
#include "sortie/analysis/run_suite.h"
#include "sortie/app/command.h"
#include "sortie/app/replay.h"
#include "sortie/engine/records.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ScoreOptions {
  std::string run;
  bool json = false;
};

struct Scored {
  std::size_t trials = 0;     // that are scored
  std::size_t unchanged = 0;  // had a score by this scorer already
  std::size_t added = 0;
};

base::Result<std::vector<ledger::TrialState>> scored_trials(ledger::Reader& reader) {
  std::vector<ledger::TrialState> states;
  TRY(reader.for_each_trial([&](const ledger::TrialState& state) {
    if (state.outcome == "scored") {
      states.push_back(state);
    }
  }));
  return states;
}

base::Result<std::set<std::int64_t>> with_current_score(ledger::Reader& reader) {
  std::set<std::int64_t> trials;
  const std::vector<std::string> parameters{std::string(score::kScorerVersion)};
  TRY(reader.scan("SELECT trial FROM score WHERE scorer = ?1",
                  parameters,
                  [&](std::span<const ledger::Cell> row) {
                    trials.insert(analysis::int_of(row[0]));
                    return true;
                  }));
  return trials;
}

/// Scores every scored trial from its stored answers. A score is a fact: one by another version of
/// the scorer stays beside the new one.
base::Result<Scored> score_run(const std::string& directory) {
  TRY_ASSIGN(const auto reader, ledger::Reader::open(directory));
  TRY_ASSIGN(const suite::Suite suite, analysis::suite_of(*reader));
  const dialogue::Rules rules(suite);
  TRY_ASSIGN(Replayer replayer, Replayer::open(*reader, suite, rules, ReplayFor::scoring));
  TRY_ASSIGN(const auto states, scored_trials(*reader));
  TRY_ASSIGN(const auto known, with_current_score(*reader));
  Scored scored{.trials = states.size(), .unchanged = 0, .added = 0};
  std::vector<ledger::Record> scores;
  for (const ledger::TrialState& state : states) {
    if (known.contains(state.id)) {
      ++scored.unchanged;
      continue;
    }
    TRY_ASSIGN(const ReplayedTrial trial, replayer.replay(state));
    scores.emplace_back(engine::to_record(
        state.id,
        score::score(trial.dialogue.transcript(), *trial.task, trial.params, rules.plans())));
  }
  scored.added = scores.size();
  // The writer is opened only when there is something to write: a finished run may be read-only.
  // All or none, since a table shows one scorer's scores.
  if (!scores.empty()) {
    TRY_ASSIGN(const auto ledger, ledger::Ledger::open(directory, {}, {}));
    ledger->append_together(std::move(scores));
    TRY(ledger->flush());
  }
  return scored;
}

base::Result<std::string> printed(const ScoreOptions& options) {
  TRY_ASSIGN(const std::string directory, run_directory(options.run));
  TRY_ASSIGN(const Scored scored, score_run(directory));
  if (options.json) {
    return json::to_pretty_text(json::Object{{"run", directory},
                                             {"scorer", score::kScorerVersion},
                                             {"trials", scored.trials},
                                             {"unchanged", scored.unchanged},
                                             {"added", scored.added}});
  }
  return fmt::format("{}: {} scored trials, {} already have a score by {}, {} scored now\n",
                     directory,
                     scored.trials,
                     scored.unchanged,
                     score::kScorerVersion,
                     scored.added);
}

int score_command(const ScoreOptions& options) {
  const auto text = printed(options);
  if (!text.has_value()) {
    return fail(text.error(), options.json);
  }
  print_text(*text);
  return kDone;
}

}  // namespace

void add_score(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ScoreOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "score", "Score a run's trials from their stored answers, without a request");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie score quickstart\n"
      "After an update of Sortie whose scorer has a new version. Scores by older versions stay; "
      "tables show the newest.\n"
      "sortie verify recomputes scores and compares them.");
  command->callback([&action, options] { action = [options] { return score_command(*options); }; });
}

}  // namespace sortie::app
