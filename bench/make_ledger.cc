// Makes a ledger of any size for measuring what reads ledgers. The same arguments give the same
// facts.
//
//   make_ledger DIR [--trials N] [--scores-only]
//
// Eight models in the scenarios baseline, flawed, reliability and prompts, every factor as a
// campaign has it. A trial is a dialogue of two answers of about 300 bytes, a call and an end, that
// is really played and scored, so that `sortie verify` finds nothing. One in fifty is lost instead,
// one request in twenty-five is throttled first. With --scores-only a trial has nothing but its
// outcome and a score, drawn by model, prompt and task: what a report of ten million trials reads.

#include "sortie/analysis/declared.h"
#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/engine/context.h"
#include "sortie/engine/records.h"
#include "sortie/ledger/ledger.h"
#include "sortie/score/score.h"
#include "sortie/spec/load.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/suite.h"

#include "bench/common.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace {

using namespace sortie;  // a program of one file
using bench::must;

constexpr std::size_t kModels = 8;
constexpr std::size_t kAnswerBytes = 300;
constexpr std::int64_t kStart = 1'700'000'000'000'000;  // microseconds since 1970
constexpr std::int64_t kGap = 2'000;                    // from trial to trial

struct Options {
  std::string directory;
  std::uint64_t trials = 1'000'000;
  bool scores_only = false;
};

std::string endpoints_text() {
  std::string text = "version: 1\nmodels:\n";
  for (std::size_t i = 0; i < kModels; ++i) {
    text += fmt::format("  model-{}: {{price: {{input: 1, output: {}}}}}\n", i, i + 1);
  }
  text +=
      "endpoints:\n  local:\n    dialect: openai\n    base_url: http://127.0.0.1:1/v1\n"
      "    simulated: true\n    keys: {a: {secret: none}, b: {secret: none}}\n    routes:\n";
  for (std::size_t i = 0; i < kModels; ++i) {
    text += fmt::format("      - {{model: model-{0}, api_name: vendor/model-{0}}}\n", i);
  }
  return text;
}

/// 76 cells of 100 tasks a model at most; the repeats make the number.
std::string campaign_text(std::uint64_t repeats) {
  std::string models;
  for (std::size_t i = 0; i < kModels; ++i) {
    models += fmt::format("{}model-{}", i == 0 ? "" : ", ", i);
  }
  return fmt::format(
      "version: 1\nname: made\nsuite: pilot/1\nseed: 1\nmodels: [{}]\nscenarios: [baseline, "
      "flawed, reliability, prompts]\ninstances: 20\nrepeats: {}\n",
      models,
      repeats);
}

class Maker {
 public:
  explicit Maker(Options options)
      : options_(std::move(options)),
        suite_(must(suite::Suite::pilot())),
        rules_(suite_),
        topology_(must(spec::parse_endpoints(endpoints_text(), "endpoints.yaml"))) {
    const std::uint64_t one = campaign(1).trial_count();
    campaign_ = campaign((options_.trials + one - 1) / one);
  }

  void run() {
    ledger_ = must(
        ledger::Ledger::open(options_.directory, {}, [](base::Result<ledger::Sequence> outcome) {
          static_cast<void>(must(std::move(outcome)));
        }));
    if (ledger_->next_generation() != 1) {
      fmt::print(stderr, "{} holds a ledger already\n", options_.directory);
      std::exit(2);
    }
    append_plan();
    for (std::uint64_t i = 0; i < options_.trials; ++i) {
      append_trial(campaign_.trial_at(i));
    }
    ledger_->append(event("run_finished"));
    static_cast<void>(must(ledger_->flush()));
  }

 private:
  spec::Campaign campaign(std::uint64_t repeats) const {
    return must(spec::parse_campaign(campaign_text(repeats), "campaign.yaml", suite_, topology_));
  }

  [[nodiscard]] base::WallTime now() const {
    return base::WallTime(std::chrono::microseconds(kStart + trial_ * kGap));
  }

