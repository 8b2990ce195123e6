#include "sortie/aio/loop.h"
#include "sortie/aio/signals.h"
#include "sortie/app/budget_options.h"
#include "sortie/app/campaign_setup.h"
#include "sortie/app/command.h"
#include "sortie/app/detach.h"
#include "sortie/app/key_memory.h"
#include "sortie/app/reuse_options.h"
#include "sortie/app/run_ending.h"
#include "sortie/app/run_options.h"
#include "sortie/app/run_session.h"
#include "sortie/app/web_page.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"
#include "sortie/engine/dispatcher.h"
#include "sortie/http/curl_transport.h"
#include "sortie/ledger/lock.h"
#include "sortie/monitor/terminal.h"
#include "sortie/spec/budget.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct RunOptions {
  std::vector<std::string> campaigns;
  SelectionOptions selection;
  BudgetOptions budget;
  std::vector<std::string> reuse;
  std::size_t in_flight_max = 0;
  std::size_t open_max = kOpenDialoguesMax;
  double patience_minutes = 15;
  bool fresh = false;
  bool retry_losses = false;
  bool share_key = false;
  bool serve = false;
  PageOptions page;
  bool detach = false;
  bool quiet = false;
  bool json = false;
  std::string log_level = "info";
  std::string capture = "none";
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

/// Each campaign has a run directory of its own.
base::Result<std::vector<std::string>> directories_of(const RunOptions& options,
                                                      const CampaignSet& set) {
  if (set.campaigns.size() > 1 && !options.selection.directory.empty()) {
    return base::bad_input(
        "--dir names one run directory, and these are several campaigns; each gets runs/NAME");
  }
  std::vector<std::string> directories;
  for (std::size_t i = 0; i < set.campaigns.size(); ++i) {
    std::string directory = directory_of(options, set.campaigns[i]->campaign);
    const auto same = std::ranges::find(directories, directory);
    if (same != directories.end()) {
      return base::bad_input(fmt::format(
          "{} and {} are both named '{}', so both would write to {}; give one another name:",
          options.campaigns[static_cast<std::size_t>(same - directories.begin())],
          options.campaigns[i],
          set.campaigns[i]->campaign.name,
          directory));
    }
    directories.push_back(std::move(directory));
  }
  return directories;
}

engine::FundLimits funds_of(const spec::Budget& budget) {
  engine::FundLimits funds;
  if (budget.max_cost_usd.has_value()) {
    funds.cost = std::llround(*budget.max_cost_usd * 1e6);
  }
  funds.tokens = budget.max_tokens;
  return funds;
}

/// What flags and files allow. One campaign: the flags win over its file. Several: the flags hold
/// for all together, beside what each file says of its own.
struct Budgets {
  spec::Budget common;            // of several campaigns; else empty
  std::vector<spec::Budget> own;  // by campaign
  std::optional<base::WallTime> deadline_of_all;

  static base::Result<Budgets> of(const RunOptions& options,
                                  const CampaignSet& set,
                                  base::WallTime now) {
    Budgets budgets;
    TRY_ASSIGN(const spec::Budget given, options.budget.given());
    const bool several = set.campaigns.size() > 1;
    for (const auto& setup : set.campaigns) {
      const spec::Budget& file = setup->campaign.budget;
      budgets.own.push_back(several ? file : spec::merged(given, file));
      if (budgets.own.back().max_cost_usd.has_value() || given.max_cost_usd.has_value()) {
        TRY(spec::check_prices(set.topology, setup->campaign));
      }
    }
    if (several) {
      budgets.common = given;
      if (given.deadline.has_value()) {
        budgets.deadline_of_all = spec::end_of(*given.deadline, now);
      }
    }
    return budgets;
  }

  [[nodiscard]] std::optional<base::WallTime> deadline(std::size_t campaign,
                                                       base::WallTime now) const {
    const auto& own_deadline = own[campaign].deadline;
    if (!own_deadline.has_value()) {
      return deadline_of_all;
    }
    const base::WallTime end = spec::end_of(*own_deadline, now);
    return std::min(end, deadline_of_all.value_or(end));
  }
};

/// The campaigns of this process: owns what they have in common, and their sessions.
class RunGroup {
 public:
  RunGroup(const RunOptions& options, std::unique_ptr<CampaignSet> set)
      : options_(options), set_(std::move(set)), loop_(aio::Loop::real()) {}

