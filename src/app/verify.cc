#include "sortie/analysis/cells.h"
#include "sortie/analysis/identity.h"
#include "sortie/analysis/run_suite.h"
#include "sortie/app/command.h"
#include "sortie/app/replay.h"
#include "sortie/base/hash.h"
#include "sortie/base/printable.h"
#include "sortie/engine/records.h"
#include "sortie/engine/reuse.h"
#include "sortie/ledger/parallel.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/records.h"
#include "sortie/ledger/repair.h"
#include "sortie/provider/dialect.h"
#include "sortie/score/score.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
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

// What follows from the answers alone, in the order of same_score().
constexpr std::string_view kComparedColumns =
    "s.success, s.clean, s.progress, s.level, s.order_score, s.tool_coverage, s.efficiency, "
    "s.label, s.label_turn, s.flawed_places, s.followed_places, s.retry_same, s.retry_arguments, "
    "s.retry_tool, s.retry_none, s.calls_per_answer";

constexpr std::string_view kScoresFollow = "scores_follow_from_answers";
constexpr std::string_view kTypes = "trials_have_the_types_of_their_tasks";
constexpr std::string_view kSuite = "suite_matches_its_hash";
constexpr std::string_view kServedModels = "served_models_are_declared";

/// Room for the index of two million messages, which are looked up in no order; and what a run that
/// was killed left behind stays there for the next who asks.
constexpr ledger::ReadOptions kReading{.cache_bytes = 96UL * 1024 * 1024, .leaves_index = true};

/// Trials that one job plays back.
constexpr ledger::TrialId kTrialsAtOnce = 4096;

bool same(const ledger::Cell& cell, std::string_view value) {
  const auto* text = std::get_if<std::string_view>(&cell);
  return text != nullptr && *text == value;
}

bool same(const ledger::Cell& cell, const std::string& value) {
  return same(cell, std::string_view(value));
}

bool same(const ledger::Cell& cell, std::int64_t value) {
  const auto* number = std::get_if<std::int64_t>(&cell);
  return number != nullptr && *number == value;
}

bool same(const ledger::Cell& cell, bool value) {
  return same(cell, std::int64_t{value ? 1 : 0});
}

bool same(const ledger::Cell& cell, double value) {
  const auto* number = std::get_if<double>(&cell);
  return number != nullptr && *number == value;
}

template <class T>
bool same(const ledger::Cell& cell, const std::optional<T>& value) {
  return value ? same(cell, *value) : std::holds_alternative<std::monostate>(cell);
}

/// `row` holds kComparedColumns.
bool same_score(std::span<const ledger::Cell> row, const ledger::ScoreRecord& score) {
  std::size_t column = 0;
  const auto next = [&](const auto& value) { return same(row[column++], value); };
  bool equal = next(score.success);
  equal = next(score.clean) && equal;
  equal = next(score.progress) && equal;
  equal = next(score.level) && equal;
  equal = next(score.order) && equal;
  equal = next(score.tool_coverage) && equal;
  equal = next(score.efficiency) && equal;
  equal = next(score.label) && equal;
  equal = next(score.label_turn) && equal;
  equal = next(score.flawed_places) && equal;
  equal = next(score.followed_places) && equal;
  equal = next(score.retry_same) && equal;
  equal = next(score.retry_arguments) && equal;
  equal = next(score.retry_tool) && equal;
  equal = next(score.retry_none) && equal;
  return next(score.calls_per_answer) && equal;
}

/// Trials that something is wrong with.
struct Offenders {
  std::uint64_t trials = 0;
  ledger::TrialId example = 0;

  void add(ledger::TrialId trial) {
    ++trials;
    example = trial;
  }

  void add(const Offenders& more) {
    trials += more.trials;
    example = more.trials > 0 ? more.example : example;
  }

  [[nodiscard]] ledger::Check check(std::string_view name, std::uint64_t of) const {
    return {.name = std::string(name),
            .ok = trials == 0,
            .detail = trials == 0
                          ? std::string()
                          : fmt::format("{} of {} trials, e.g. trial {}", trials, of, example)};
  }
};

/// What came of some of the trials.
struct Replays {
  std::uint64_t trials = 0;
  Offenders scored_otherwise;
  Offenders mistyped;  // another task type than the suite's
  base::Status status;
};

/// Plays every trial of a range that has a score by this scorer back, and scores it again.
class ScoreChecker {
 public:
  ScoreChecker(const suite::Suite& suite, const dialogue::Rules& rules)
      : suite_(suite), rules_(rules) {}

  [[nodiscard]] Replays check(ledger::Reader& reader, ledger::TrialId first) const {
    Replays replays;
    replays.status = check(reader, first, replays);
    return replays;
  }

