#include "sortie/aio/loop.h"
#include "sortie/aio/signals.h"
#include "sortie/analysis/declared.h"
#include "sortie/analysis/summary.h"
#include "sortie/app/budget_options.h"
#include "sortie/app/campaign_setup.h"
#include "sortie/app/command.h"
#include "sortie/app/key_memory.h"
#include "sortie/app/run_options.h"
#include "sortie/base/log.h"
#include "sortie/engine/engine.h"
#include "sortie/http/curl_transport.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/monitor/control_server.h"
#include "sortie/monitor/details.h"
#include "sortie/monitor/status_json.h"
#include "sortie/monitor/terminal.h"
#include "sortie/suite/suite_text.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

namespace sortie::app {

namespace {

struct RunOptions {
  std::string campaign;
  SelectionOptions selection;
  BudgetOptions budget;
  std::size_t in_flight_max = 0;
  std::size_t open_max = kOpenDialoguesMax;
  double patience_minutes = 15;
  bool fresh = false;
  bool retry_losses = false;
  bool share_key = false;
  bool quiet = false;
  bool json = false;
};

/// "runs/name", or with --new the first of "runs/name-2", "runs/name-3", … that does not exist.
std::string directory_of(const RunOptions& options, const spec::Campaign& campaign) {
  std::string directory = options.selection.directory_for(campaign);
  std::error_code error;
  for (int n = 2; options.fresh && std::filesystem::exists(directory, error); ++n) {
    directory = fmt::format("{}-{}", options.selection.directory_for(campaign), n);
  }
  return directory;
}

void append_manifest(ledger::Ledger& ledger, const CampaignSetup& setup) {
  const std::int64_t generation = ledger.next_generation();
  std::vector<std::pair<std::string, std::string>> entries = {
      {"sortie", SORTIE_VERSION},
      {"campaign", setup.campaign.name},
      {"campaign_file_hash", setup.campaign.file_hash.hex()},
      {"campaign_text", setup.campaign.text},
      {"endpoints_file_hash", setup.topology.file_hash.hex()},
      {"endpoints_text", setup.topology.text},
      {"suite", setup.suite.name()},
      {"seed", fmt::to_string(setup.campaign.seed)},
      {analysis::kDeclaredEntry, analysis::declared_text(setup.campaign, setup.topology)},
      {"world_version", setup.suite.catalog().version().hex()},
      {"dialogue_version", setup.rules->version().hex()},
  };
  if (!setup.suite.built_in()) {
    // The folder may change or go: the run keeps what it was.
    entries.emplace_back("suite_text", suite::suite_text(setup.suite));
  }
  for (const auto& [name, value] : entries) {
    ledger.append(ledger::ManifestRecord{.generation = generation, .name = name, .value = value});
  }
}

/// One run in this process: owns every part and joins them.
class RunSession {
 public:
  RunSession(const RunOptions& options, std::unique_ptr<CampaignSetup> setup)
      : options_(options), setup_(std::move(setup)), loop_(aio::Loop::real()) {}

  base::Status open() {
    directory_ = directory_of(options_, setup_->campaign);
    TRY_ASSIGN(const spec::Budget budget,
               options_.budget.budget(setup_->topology, setup_->campaign));
    TRY(resolve_secrets(setup_->topology,
                        models_used(setup_->topology, setup_->campaign),
                        setup_->secrets,
                        setup_->scrubber));
    TRY_ASSIGN(ledger_,
               ledger::Ledger::open(directory_, {}, [this](base::Result<ledger::Sequence> outcome) {
                 if (engine_ != nullptr) {
                   engine_->committed(std::move(outcome));
                 }
               }));
    // After the run's own lock: who starts a run twice is told so.
    if (!options_.share_key) {
      TRY_ASSIGN(key_locks_,
                 lock_keys(setup_->topology, setup_->secrets, directory_, loop_->clock().wall()));
    }
    TRY_ASSIGN(reader_, ledger::Reader::open(directory_));
    TRY_ASSIGN(auto history,
               engine::read_history(setup_->context(), *reader_, options_.retry_losses));
    TRY_ASSIGN(log_,
               base::Log::open({.path = (std::filesystem::path(directory_) / "log.jsonl").string()},
                               setup_->scrubber));
    transport_ = std::make_unique<http::CurlTransport>(*loop_, http::CurlTransport::Options{});
    engine::EngineOptions engine_options;
    engine_options.scheduling.in_flight_max = options_.in_flight_max;
    engine_options.scheduling.seed = setup_->campaign.seed;
    engine_options.patience = base::from_seconds(options_.patience_minutes * 60);
    engine_options.retry_losses = options_.retry_losses;
    engine_options.open_max = options_.open_max;
    set_budget(budget, engine_options);
    // Without it learning begins anew: no reason to stop.
    if (const auto remembered = recall_limits(setup_->topology, setup_->secrets)) {
      engine_options.scheduling.remembered = memory_of(*remembered);
    }
    engine_ = std::make_unique<engine::Engine>(setup_->context(),
                                               engine::EngineParts{.loop = loop_.get(),
                                                                   .transport = transport_.get(),
                                                                   .ledger = ledger_.get(),
                                                                   .reader = reader_.get(),
                                                                   .log = log_.get(),
                                                                   .scrubber = &setup_->scrubber},
                                               engine_options,
                                               std::move(history));
    append_manifest(*ledger_, *setup_);
    listen();
    return {};
  }

