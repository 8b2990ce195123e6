#include "sortie/analysis/cells.h"
#include "sortie/analysis/identity.h"
#include "sortie/analysis/run_suite.h"
#include "sortie/app/command.h"
#include "sortie/app/replay.h"
#include "sortie/base/printable.h"
#include "sortie/engine/records.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/records.h"
#include "sortie/ledger/repair.h"
#include "sortie/provider/dialect.h"
#include "sortie/score/score.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct VerifyOptions {
  std::string run;
  bool repair = false;
  std::string out;
  bool json = false;
};

// What follows from the answers alone, in the order of comparable().
constexpr std::string_view kComparedColumns =
    "success, clean, progress, level, order_score, tool_coverage, efficiency, label, label_turn, "
    "flawed_places, followed_places, retry_same, retry_arguments, retry_tool, retry_none, "
    "calls_per_answer";

constexpr std::string_view kScoresFollow = "scores_follow_from_answers";
constexpr std::string_view kServedModels = "served_models_are_declared";

using Values = std::vector<std::string>;

template <class T>
std::string value_text(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : std::string();
}

Values comparable(const ledger::ScoreRecord& score) {
  return {fmt::format("{}", score.success ? 1 : 0),
          fmt::format("{}", score.clean ? 1 : 0),
          fmt::format("{}", score.progress),
          score.level,
          value_text(score.order),
          fmt::format("{}", score.tool_coverage),
          value_text(score.efficiency),
          score.label,
          value_text(score.label_turn),
          value_text(score.flawed_places),
          value_text(score.followed_places),
          value_text(score.retry_same),
          value_text(score.retry_arguments),
          value_text(score.retry_tool),
          value_text(score.retry_none),
          value_text(score.calls_per_answer)};
}

std::string cell_text(const ledger::Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    return fmt::format("{}", *number);
  }
  if (const auto* real = std::get_if<double>(&cell)) {
    return fmt::format("{}", *real);
  }
  return analysis::text_of(cell);
}

base::Result<std::map<std::int64_t, Values>> stored_scores(ledger::Reader& reader) {
  std::map<std::int64_t, Values> scores;
  const std::vector<std::string> parameters{std::string(score::kScorerVersion)};
  TRY(reader.scan(fmt::format("SELECT trial, {} FROM score WHERE scorer = ?1", kComparedColumns),
                  parameters,
                  [&](std::span<const ledger::Cell> row) {
                    Values& values = scores[analysis::int_of(row[0])];
                    for (const ledger::Cell& cell : row.subspan(1)) {
                      values.push_back(cell_text(cell));
                    }
                    return true;
                  }));
  return scores;
}

/// Plays every scored trial back and scores it again: the stored scores must follow from the stored
/// answers.
base::Result<ledger::Check> check_scores(ledger::Reader& reader) {
  ledger::Check check{.name = std::string(kScoresFollow), .ok = true, .detail = {}};
  TRY_ASSIGN(const suite::Suite suite, analysis::suite_of(reader));
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
    const bool same =
        trial.has_value() &&
        comparable(engine::to_record(
            state.id,
            score::score(
                trial->dialogue.transcript(), *trial->task, trial->params, suite.catalog()))) ==
            scores.at(state.id);
    if (!same) {
      ++wrong;
      check.detail = fmt::format("{} of {} trials, e.g. trial {}", wrong, states.size(), state.id);
    }
  }
  check.ok = wrong == 0;
  return check;
}

/// Every answer that counts came from a model that its route's declaration accepts, as the run's
/// own endpoints file has it.
base::Result<ledger::Check> check_served_models(ledger::Reader& reader) {
  ledger::Check check{.name = std::string(kServedModels), .ok = true, .detail = {}};
  TRY_ASSIGN(const auto text, reader.manifest("endpoints_text"));
  if (!text.has_value()) {
    return check;  // declared nowhere
  }
  TRY_ASSIGN(const spec::Topology topology, spec::parse_endpoints(*text, "the run's endpoints"));
  std::map<std::string, const spec::Route*> routes;
  for (const spec::Route& route : topology.routes) {
    routes.emplace(route.name, &route);
  }
  TRY(reader.scan(
      "SELECT t.route, a.api_name, t.served_model, count(*) FROM turn AS t JOIN attempt AS a ON "
      "a.id = t.attempt GROUP BY 1, 2, 3",
      [&](std::span<const ledger::Cell> row) {
        // A route that an earlier start had and the latest file lacks declares what is the default.
        const auto route = routes.find(analysis::text_of(row[0]));
        const std::vector<std::string> declared =
            route == routes.end() ? std::vector<std::string>() : route->second->served_as;
        const std::string served = analysis::text_of(row[2]);
        if (check.ok &&
            !provider::accepts_served_model(analysis::text_of(row[1]), declared, served)) {
          check.ok = false;
          check.detail = fmt::format("{} turns of {} were served by '{}'",
                                     analysis::int_of(row[3]),
                                     analysis::text_of(row[0]),
                                     served);
        }
        return true;
      }));
  return check;
}