  base::Status open() {
    const base::WallTime now = loop_->clock().wall();
    TRY_ASSIGN(const std::vector<std::string> directories, directories_of(options_, *set_));
    TRY_ASSIGN(const Budgets budgets, Budgets::of(options_, *set_, now));
    TRY(resolve_secrets(*set_));
    TRY(check_key_names(*set_));
    transport_ = std::make_unique<http::CurlTransport>(*loop_, http::CurlTransport::Options{});
    dispatcher_ = std::make_unique<engine::Dispatcher>(
        set_->topology, *loop_, dispatcher_options(budgets.common));
    TRY_ASSIGN(reuse_, open_reuse(options_.reuse, directories));
    const RunFloor floor{
        .set = set_.get(),
        .loop = loop_.get(),
        .transport = transport_.get(),
        .dispatcher = dispatcher_.get(),
        .log_level = base::log_level_from(options_.log_level).value_or(base::LogLevel::info),
        .capture = capture_from(options_.capture).value_or(Capture::none),
        .reuse = &reuse_};
    for (std::size_t i = 0; i < directories.size(); ++i) {
      sessions_.push_back(std::make_unique<RunSession>(floor, i, directories[i]));
      TRY(sessions_.back()->open_ledger());
    }
    if (!options_.share_key) {
      TRY_ASSIGN(key_locks_,
                 lock_keys(set_->topology, set_->secrets, base::join(directories, " and "), now));
    }
    for (std::size_t i = 0; i < sessions_.size(); ++i) {
      engine::EngineOptions engine_options;
      engine_options.patience = base::from_seconds(options_.patience_minutes * 60);
      engine_options.retry_losses = options_.retry_losses;
      engine_options.funds = funds_of(budgets.own[i]);
      engine_options.deadline = budgets.deadline(i, now);
      TRY(sessions_[i]->open(engine_options));
    }
    reuse_.clear();  // no snapshot is held while the run goes on
    tell_reuse();
    return options_.serve ? serve() : base::Status();
  }

  void run() {
    aio::Loop::Work work(*loop_);
    monitor::Terminal terminal(*loop_, stderr, [this] { return statuses(); });
    // Until all is closed: a second Ctrl-C at the very end must not take the exit code away.
    signals_.emplace(*loop_, [this](int count) {
      for (const auto& session : sessions_) {
        count == 1 ? session->request_stop() : session->save();
      }
      if (count > 1) {
        std::_Exit(kInterrupted);
      }
    });
    std::size_t running = sessions_.size();
    for (const auto& session : sessions_) {
      session->start([this, &running] {
        if (--running == 0) {
          loop_->stop();
        }
      });
    }
    if (!options_.quiet && !options_.detach) {
      terminal.start();
    }
    if (running > 0) {
      loop_->run();
    }
    terminal.stop();
    for (const auto& session : sessions_) {
      session->stop_listening();
    }
    page_.reset();
    remember();
    work.release();
  }

  [[nodiscard]] std::vector<std::string> directories() const {
    std::vector<std::string> directories;
    for (const auto& session : sessions_) {
      directories.push_back(session->directory());
    }
    return directories;
  }

  [[nodiscard]] base::Result<std::vector<RunOutcome>> outcomes() {
    std::vector<RunOutcome> outcomes;
    for (std::size_t i = 0; i < sessions_.size(); ++i) {
      const auto& session = sessions_[i];
      TRY_ASSIGN(analysis::Summary summary, session->summary());
      TRY_ASSIGN(auto reused, session->reused());
      outcomes.push_back({.directory = session->directory(),
                          .again = command_again(i),
                          .result = session->result(),
                          .status = session->status(),
                          .summary = std::move(summary),
                          .reused = std::move(reused)});
    }
    return outcomes;
  }

 private:
  /// What goes on with a campaign's run, as one types it: with --new that is its directory alone.
  [[nodiscard]] std::string command_again(std::size_t campaign) const {
    const std::string& directory = sessions_[campaign]->directory();
    const std::string usual = SelectionOptions().directory_for(set_->campaigns[campaign]->campaign);
    return fmt::format(
        "sortie run {}{}{}",
        options_.fresh ? options_.campaigns[campaign] : base::join(options_.campaigns, " "),
        options_.selection.words(),
        directory == usual ? "" : " --dir " + directory);
  }