  [[nodiscard]] ledger::EventRecord event(std::string kind) const {
    return {.at = now(), .kind = std::move(kind), .subject = "made", .detail = "{}"};
  }

  void append_plan() {
    const std::pair<std::string_view, std::string> entries[] = {
        {"sortie", "make_ledger"},
        {"campaign", campaign_.name},
        {"campaign_text", campaign_.text},
        {"endpoints_text", topology_.text},
        {"suite", suite_.name()},
        {"seed", fmt::to_string(campaign_.seed)},
        {analysis::kDeclaredEntry, analysis::declared_text(campaign_, topology_)},
        {"world_version", suite_.catalog().version().hex()},
        {"dialogue_version", rules_.version().hex()},
    };
    for (const auto& [name, value] : entries) {
      ledger_->append(
          ledger::ManifestRecord{.generation = 1, .name = std::string(name), .value = value});
    }
    for (const spec::Cell& cell : campaign_.cells) {
      ledger_->append(engine::to_record(topology_, cell));
    }
    ledger_->append(event("run_started"));
  }

  void append_trial(const spec::Trial& place) {
    const spec::Cell& cell = campaign_.cells[place.cell];
    const suite::Task& task = suite_.tasks()[place.task];
    const ledger::TrialId id = ++trial_;
    // The engine's own: `sortie run` on the files of the manifest goes on here.
    const base::Digest key = engine::key_of({.suite = &suite_,
                                             .rules = &rules_,
                                             .topology = &topology_,
                                             .campaign = &campaign_,
                                             .secrets = nullptr},
                                            place);
    ledger_->append(ledger::TrialRecord{.id = id,
                                        .key = key,
                                        .cell = cell.id,
                                        .task = task.id,
                                        .task_type = std::string(suite::to_string(task.type)),
                                        .repeat = place.params.repeat});
    base::RandomStream random(key);
    if (random.uniform() < 0.02) {
      ledger_->append(
          ledger::OutcomeRecord{.trial = id,
                                .at = now(),
                                .outcome = random.uniform() < 0.5 ? "timeout" : "throttled",
                                .detail = "made",
                                .end = {}});
    } else if (options_.scores_only) {
      append_drawn(cell, task, random);
    } else {
      append_played(cell, task, place.params, random);
    }
  }

  /// How good the model is at the cell, in (0, 1).
  [[nodiscard]] double skill(const spec::Cell& cell) const {
    const double model = 0.95 - 0.09 * static_cast<double>(cell.model);
    const bool flawed = cell.params.prompt.style == suite::PromptStyle::flawed;
    return model * (flawed ? 0.7 : 1.0) * (0.4 + 0.6 * cell.params.tool_success_rate);
  }

  void append_drawn(const spec::Cell& cell, const suite::Task& task, base::RandomStream& random) {
    const bool flawed = cell.params.prompt.style == suite::PromptStyle::flawed;
    const auto steps = static_cast<std::int64_t>(task.plan.size());
    ledger::ScoreRecord score;
    score.trial = trial_;
    score.scorer = score::kScorerVersion;
    score.success = random.uniform() < skill(cell);
    score.progress = score.success ? 1 : static_cast<double>(random.below(4)) / 4;
    score.level = score.success ? "full" : score.progress > 0 ? "partial" : "failure";
    score.tool_coverage = score.progress;
    if (score.success) {
      score.efficiency = 1;
      score.order = 1;
    }
    score.calls_injected = static_cast<std::int64_t>(random.below(3));
    score.calls_rejected = static_cast<std::int64_t>(random.below(2));
    score.calls_ok = score.success ? steps : static_cast<std::int64_t>(random.below(3));
    score.calls = score.calls_ok + score.calls_injected + score.calls_rejected;
    score.clean = score.success && score.calls_rejected == 0;
    score.turns = score.calls + 2 + static_cast<std::int64_t>(random.below(6));
    score.turns_repaired = static_cast<std::int64_t>(random.below(10) == 0 ? 1 : 0);
    constexpr std::array<std::string_view, 5> kLabels = {
        "tool_selection", "parameter_config", "sequence_order", "early_finish", "max_turns"};
    score.label = score.success ? "none" : kLabels[random.below(kLabels.size())];
    if (!score.success) {
      score.label_turn = score.turns - 1;
    }
    if (flawed) {
      score.flawed_places = 1;
      score.followed_places = static_cast<std::int64_t>(random.below(2));
    }
    score.retry_same = score.calls_injected;
    score.retry_arguments = score.retry_tool = score.retry_none = 0;
    if (score.calls > 0) {
      score.calls_per_answer = 1;
    }
    ledger_->append_together({scored("finish"), std::move(score)});
  }