 private:
  base::Status check(ledger::Reader& reader, ledger::TrialId first, Replays& replays) const {
    TRY_ASSIGN(Replayer replayer, Replayer::open(reader, suite_, rules_, ReplayFor::scoring));
    const std::vector<std::string> parameters{std::string(score::kScorerVersion)};
    return reader.scan(
        fmt::format("SELECT t.id, t.key, t.cell, t.task, t.repeat, t.task_type, {} FROM trial AS t "
                    "JOIN score "
                    "AS s ON s.trial = t.id AND s.scorer = ?1 WHERE t.id BETWEEN {} AND {}",
                    kComparedColumns,
                    first,
                    first + kTrialsAtOnce - 1),
        parameters,
        [&](std::span<const ledger::Cell> row) {
          constexpr std::size_t kType = 5;
          constexpr std::size_t kStateColumns = 6;
          const ledger::TrialState state{
              .id = analysis::int_of(row[0]),
              .key = base::Digest::from_hex(analysis::view_of(row[1])).value_or(base::Digest{}),
              .cell = base::Digest::from_hex(analysis::view_of(row[2])).value_or(base::Digest{}),
              .task = analysis::text_of(row[3]),
              .repeat = analysis::int_of(row[4]),
              .outcome = {}};
          ++replays.trials;
          if (!follows(replayer, state, row.subspan(kStateColumns))) {
            replays.scored_otherwise.add(state.id);
          }
          const suite::Task* const task = suite_.find(state.task);
          if (task != nullptr && !same(row[kType], suite::to_string(task->type))) {
            replays.mistyped.add(state.id);
          }
          return true;
        });
  }

  [[nodiscard]] bool follows(Replayer& replayer,
                             const ledger::TrialState& state,
                             std::span<const ledger::Cell> stored) const {
    const auto trial = replayer.replay(state);
    return trial.has_value() &&
           same_score(
               stored,
               engine::to_record(
                   state.id,
                   score::score(
                       trial->dialogue.transcript(), *trial->task, trial->params, rules_.plans())));
  }

  const suite::Suite& suite_;
  const dialogue::Rules& rules_;
};

/// The stored scores must follow from the stored answers: jobs that play them back, and what came
/// of all.
class ScoreCheck {
 public:
  static base::Result<std::unique_ptr<ScoreCheck>> open(ledger::Reader& reader) {
    TRY_ASSIGN(suite::Suite suite, analysis::suite_of(reader));
    TRY_ASSIGN(const std::int64_t last, reader.count("SELECT max(id) FROM trial"));
    const auto jobs = static_cast<std::size_t>(last / kTrialsAtOnce + 1);
    std::unique_ptr<ScoreCheck> check(new ScoreCheck(std::move(suite), jobs));
    // Under other rules nothing can be said of any trial.
    TRY(Replayer::open(reader, check->suite_, check->rules_, ReplayFor::scoring));
    return check;
  }

  /// Refer to this object.
  void add_jobs(std::vector<ledger::ReadingJob>& jobs) {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      jobs.emplace_back([this, i](ledger::Reader& own) {
        parts_[i] = ScoreChecker(suite_, rules_)
                        .check(own, 1 + static_cast<ledger::TrialId>(i) * kTrialsAtOnce);
      });
    }
  }

  /// After the jobs: of both names.
  [[nodiscard]] base::Result<std::vector<ledger::Check>> close() const {
    Replays all;
    for (const Replays& part : parts_) {
      TRY(part.status);
      all.trials += part.trials;
      all.scored_otherwise.add(part.scored_otherwise);
      all.mistyped.add(part.mistyped);
    }
    return std::vector{all.scored_otherwise.check(kScoresFollow, all.trials),
                       all.mistyped.check(kTypes, all.trials)};
  }

 private:
  ScoreCheck(suite::Suite suite, std::size_t jobs)
      : suite_(std::move(suite)), rules_(suite_), parts_(jobs) {}

  suite::Suite suite_;
  dialogue::Rules rules_;
  std::vector<Replays> parts_;
};

/// The suite as it is played back is the one that the run was made with.
base::Result<ledger::Check> check_suite(ledger::Reader& reader) {
  ledger::Check check{.name = std::string(kSuite), .ok = true, .detail = {}};
  TRY_ASSIGN(const auto recorded, reader.manifest("suite_hash"));
  TRY_ASSIGN(const auto name, reader.manifest("suite"));
  if (!recorded.has_value()) {
    check.detail = "no hash was recorded: the run was begun by an older Sortie";
    return check;
  }
  TRY_ASSIGN(const suite::Suite suite, analysis::suite_of(reader));
  const std::string here = suite.version().hex();
  check.ok = here == *recorded;
  if (!check.ok) {
    check.detail =
        fmt::format("suite '{}' had the hash {} in this run, and has {} {}",
                    name.value_or(""),
                    *recorded,
                    here,
                    suite.built_in() ? "in this Sortie: verify with the version that made the run"
                                     : "in its manifest: the recorded text was changed");
  }
  return check;
}