  void tell_reuse() const {
    for (const auto& session : sessions_) {
      if (!options_.quiet && !session->reuse_text().empty()) {
        print_aside(base::printable(sessions_.size() > 1
                                        ? session->name() + ": " + session->reuse_text()
                                        : session->reuse_text()));
      }
    }
  }

  [[nodiscard]] engine::DispatcherOptions dispatcher_options(const spec::Budget& common) const {
    engine::DispatcherOptions options;
    options.scheduling.in_flight_max = options_.in_flight_max;
    options.scheduling.seed = set_->campaigns.front()->campaign.seed;
    options.open_max = options_.open_max;
    options.funds = funds_of(common);
    // Without it learning begins anew: no reason to stop.
    if (const auto remembered =
            recall_limits(set_->topology, set_->secrets, loop_->clock().wall())) {
      options.scheduling.remembered = memory_of(*remembered);
    }
    return options;
  }

  [[nodiscard]] std::vector<engine::RunStatus> statuses() const {
    std::vector<engine::RunStatus> statuses;
    for (const auto& session : sessions_) {
      statuses.push_back(session->status());
    }
    return statuses;
  }

  /// Who asked for a page gets it, or is told why not before anything is sent.
  base::Status serve() {
    std::vector<monitor::RunPlace> places;
    for (const auto& session : sessions_) {
      const std::vector<monitor::RunPlace> own = monitor::find_runs(session->directory());
      places.insert(places.end(), own.begin(), own.end());
    }
    TRY_ASSIGN(page_, WebPage::open(*loop_, options_.page, [places] { return places; }));
    for (std::size_t i = 0; i < std::min(places.size(), sessions_.size()); ++i) {
      page_->server().add_live(places[i].name, sessions_[i]->live_source());
    }
    print_aside(fmt::format("Page  {}\n", page_->server().link()));
    return {};
  }

  /// For the next run and for plans. A memory that cannot be written loses only time.
  void remember() {
    const base::Status kept =
        remember_limits(set_->topology,
                        set_->secrets,
                        {.in_force = dispatcher_->limits(), .shared = dispatcher_->shared_limits()},
                        loop_->clock().wall());
    if (!kept.has_value()) {
      sessions_.front()->log().warning("limits_not_remembered",
                                       {{"message", kept.error().message}});
    }
  }

  const RunOptions& options_;
  std::unique_ptr<CampaignSet> set_;
  std::unique_ptr<aio::Loop> loop_;
  std::optional<aio::SignalWatch> signals_;  // outlives what is closed at the end
  std::vector<ledger::FileLock> key_locks_;
  std::vector<engine::ReuseSource> reuse_;
  std::unique_ptr<wire::Transport> transport_;
  std::unique_ptr<engine::Dispatcher> dispatcher_;
  std::vector<std::unique_ptr<RunSession>> sessions_;
  std::unique_ptr<WebPage> page_;
};

/// Of a detached run, what it would have written to the terminal.
std::string output_of(const std::string& directory) {
  return directory + "/log/output.txt";
}

/// With `detachment` it leaves the terminal once nothing stands in its way any more.
int run_here(const RunOptions& options, Detachment* detachment) {
  auto set = load_set(options.campaigns, options.selection.overrides());
  if (!set.has_value()) {
    return fail(set.error(), options.json);
  }
  RunGroup group(options, std::move(*set));
  if (const base::Status opened = group.open(); !opened.has_value()) {
    return fail(opened.error(), options.json);
  }
  if (detachment != nullptr) {
    const std::vector<std::string> directories = group.directories();
    const base::Status left =
        detachment->leave(output_of(directories.front()), base::join(directories, "\n"));
    if (!left.has_value()) {
      return fail(left.error(), options.json);
    }
  }
  group.run();
  const auto outcomes = group.outcomes();
  if (!outcomes.has_value()) {
    return fail(outcomes.error(), options.json);
  }
  if (options.json) {
    print_json(to_json(*outcomes));
  } else {
    print_text(to_text(*outcomes));
  }
  return exit_code_of(*outcomes);
}