  [[nodiscard]] ledger::OutcomeRecord scored(std::string_view end) const {
    return {
        .trial = trial_, .at = now(), .outcome = "scored", .detail = {}, .end = std::string(end)};
  }

  void append_played(const spec::Cell& cell,
                     const suite::Task& task,
                     const suite::TrialParams& params,
                     base::RandomStream& random) {
    dialogue::Dialogue dialogue(rules_, task, params);
    const std::size_t steps = random.uniform() < skill(cell)
                                  ? task.plan.size()
                                  : static_cast<std::size_t>(random.below(task.plan.size()));
    std::int64_t turn = 0;
    while (std::holds_alternative<dialogue::AskModel>(dialogue.need())) {
      chat::Answer answer = answer_to(task, turn == 0 ? steps : 0, turn > 0, random);
      append_turn(cell, turn++, answer, random);
      dialogue.step(dialogue::Answered{std::move(answer)});
    }
    const dialogue::Transcript& transcript = dialogue.transcript();
    std::vector<ledger::Record> facts;
    facts.emplace_back(scored(dialogue::to_string(transcript.end)));
    facts.emplace_back(
        engine::to_record(trial_, score::score(transcript, task, params, rules_.plans())));
    for (ledger::CallRecord& call : engine::calls_of(trial_, transcript)) {
      facts.emplace_back(std::move(call));
    }
    ledger_->append_together(std::move(facts));
  }

  /// Prose of a model, the task's first `steps` calls, and the end if it is the last answer.
  [[nodiscard]] chat::Answer answer_to(const suite::Task& task,
                                       std::size_t steps,
                                       bool last,
                                       base::RandomStream& random) {
    auto [known, fresh] = handles_.try_emplace(&task);
    if (fresh) {
      known->second = suite::execute_literally(suite_.catalog(), task, task.plan).artifacts;
    }
    std::string commands;
    for (std::size_t i = 0; i < steps; ++i) {
      const suite::Step& step = task.plan[i];
      commands += fmt::format(R"(<use_tool>{{"name":"{}","arguments":{}}}</use_tool>)",
                              step.tool,
                              json::to_text(suite::bound_arguments(step, known->second)));
    }
    if (last) {
      commands = "<finish>done</finish>";
    }
    constexpr std::array<std::string_view, 16> kWords = {"the",
                                                         "step",
                                                         "needs",
                                                         "data",
                                                         "plan",
                                                         "then",
                                                         "file",
                                                         "so",
                                                         "I",
                                                         "call",
                                                         "it",
                                                         "with",
                                                         "result",
                                                         "of",
                                                         "next",
                                                         "tool"};
    chat::Answer answer;
    while (answer.text.size() + commands.size() + 60 < kAnswerBytes) {
      answer.text += fmt::format("{}{} ",
                                 kWords[random.below(kWords.size())],
                                 random.below(8) == 0 ? fmt::to_string(random.below(1000)) : "");
    }
    answer.text += commands;
    answer.usage_reported = true;
    answer.usage = {.input = 800 + static_cast<std::int64_t>(random.below(400)),
                    .output = static_cast<std::int64_t>(answer.text.size() / 4)};
    return answer;
  }