/// Damage that keeps something from being checked is a finding, not the end.
ledger::Check finding(std::string_view name, base::Result<ledger::Check> check) {
  if (check.has_value()) {
    return std::move(*check);
  }
  return {.name = std::string(name), .ok = false, .detail = check.error().message};
}

/// `identity` is an error where the ledger is too damaged to be asked; a check says so then.
int show(const std::string& directory,
         const std::vector<ledger::Check>& checks,
         const base::Result<analysis::Identity>& identity,
         bool as_json) {
  bool good = true;
  json::Array rows;
  std::string text;
  for (const ledger::Check& check : checks) {
    good = good && check.ok;
    rows.push_back(json::Object{{"check", check.name}, {"ok", check.ok}, {"detail", check.detail}});
    text += fmt::format("{:<6} {}{}{}\n",
                        check.ok ? "ok" : "FAILED",
                        check.name,
                        check.detail.empty() ? "" : ": ",
                        base::printable(check.detail));
  }
  if (as_json) {
    print_json(json::Object{
        {"run", directory},
        {"ok", good},
        {"checks", std::move(rows)},
        {"identity",
         identity.has_value() ? json::Value(analysis::to_json(*identity)) : json::Value(nullptr)}});
  } else {
    print_text(text);
    if (identity.has_value()) {
      print_text("\nWho answered (hints are no verdicts and change no exit code)\n" +
                 analysis::to_text(*identity));
    }
  }
  return good ? kDone : kRefused;
}

int repair(const VerifyOptions& options, const std::string& directory) {
  const std::string out = options.out.empty() ? directory + ".repaired" : options.out;
  const auto repaired = ledger::repair_to(directory, out);
  if (!repaired.has_value()) {
    return fail(repaired.error(), options.json);
  }
  const bool made = !repaired->damage.empty();
  if (options.json) {
    print_json(json::Object{{"run", directory},
                            {"ok", true},
                            {"repaired", made ? json::Value(out) : json::Value(nullptr)},
                            {"damage", repaired->damage}});
  } else if (made) {
    print_text(
        fmt::format("{}\nwrote {}: all whole commits, and every check holds. {} is as it was\n",
                    base::printable(repaired->damage),
                    out,
                    directory));
  } else {
    print_text("nothing is torn: no copy was made\n");
  }
  return kDone;
}

int verify(const VerifyOptions& options) {
  const auto directory = run_directory(options.run);
  if (!directory.has_value()) {
    return fail(directory.error(), options.json);
  }
  if (options.repair) {
    return repair(options, *directory);
  }
  const auto reader = ledger::Reader::open(*directory);
  if (!reader.has_value()) {
    return fail(reader.error(), options.json);
  }
  auto checks = ledger::verify(**reader);
  if (!checks.has_value()) {
    return fail(checks.error(), options.json);
  }
  checks->push_back(finding(kServedModels, check_served_models(**reader)));
  checks->push_back(finding(kScoresFollow, check_scores(**reader)));
  return show(*directory, *checks, analysis::read_identity(**reader), options.json);
}

}  // namespace

void add_verify(CLI::App& root, Action& action) {
  const auto options = std::make_shared<VerifyOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "verify", "Prove a run's integrity, one line per check, and audit who answered");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  CLI::Option* repair = command->add_flag(
      "--repair",
      options->repair,
      "Copy the run up to its last whole commit, if a crash tore the end of its log");
  command->add_option("--out", options->out, "Where the copy goes [RUN.repaired]")->needs(repair);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie verify quickstart\n"
      "Exit code 3 when a check fails. A repair never changes RUN, and mends only torn ends: a "
      "run\n"
      "that goes on cuts them itself.");
  command->callback([&action, options] { action = [options] { return verify(*options); }; });
}

}  // namespace sortie::app