/// What the terminal is told of a run that left it.
int tell_detached(const Detachment::Child& child, bool json) {
  const std::vector<std::string_view> directories = base::split(child.word, '\n');
  const std::string output = output_of(std::string(directories.front()));
  if (json) {
    print_json(json::Object{{"process", child.process},
                            {"runs", json::Array(directories.begin(), directories.end())},
                            {"output", output}});
    return kDone;
  }
  std::string text =
      fmt::format("goes on as process {}; its last words will be in {}\n", child.process, output);
  for (const std::string_view directory : directories) {
    text += fmt::format("  sortie status {0}    sortie control {0} drain    sortie top {0}\n",
                        directory);
  }
  print_text(text);
  return kDone;
}

int run(const RunOptions& options) {
  if (!options.detach) {
    return run_here(options, nullptr);
  }
  const auto parted = Detachment::part();
  if (!parted.has_value()) {
    return fail(parted.error(), options.json);
  }
  if (const auto* here = std::get_if<std::unique_ptr<Detachment>>(&*parted)) {
    return run_here(options, here->get());
  }
  const auto& child = std::get<Detachment::Child>(*parted);
  return child.exit_code.has_value() ? *child.exit_code : tell_detached(child, options.json);
}

}  // namespace

void add_run(CLI::App& root, Action& action) {
  const auto options = std::make_shared<RunOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "run", "Run or continue campaigns: the same command, idempotent. Several share all limits");
  command
      ->add_option("CAMPAIGN",
                   options->campaigns,
                   "Campaign file; of several, each keeps its own run directory")
      ->required();
  add_selection(*command, options->selection);
  add_budget(*command, options->budget);
  add_reuse(*command, options->reuse);
  command
      ->add_option("--in-flight",
                   options->in_flight_max,
                   "At most this many requests at once over all routes")
      ->check(&problem_of_count);
  command->add_option("--open", options->open_max, "At most this many dialogues open at once")
      ->check(&problem_of_count)
      ->capture_default_str();
  command
      ->add_option("--patience",
                   options->patience_minutes,
                   "Minutes without a sign of life from any route before the run gives up; failed "
                   "connections and server errors are none")
      ->check(&problem_of_amount)
      ->capture_default_str();
  command->add_flag("--new", options->fresh, "Start a new run directory beside an existing one");
  command->add_flag(
      "--retry-losses", options->retry_losses, "Give trials lost to infrastructure another budget");
  command->add_flag("--share-key",
                    options->share_key,
                    "Use keys that another process uses: give each a part of the limits");
  command
      ->add_option(
          "--log-level",
          options->log_level,
          "What RUN/log/run.jsonl holds at least: debug (every request), info, warning, error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  command
      ->add_option("--capture",
                   options->capture,
                   "Keep whole exchanges in RUN/capture, without secrets: none, failures, all")
      ->check(CLI::IsMember({"none", "failures", "all"}))
      ->capture_default_str();
  command->add_flag("--serve", options->serve, "Show the run on a web page of this machine alone");
  add_page_options(*command, options->page, "serve-");
  command->add_flag("--detach",
                    options->detach,
                    "Go on without the terminal once the run has begun; what it would print at its "
                    "end goes to RUN/log/output.txt");
  command->add_flag("--quiet", options->quiet, "No live view");
  command->add_flag("--json", options->json, "Print one JSON document at the end");
  command->footer(
      "Example:  sortie run sortie.yaml\n"
      "Ctrl-C once: take no more work, save, end within a second. Twice: end at once. Neither "
      "loses a finished turn.\n"
      "With --reuse runs/a runs/b the scored trials of those runs that this campaign plans too are "
      "copied, with their\norigin; their cost is shown apart. sortie plan --reuse says how many.\n"
      "With a budget no request is sent that could exceed it; the same command with more goes on.\n"
      "Steer it while it runs: sortie status RUN, sortie control RUN --help\n"
      "Several campaigns in one command never exceed a limit together and end together; "
      "'priority:' "
      "and 'guaranteed:'\nin their files change that. --max-cost and --max-tokens hold for all of "
      "them together, beside each file's budget;\n--deadline for each; --in-flight and --open for "
      "all together; the other options for each. Exit code: the worst.");
  command->callback([&action, options] { action = [options] { return run(*options); }; });
}

}  // namespace sortie::app