/// What the starts of the run declared, the latest first. A text of an earlier one that this Sortie
/// cannot read declares nothing.
base::Result<std::vector<spec::Topology>> declarations(ledger::Reader& reader) {
  std::vector<std::string> texts;
  TRY(reader.scan(
      "SELECT value FROM manifest WHERE name = 'endpoints_text' GROUP BY value ORDER BY "
      "max(generation) DESC",
      [&](std::span<const ledger::Cell> row) {
        texts.push_back(analysis::text_of(row[0]));
        return true;
      }));
  std::vector<spec::Topology> declared;
  for (const std::string& text : texts) {
    auto topology = spec::parse_endpoints(text, "the run's endpoints");
    if (topology.has_value()) {
      declared.push_back(std::move(*topology));
    } else if (&text == texts.data()) {
      return std::unexpected(std::move(topology).error());
    }
  }
  return declared;
}

struct ServedAnswers {
  std::string model;
  std::string route;
  std::string api_name;
  std::string served;
};

/// By the latest start that had the route. Where none had it, the trial is another run's and any
/// start may have taken it over, or its start recorded no text: then the default rule decides.
bool is_declared(const std::vector<spec::Topology>& declared, const ServedAnswers& answers) {
  const auto accepts = [&](const spec::Topology& topology) {
    return engine::is_declared(
        topology, answers.model, answers.route, answers.api_name, answers.served);
  };
  const auto latest = std::ranges::find_if(declared, [&](const spec::Topology& topology) {
    return std::ranges::find(topology.routes, answers.route, &spec::Route::name) !=
           topology.routes.end();
  });
  if (latest != declared.end()) {
    return accepts(*latest);
  }
  return std::ranges::any_of(declared, accepts) ||
         provider::accepts_served_model(answers.api_name, {}, answers.served);
}

/// Every answer that counts came from a model that its route's declaration accepts, as the run's
/// own endpoints files have it.
base::Result<ledger::Check> check_served_models(ledger::Reader& reader) {
  ledger::Check check{.name = std::string(kServedModels), .ok = true, .detail = {}};
  TRY_ASSIGN(const std::vector<spec::Topology> declared, declarations(reader));
  if (declared.empty()) {
    return check;  // declared nowhere
  }
  TRY(reader.scan(
      "SELECT a.requested_model, t.route, a.api_name, t.served_model, count(*) FROM turn AS t JOIN "
      "attempt AS a ON a.id = t.attempt GROUP BY 1, 2, 3, 4",
      [&](std::span<const ledger::Cell> row) {
        const ServedAnswers answers{.model = analysis::text_of(row[0]),
                                    .route = analysis::text_of(row[1]),
                                    .api_name = analysis::text_of(row[2]),
                                    .served = analysis::text_of(row[3])};
        if (!is_declared(declared, answers)) {
          check.ok = false;
          check.detail = fmt::format("{} turns of {} were served by '{}'",
                                     analysis::int_of(row[4]),
                                     answers.route,
                                     answers.served);
        }
        return check.ok;
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

/// What is checked beyond the ledger's own invariants.
struct Audit {
  std::vector<ledger::Check> checks;
  base::Result<analysis::Identity> identity;
};

base::Result<Audit> audit(ledger::Reader& reader) {
  auto scores = ScoreCheck::open(reader);
  base::Result<ledger::Check> served = std::unexpected(base::Error());
  Audit audit{.checks = {}, .identity = std::unexpected(base::Error())};
  // The long ones first, so that no core is left with one at the end.
  std::vector<ledger::ReadingJob> jobs;
  jobs.emplace_back([&](ledger::Reader& own) { audit.identity = analysis::read_identity(own); });
  jobs.emplace_back([&](ledger::Reader& own) { served = check_served_models(own); });
  if (scores.has_value()) {
    (*scores)->add_jobs(jobs);
  }
  TRY(ledger::read_in_parallel(reader, jobs));
  audit.checks.push_back(finding(kSuite, check_suite(reader)));
  audit.checks.push_back(finding(kServedModels, std::move(served)));
  auto replayed = scores.has_value() ? (*scores)->close() : std::unexpected(scores.error());
  if (replayed.has_value()) {
    std::ranges::move(*replayed, std::back_inserter(audit.checks));
  } else {
    audit.checks.push_back(finding(kScoresFollow, std::unexpected(replayed.error())));
  }
  return audit;
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
  const auto reader = ledger::Reader::open(*directory, kReading);
  if (!reader.has_value() && reader.error().code == base::ErrorCode::integrity) {
    return show(*directory,
                ledger::verify_unreadable(*directory, reader.error()),
                std::unexpected(reader.error()),
                options.json);
  }
  if (!reader.has_value()) {
    return fail(reader.error(), options.json);
  }
  auto checks = ledger::verify(**reader);
  if (!checks.has_value()) {
    return fail(checks.error(), options.json);
  }
  auto beyond = audit(**reader);
  if (!beyond.has_value()) {
    return fail(beyond.error(), options.json);
  }
  std::ranges::move(beyond->checks, std::back_inserter(*checks));
  return show(*directory, *checks, beyond->identity, options.json);
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