  void append_turn(const spec::Cell& cell,
                   std::int64_t turn,
                   const chat::Answer& answer,
                   base::RandomStream& random) {
    const std::string name = fmt::format("vendor/model-{}", cell.model);
    const std::string route = fmt::format("local/{}/{}", random.below(2) == 0 ? "a" : "b", name);
    std::int64_t number = 0;
    if (random.below(25) == 0) {
      append_attempt(cell, turn, number++, route, name);
      ledger_->append(end_of("throttle", 429, {}, random));
    }
    append_attempt(cell, turn, number, route, name);
    ledger::AttemptEndRecord end = end_of("answered", 200, answer.usage, random);
    end.served_model = name;
    ledger_->append_together(
        {std::move(end),
         ledger::TurnRecord{.trial = trial_,
                            .turn = turn,
                            .attempt = attempt_,
                            .answer = json::to_text(chat::to_json(answer)),
                            .usage = answer.usage,
                            .route = route,
                            .served_model = name,
                            .finish = "stop",
                            .fingerprint = fmt::format("fp_{}", trial_ / 100'000)}});
  }

  void append_attempt(const spec::Cell& cell,
                      std::int64_t turn,
                      std::int64_t number,
                      const std::string& route,
                      const std::string& name) {
    ledger_->append(ledger::AttemptRecord{.id = ++attempt_,
                                          .trial = trial_,
                                          .turn = turn,
                                          .number = number,
                                          .route = route,
                                          .requested_model = topology_.models[cell.model].name,
                                          .api_name = name,
                                          .at = now(),
                                          .request = base::digest_of(fmt::to_string(attempt_)),
                                          .reserved_input = 1500,
                                          .reserved_output = 500,
                                          .reserved_cost = 4000});
  }

  [[nodiscard]] ledger::AttemptEndRecord end_of(std::string cause,
                                                std::int64_t status,
                                                const chat::Usage& usage,
                                                base::RandomStream& random) const {
    const auto duration = static_cast<std::int64_t>(400'000 + random.below(4'000'000));
    return {.attempt = attempt_,
            .at = now() + std::chrono::microseconds(duration),
            .cause = std::move(cause),
            .status = status,
            .code = {},
            .message = {},
            .served_model = {},
            .usage = usage,
            .cost = usage.input + usage.output,
            .billing_known = true,
            .first_byte_us = duration / 2,
            .duration_us = duration};
  }

  Options options_;
  suite::Suite suite_;
  dialogue::Rules rules_;
  spec::Topology topology_;
  spec::Campaign campaign_;
  std::map<const suite::Task*, std::vector<std::string>> handles_;  // of a plan's results
  std::unique_ptr<ledger::Ledger> ledger_;
  ledger::TrialId trial_ = 0;
  ledger::AttemptId attempt_ = 0;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--scores-only") {
      options.scores_only = true;
    } else if (word == "--trials" && i + 1 < argc) {
      const std::string_view number = argv[++i];
      const auto [end, error] =
          std::from_chars(number.data(), number.data() + number.size(), options.trials);
      if (error != std::errc() || end != number.data() + number.size() || options.trials == 0) {
        return std::nullopt;
      }
    } else if (options.directory.empty() && !word.starts_with("-")) {
      options.directory = word;
    } else {
      return std::nullopt;
    }
  }
  return options.directory.empty() ? std::nullopt : std::optional(options);
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options.has_value()) {
    fmt::print(stderr, "usage: make_ledger DIR [--trials N] [--scores-only]\n");
    return 2;
  }
  const base::SystemClock clock;
  const base::Instant begin = clock.now();
  Maker(*options).run();
  fmt::print("{} trials in {:.1f} s\n", options->trials, base::seconds(clock.now() - begin));
  return 0;
}