  engine::RunResult run() {
    aio::Loop::Work work(*loop_);
    monitor::Terminal terminal(*loop_, stderr, [this] { return engine_->status(); });
    const aio::SignalWatch signals(*loop_, [this](int count) {
      if (count == 1) {
        engine_->request_stop();
        return;
      }
      // What has arrived is committed; nothing else is waited for.
      static_cast<void>(ledger_->flush());
      std::_Exit(kInterrupted);
    });
    std::optional<engine::RunResult> result;
    engine_->start([&](engine::RunResult ended) {
      result = std::move(ended);
      loop_->stop();
    });
    if (!options_.quiet) {
      terminal.start();
    }
    if (!result.has_value()) {
      loop_->run();
    }
    terminal.stop();
    control_.reset();
    remember();
    work.release();
    return result.value_or(
        engine::RunResult{.end = engine::RunEnd::failed, .message = "the loop ended early"});
  }

  [[nodiscard]] base::Result<analysis::Summary> summary() { return analysis::summarize(*reader_); }

  [[nodiscard]] const std::string& directory() const { return directory_; }

  [[nodiscard]] engine::RunStatus status() const { return engine_->status(); }

 private:
  void set_budget(const spec::Budget& budget, engine::EngineOptions& options) {
    if (budget.max_cost_usd.has_value()) {
      options.funds.cost = std::llround(*budget.max_cost_usd * 1e6);
    }
    options.funds.tokens = budget.max_tokens;
    if (budget.deadline.has_value()) {
      options.deadline = spec::end_of(*budget.deadline, loop_->clock().wall());
    }
  }

  /// For the next run and for plans. A memory that cannot be written loses only time.
  void remember() {
    const base::Status kept = remember_limits(setup_->topology, setup_->secrets, engine_->status());
    if (!kept.has_value()) {
      log_->warning("limits_not_remembered", {{"message", kept.error().message}});
    }
  }

  /// A run without its socket cannot be steered, but it can go on.
  void listen() {
    auto control = monitor::ControlServer::listen(
        *loop_,
        directory_,
        {.status = [this] { return engine_->status(); },
         .control =
             [this](const engine::ControlCommand& command) { return engine_->control(command); }});
    if (control.has_value()) {
      control_ = std::move(*control);
      return;
    }
    log_->warning("no_control_socket", {{"message", control.error().message}});
    fmt::print(stderr, "sortie: this run cannot be controlled: {}\n", control.error().message);
  }

