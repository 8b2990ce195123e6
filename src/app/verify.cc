#include "sortie/analysis/cells.h"
#include "sortie/app/command.h"
#include "sortie/app/replay.h"
#include "sortie/ledger/reader.h"
#include "sortie/score/score.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct VerifyOptions {
  std::string run;
  bool json = false;
};

struct StoredScore {
  bool success = false;
  double progress = 0;
  std::string label;
};

base::Result<std::map<std::int64_t, StoredScore>> stored_scores(ledger::Reader& reader) {
  std::map<std::int64_t, StoredScore> scores;
  const std::vector<std::string> parameters{std::string(score::kScorerVersion)};
  TRY(reader.scan("SELECT trial, success, progress, label FROM score WHERE scorer = ?1",
                  parameters,
                  [&](std::span<const ledger::Cell> row) {
                    scores[analysis::int_of(row[0])] = {.success = analysis::int_of(row[1]) != 0,
                                                        .progress = analysis::double_of(row[2]),
                                                        .label = analysis::text_of(row[3])};
                    return true;
                  }));
  return scores;
}

/// Plays every scored trial back and scores it again: the stored scores must follow from the stored
/// answers.
base::Result<ledger::Check> check_scores(ledger::Reader& reader) {
  ledger::Check check{.name = "scores_follow_from_answers", .ok = true, .detail = {}};
  TRY_ASSIGN(const suite::Suite suite, suite::Suite::pilot());
  const dialogue::Rules rules(suite);
  TRY_ASSIGN(Replayer replayer, Replayer::open(reader, suite, rules));
  TRY_ASSIGN(const auto scores, stored_scores(reader));
  std::vector<ledger::TrialState> states;
  TRY(reader.for_each_trial([&](const ledger::TrialState& state) {
    if (scores.contains(state.id)) {
      states.push_back(state);
    }
  }));
  std::uint64_t wrong = 0;
  for (const ledger::TrialState& state : states) {
    const auto trial = replayer.replay(state);
    const StoredScore& stored = scores.at(state.id);
    bool same = trial.has_value();
    if (same) {
      const score::Score again =
          score::score(trial->dialogue.transcript(), *trial->task, trial->params);
      same = again.success == stored.success && again.progress == stored.progress &&
             score::to_string(again.label) == stored.label;
    }
    if (!same) {
      ++wrong;
      check.detail = fmt::format("{} of {} trials, e.g. trial {}", wrong, states.size(), state.id);
    }
  }
  check.ok = wrong == 0;
  return check;
}

int verify(const VerifyOptions& options) {
  const auto directory = run_directory(options.run);
  if (!directory.has_value()) {
    return fail(directory.error(), options.json);
  }
  const auto reader = ledger::Reader::open(*directory);
  if (!reader.has_value()) {
    return fail(reader.error(), options.json);
  }
  auto checks = ledger::verify(**reader);
  if (!checks.has_value()) {
    return fail(checks.error(), options.json);
  }
  auto scores = check_scores(**reader);
  if (!scores.has_value()) {
    return fail(scores.error(), options.json);
  }
  checks->push_back(std::move(*scores));
  bool good = true;
  json::Array rows;
  std::string text;
  for (const ledger::Check& check : *checks) {
    good = good && check.ok;
    rows.push_back(json::Object{{"check", check.name}, {"ok", check.ok}, {"detail", check.detail}});
    text += fmt::format("{:<6} {}{}\n",
                        check.ok ? "ok" : "FAILED",
                        check.name,
                        check.ok ? "" : ": " + check.detail);
  }
  if (options.json) {
    print_json(json::Object{{"run", *directory}, {"ok", good}, {"checks", std::move(rows)}});
  } else {
    print_text(text);
  }
  return good ? kDone : kRefused;
}

}  // namespace

void add_verify(CLI::App& root, Action& action) {
  const auto options = std::make_shared<VerifyOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand("verify", "Prove a run's integrity: one line per check");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:  sortie verify quickstart\nExit code 3 when a check fails.");
  command->callback([&action, options] { action = [options] { return verify(*options); }; });
}

}  // namespace sortie::app
