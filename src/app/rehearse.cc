#include "sortie/aio/loop.h"
#include "sortie/analysis/text_table.h"
#include "sortie/app/campaign_setup.h"
#include "sortie/app/command.h"
#include "sortie/app/key_memory.h"
#include "sortie/app/run_options.h"
#include "sortie/base/error.h"
#include "sortie/base/log.h"
#include "sortie/base/time.h"
#include "sortie/engine/dispatcher.h"
#include "sortie/engine/engine.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/monitor/details.h"
#include "sortie/monitor/status_json.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/transport.h"
#include "sortie/wire/url.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

// Whole campaigns in virtual time: the engine, the scheduler, the dialogues and a ledger each
// in a temporary folder are those of `run`; only the sockets and the clock are replaced. Nothing is
// sent and nothing is kept, so that no simulated answer can ever be taken for a paid one.

namespace sortie::app {

namespace {

constexpr int kFilesMax = 1000;

struct RehearseOptions {
  std::vector<std::string> files;  // campaigns, then the profile
  SelectionOptions selection;
  std::size_t in_flight_max = 0;
  std::size_t open_max = kOpenDialoguesMax;
  bool json = false;

  [[nodiscard]] std::vector<std::string> campaigns() const {
    return {files.begin(), files.end() - 1};
  }
};

/// A folder that goes with the object.
class TemporaryFolder {
 public:
  static base::Result<TemporaryFolder> make() {
    std::error_code error;
    const std::filesystem::path base = std::filesystem::temp_directory_path(error);
    std::string pattern = (base / "sortie-rehearsal-XXXXXX").string();
    if (error || ::mkdtemp(pattern.data()) == nullptr) {
      const std::error_code reason = error ? error : std::error_code(errno, std::system_category());
      return base::failure(
          base::Remedy::fail_campaign,
          base::ErrorCode::io,
          fmt::format("no temporary folder at '{}': {}", pattern, reason.message()));
    }
    return TemporaryFolder(std::move(pattern));
  }

  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}

  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

  TemporaryFolder& operator=(TemporaryFolder&&) = delete;