  const RunOptions& options_;
  std::unique_ptr<CampaignSetup> setup_;
  std::unique_ptr<aio::Loop> loop_;
  std::string directory_;
  std::vector<ledger::FileLock> key_locks_;
  std::unique_ptr<ledger::Reader> reader_;
  std::unique_ptr<base::Log> log_;
  std::unique_ptr<wire::Transport> transport_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<monitor::ControlServer> control_;
  // Declared last: its writer thread, which calls the engine, ends first.
  std::unique_ptr<ledger::Ledger> ledger_;
};

int exit_code_of(engine::RunEnd end) {
  switch (end) {
    case engine::RunEnd::complete:
      return kDone;
    case engine::RunEnd::with_losses:
    case engine::RunEnd::budget_used:
    case engine::RunEnd::deadline:
    case engine::RunEnd::drained:
      return kLosses;
    case engine::RunEnd::interrupted:
      return kInterrupted;
    case engine::RunEnd::failed:
      return kRefused;
  }
  return kRefused;
}

std::string_view to_string(engine::RunEnd end) {
  switch (end) {
    case engine::RunEnd::complete:
      return "complete";
    case engine::RunEnd::with_losses:
      return "with_losses";
    case engine::RunEnd::budget_used:
      return "budget_used";
    case engine::RunEnd::deadline:
      return "deadline";
    case engine::RunEnd::drained:
      return "drained";
    case engine::RunEnd::interrupted:
      return "interrupted";
    case engine::RunEnd::failed:
      return "failed";
  }
  return "failed";
}

std::string ending(const engine::RunResult& result,
                   const std::string& directory,
                   const std::string& campaign) {
  switch (result.end) {
    case engine::RunEnd::complete:
      return fmt::format(
          "Complete. Ledger {0}/ledger.db\nNext: sortie report {0}   sortie status {0}   sortie "
          "verify {0}\n",
          directory);
    case engine::RunEnd::with_losses:
      return fmt::format(
          "Finished with losses: {}.\nSee: sortie status {}\nWhen the cause is mended: sortie run "
          "{} --retry-losses\n",
          result.message,
          directory,
          campaign);
    case engine::RunEnd::budget_used:
      return fmt::format("Stopped: {}.\nGo on with a higher budget: sortie run {} --max-cost …\n",
                         result.message,
                         campaign);
    case engine::RunEnd::deadline:
    case engine::RunEnd::drained:
      return fmt::format("Stopped: {}. What was begun is saved.\nGo on with: sortie run {}\n",
                         result.message,
                         campaign);
    case engine::RunEnd::interrupted:
      return fmt::format(
          "Interrupted; everything that was answered is saved. Go on with: sortie run {}\n",
          campaign);
    case engine::RunEnd::failed:
      return fmt::format(
          "Stopped: {}. Finished work is safe; once mended, go on with: sortie run {}\n",
          result.message,
          campaign);
  }
  return {};
}

int run(const RunOptions& options) {
  auto setup = load_setup(options.campaign, options.selection.overrides());
  if (!setup.has_value()) {
    return fail(setup.error(), options.json);
  }
  RunSession session(options, std::move(*setup));
  if (const base::Status opened = session.open(); !opened.has_value()) {
    return fail(opened.error(), options.json);
  }
  const engine::RunResult result = session.run();
  const auto summary = session.summary();
  if (!summary.has_value()) {
    return fail(summary.error(), options.json);
  }
  if (options.json) {
    const engine::RunStatus status = session.status();
    print_json(
        json::Object{{"run", session.directory()},
                     {"end", to_string(result.end)},
                     {"message", result.message},
                     {"planned", status.planned()},
                     {"scored", status.scored()},
                     {"lost", status.lost()},
                     {"attempts", status.attempts},
                     {"turns", status.turns},
                     {"seconds", base::seconds(status.elapsed)},
                     {"cost_micro_usd", status.cost_micro_usd},
                     {"budget", monitor::to_json(status.budget)},
                     {"speed", status.speed.has_value() ? engine::to_json(*status.speed) : nullptr},
                     {"tables", analysis::to_json(*summary)}});
  } else {
    print_text(fmt::format("\n{}\n{}{}",
                           analysis::to_text(*summary),
                           monitor::speed_text(session.status().speed),
                           ending(result, session.directory(), options.campaign)));
  }
  return exit_code_of(result.end);
}

}  // namespace

void add_run(CLI::App& root, Action& action) {
  const auto options = std::make_shared<RunOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("run", "Run or continue a campaign: the same command, idempotent");
  command->add_option("CAMPAIGN", options->campaign, "Campaign file")->required();
  add_selection(*command, options->selection);
  add_budget(*command, options->budget);
  command->add_option(
      "--in-flight", options->in_flight_max, "At most this many requests at once over all routes");
  command->add_option("--open", options->open_max, "At most this many dialogues open at once")
      ->capture_default_str();
  command
      ->add_option("--patience",
                   options->patience_minutes,
                   "Minutes without a usable route before the run gives up")
      ->capture_default_str();
  command->add_flag("--new", options->fresh, "Start a new run directory beside an existing one");
  command->add_flag(
      "--retry-losses", options->retry_losses, "Give trials lost to infrastructure another budget");
  command->add_flag("--share-key",
                    options->share_key,
                    "Use keys that another process uses: give each a part of the limits");
  command->add_flag("--quiet", options->quiet, "No live view");
  command->add_flag("--json", options->json, "Print one JSON document at the end");
  command->footer(
      "Example:  sortie run sortie.yaml\n"
      "Ctrl-C once: take no more work, save, end within a second. Twice: end at once. Neither "
      "loses a finished turn.\n"
      "With a budget no request is sent that could exceed it; the same command with more goes on.\n"
      "Steer it while it runs: sortie status RUN, sortie control RUN --help");
  command->callback([&action, options] { action = [options] { return run(*options); }; });
}

}  // namespace sortie::app