  ~TemporaryFolder() {
    std::error_code error;
    if (!path_.empty()) {
      std::filesystem::remove_all(path_, error);
    }
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using Providers = std::vector<std::unique_ptr<sim::SimulatedProvider>>;

struct Rehearsed {
  engine::RunResult result;
  engine::RunStatus status;
};

struct Rehearsal {
  std::vector<Rehearsed> campaigns;
  Providers providers;
  double seconds = 0;  // until the last one ended

  [[nodiscard]] bool is_complete() const {
    return std::ranges::all_of(
        campaigns, [](const Rehearsed& one) { return one.result.end == engine::RunEnd::complete; });
  }
};

/// One campaign with its ledger, beside the others.
class Player {
 public:
  static base::Result<std::unique_ptr<Player>> make() {
    TRY_ASSIGN(TemporaryFolder folder, TemporaryFolder::make());
    auto player = std::make_unique<Player>(std::move(folder));
    TRY_ASSIGN(player->ledger_,
               ledger::Ledger::open(player->folder_.path(),
                                    {.mode = ledger::CommitMode::inline_},
                                    [one = player.get()](base::Result<ledger::Sequence> outcome) {
                                      if (one->engine_ != nullptr) {
                                        one->engine_->committed(std::move(outcome));
                                      }
                                    }));
    TRY_ASSIGN(player->reader_, ledger::Reader::open(player->folder_.path()));
    return player;
  }

  explicit Player(TemporaryFolder folder) : folder_(std::move(folder)) {}

  base::Status join(const CampaignSet& set,
                    std::size_t campaign,
                    aio::Loop& loop,
                    wire::Transport& transport,
                    engine::Dispatcher& dispatcher) {
    TRY_ASSIGN(auto history, engine::read_history(set.context(campaign), *reader_, false));
    engine_ = std::make_unique<engine::Engine>(set.context(campaign),
                                               engine::EngineParts{.loop = &loop,
                                                                   .dispatcher = &dispatcher,
                                                                   .transport = &transport,
                                                                   .ledger = ledger_.get(),
                                                                   .reader = reader_.get(),
                                                                   .log = log_.get(),
                                                                   .scrubber = &set.scrubber},
                                               engine::EngineOptions{},
                                               std::move(history));
    return {};
  }

  void start(std::function<void()> on_end) {
    engine_->start([this, on_end = std::move(on_end)](engine::RunResult ended) {
      result_ = std::move(ended);
      on_end();
    });
  }

  [[nodiscard]] Rehearsed outcome() const {
    return {.result = result_, .status = engine_->status()};
  }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<ledger::Reader> reader_;
  std::unique_ptr<base::Log> log_ = base::Log::discard();
  engine::RunResult result_{.end = engine::RunEnd::failed, .message = "the loop ran dry"};
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<ledger::Ledger> ledger_;
};

/// Each endpoint talks to the provider of its name, or to the one that listens at its address.
base::Status connect(const spec::Topology& topology,
                     const Providers& providers,
                     sim::SimTransport& transport) {
  for (const auto& provider : providers) {
    transport.add(*provider);
  }
  for (const spec::Endpoint& endpoint : topology.endpoints) {
    TRY_ASSIGN(const wire::Url url, wire::parse_url(endpoint.base_url));
    for (const auto& provider : providers) {
      if (provider->profile().name == endpoint.name) {
        transport.add(url.authority(), *provider);
      }
    }
  }
  return {};
}

/// A simulated model recognises the tasks of one suite.
base::Status check_one_suite(const CampaignSet& set) {
  const suite::Suite& first = set.campaigns.front()->suite;
  for (const auto& setup : set.campaigns) {
    if (setup->suite.name() != first.name()) {
      return base::bad_input(
          fmt::format("{}: suite '{}', but {} has '{}': a rehearsal plays campaigns of one suite",
                      setup->campaign.file,
                      setup->suite.name(),
                      set.campaigns.front()->campaign.file,
                      first.name()));
    }
  }
  return {};
}

base::Result<Rehearsal> rehearse_campaigns(const RehearseOptions& options) {
  TRY_ASSIGN(const auto set, load_set(options.campaigns(), options.selection.overrides()));
  TRY(check_one_suite(*set));
  TRY_ASSIGN(const sim::Profile profile, sim::load_profile(options.files.back()));
  TRY(resolve_secrets(*set));
  TRY(check_key_names(*set));
  Rehearsal rehearsal;
  for (const sim::ProviderProfile& provider : profile.providers) {
    rehearsal.providers.push_back(std::make_unique<sim::SimulatedProvider>(
        provider, profile.seed, set->campaigns.front()->suite));
  }
  const std::unique_ptr<aio::Loop> loop = aio::Loop::virtual_time();
  sim::SimTransport transport(*loop);
  TRY(connect(set->topology, rehearsal.providers, transport));
  engine::DispatcherOptions dispatcher_options;
  dispatcher_options.open_max = options.open_max;
  dispatcher_options.scheduling.in_flight_max = options.in_flight_max;
  dispatcher_options.scheduling.seed = set->campaigns.front()->campaign.seed;
  engine::Dispatcher dispatcher(set->topology, *loop, dispatcher_options);
  std::vector<std::unique_ptr<Player>> players;
  for (std::size_t i = 0; i < set->campaigns.size(); ++i) {
    TRY_ASSIGN(auto player, Player::make());
    TRY(player->join(*set, i, *loop, transport, dispatcher));
    players.push_back(std::move(player));
  }
  const base::Instant begin = loop->now();
  std::size_t running = players.size();
  for (const auto& player : players) {
    player->start([&] {
      rehearsal.seconds = base::seconds(loop->now() - begin);
      if (--running == 0) {
        loop->stop();
      }
    });
  }
  loop->run();
  for (const auto& player : players) {
    rehearsal.campaigns.push_back(player->outcome());
  }
  return rehearsal;
}

std::uint64_t requests_of(const Rehearsal& rehearsal) {
  std::uint64_t requests = 0;
  for (const auto& provider : rehearsal.providers) {
    requests += provider->bill().requests;
  }
  return requests;
}

/// Routes are those of all campaigns that use them.
std::uint64_t refused_of(const Rehearsal& rehearsal) {
  std::map<std::string, std::uint64_t> refused;
  for (const Rehearsed& one : rehearsal.campaigns) {
    for (const engine::RouteProgress& route : one.status.routes) {
      refused[route.route] = route.throttled;
    }
  }
  std::uint64_t sum = 0;
  for (const auto& [_, count] : refused) {
    sum += count;
  }
  return sum;
}

json::Object to_json(const Rehearsed& one) {
  const engine::RunStatus& status = one.status;
  return {{"complete", one.result.end == engine::RunEnd::complete},
          {"message", one.result.message},
          {"planned", status.planned()},
          {"scored", status.scored()},
          {"lost", status.lost()},
          {"seconds", base::seconds(status.elapsed)}};
}

json::Object to_json(const Rehearsal& rehearsal) {
  json::Array limits;
  for (const auto& provider : rehearsal.providers) {
    for (const sim::PoolReport& pool : provider->limits()) {
      limits.push_back(json::Object{{"provider", provider->profile().name},
                                    {"limit", pool.name},
                                    {"dimension", sim::to_string(pool.dimension)},
                                    {"quota", pool.quota},
                                    {"admitted", pool.admitted},
                                    {"refused", pool.refused},
                                    {"early_arrivals", pool.early_arrivals}});
    }
  }
  json::Array campaigns;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost = 0;
  for (const Rehearsed& one : rehearsal.campaigns) {
    json::Object document = to_json(one);
    document["campaign"] = one.status.run;
    campaigns.push_back(std::move(document));
    input_tokens += one.status.input_tokens;
    output_tokens += one.status.output_tokens;
    cost += one.status.cost_micro_usd;
  }
  const bool several = rehearsal.campaigns.size() > 1;
  json::Object document =
      several ? json::Object{{"complete", rehearsal.is_complete()}, {"seconds", rehearsal.seconds}}
              : to_json(rehearsal.campaigns.front());
  document["requests"] = requests_of(rehearsal);
  document["rejected"] = refused_of(rehearsal);
  document["input_tokens"] = input_tokens;
  document["output_tokens"] = output_tokens;
  document["cost_micro_usd"] = cost;
  document["limits"] = std::move(limits);
  document["shared_limits"] = monitor::to_json(rehearsal.campaigns.back().status.shared_limits);
  if (several) {
    document["campaigns"] = std::move(campaigns);
  }
  return document;
}

std::string to_text(const Rehearsal& rehearsal) {
  std::string text;
  std::uint64_t scored = 0;
  std::uint64_t planned = 0;
  std::uint64_t lost = 0;
  std::int64_t cost = 0;
  for (const Rehearsed& one : rehearsal.campaigns) {
    const engine::RunStatus& status = one.status;
    scored += status.scored();
    planned += status.planned();
    lost += status.lost();
    cost += status.cost_micro_usd;
    if (rehearsal.campaigns.size() > 1) {
      text += fmt::format("{}: {} of {} trials scored, {} lost, after {:.1f} s\n",
                          status.run,
                          status.scored(),
                          status.planned(),
                          status.lost(),
                          base::seconds(status.elapsed));
    }
  }
  text += fmt::format(
      "{} of {} trials scored, {} lost, in {:.1f} s of virtual time: {} requests, {} rejected by "
      "limits, ${:.2f}\n",
      scored,
      planned,
      lost,
      rehearsal.seconds,
      requests_of(rehearsal),
      refused_of(rehearsal),
      static_cast<double>(cost) / 1e6);
  for (const Rehearsed& one : rehearsal.campaigns) {
    if (!one.result.message.empty()) {
      text += one.result.message + "\n";
    }
  }
  analysis::TextTable table(
      {"provider", "limit", "quota", "admitted", "refused", "before its gate"});
  bool has_limits = false;
  for (const auto& provider : rehearsal.providers) {
    for (const sim::PoolReport& pool : provider->limits()) {
      has_limits = true;
      table.add({provider->profile().name,
                 pool.name,
                 fmt::format("{:g}", pool.quota),
                 fmt::to_string(pool.admitted),
                 fmt::to_string(pool.refused),
                 fmt::to_string(pool.early_arrivals)});
    }
  }
  const std::string shared = monitor::shared_text(rehearsal.campaigns.back().status.shared_limits);
  text += has_limits ? "\n" + table.render() : "";
  return shared.empty() ? text : text + "\n" + shared;
}

int rehearse(const RehearseOptions& options) {
  const auto rehearsal = rehearse_campaigns(options);
  if (!rehearsal.has_value()) {
    return fail(rehearsal.error(), options.json);
  }
  if (options.json) {
    print_json(to_json(*rehearsal));
  } else {
    print_text(to_text(*rehearsal));
  }
  return rehearsal->is_complete() ? kDone : kLosses;
}

}  // namespace

void add_rehearse(CLI::App& root, Action& action) {
  const auto options = std::make_shared<RehearseOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "rehearse",
      "Play a campaign in virtual time against simulated providers: how long it takes, what it "
      "costs, which limits it meets. Sends nothing, keeps nothing");
  command
      ->add_option("FILES",
                   options->files,
                   "One or more campaign files, which share all limits as in run, then the profile "
                   "file as for simulate: models, keys, limits, faults. An endpoint talks to the "
                   "provider of its name, or to the one that listens at its address")
      ->option_text("CAMPAIGN... PROVIDER")
      ->required()
      ->expected(2, kFilesMax);
  add_selection(*command, options->selection);
  command->remove_option(command->get_option("--dir"));  // nothing is kept
  command
      ->add_option("--in-flight", options->in_flight_max, "Most requests in flight over all routes")
      ->check(&problem_of_count);
  command->add_option("--open", options->open_max, "Most dialogues open at once")
      ->check(&problem_of_count);
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie rehearse examples/quickstart/quickstart.yaml "
      "examples/quickstart/providers.yaml");
  command->callback([&action, options] { action = [options] { return rehearse(*options); }; });
}

}  // namespace sortie::app
