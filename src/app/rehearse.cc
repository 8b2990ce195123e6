#include "sortie/aio/loop.h"
#include "sortie/analysis/text_table.h"
#include "sortie/app/campaign_setup.h"
#include "sortie/app/command.h"
#include "sortie/app/run_options.h"
#include "sortie/base/error.h"
#include "sortie/base/log.h"
#include "sortie/base/time.h"
#include "sortie/engine/engine.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/transport.h"
#include "sortie/wire/url.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

// A whole campaign in virtual time: the engine, the scheduler, the dialogues and a ledger in a
// temporary folder are those of `run`; only the sockets and the clock are replaced. Nothing is sent
// and nothing is kept, so that no simulated answer can ever be taken for a paid one.

namespace sortie::app {

namespace {

struct RehearseOptions {
  std::string campaign;
  std::string profile;
  SelectionOptions selection;
  std::size_t in_flight_max = 0;
  std::size_t open_max = kOpenDialoguesMax;
  bool json = false;
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

struct Rehearsal {
  engine::RunResult result;
  engine::RunStatus status;
  Providers providers;
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

base::Result<Rehearsal> rehearse_campaign(const RehearseOptions& options) {
  TRY_ASSIGN(const auto setup, load_setup(options.campaign, options.selection.overrides()));
  TRY_ASSIGN(const sim::Profile profile, sim::load_profile(options.profile));
  TRY(resolve_secrets(setup->topology,
                      models_used(setup->topology, setup->campaign),
                      setup->secrets,
                      setup->scrubber));
  Rehearsal rehearsal;
  for (const sim::ProviderProfile& provider : profile.providers) {
    rehearsal.providers.push_back(
        std::make_unique<sim::SimulatedProvider>(provider, profile.seed, setup->suite));
  }
  const std::unique_ptr<aio::Loop> loop = aio::Loop::virtual_time();
  sim::SimTransport transport(*loop);
  TRY(connect(setup->topology, rehearsal.providers, transport));
  TRY_ASSIGN(const TemporaryFolder folder, TemporaryFolder::make());
  engine::Engine* running = nullptr;
  TRY_ASSIGN(const auto ledger,
             ledger::Ledger::open(folder.path(),
                                  {.mode = ledger::CommitMode::inline_},
                                  [&](base::Result<ledger::Sequence> outcome) {
                                    if (running != nullptr) {
                                      running->committed(std::move(outcome));
                                    }
                                  }));
  TRY_ASSIGN(const auto reader, ledger::Reader::open(folder.path()));
  TRY_ASSIGN(auto history, engine::read_history(setup->context(), *reader, false));
  const auto log = base::Log::discard();
  engine::EngineOptions engine_options;
  engine_options.open_max = options.open_max;
  engine_options.scheduling.in_flight_max = options.in_flight_max;
  engine_options.scheduling.seed = setup->campaign.seed;
  engine::Engine engine(setup->context(),
                        {.loop = loop.get(),
                         .transport = &transport,
                         .ledger = ledger.get(),
                         .reader = reader.get(),
                         .log = log.get(),
                         .scrubber = &setup->scrubber},
                        engine_options,
                        std::move(history));
  running = &engine;
  rehearsal.result = {.end = engine::RunEnd::failed, .message = "the loop ran dry"};
  engine.start([&](engine::RunResult ended) {
    rehearsal.result = std::move(ended);
    loop->stop();
  });
  loop->run();
  rehearsal.status = engine.status();
  return rehearsal;
}

std::uint64_t requests_of(const Rehearsal& rehearsal) {
  std::uint64_t requests = 0;
  for (const auto& provider : rehearsal.providers) {
    requests += provider->bill().requests;
  }
  return requests;
}

std::uint64_t refused_of(const Rehearsal& rehearsal) {
  std::uint64_t refused = 0;
  for (const engine::RouteProgress& route : rehearsal.status.routes) {
    refused += route.throttled;
  }
  return refused;
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
  const engine::RunStatus& status = rehearsal.status;
  return {{"complete", rehearsal.result.end == engine::RunEnd::complete},
          {"message", rehearsal.result.message},
          {"planned", status.planned()},
          {"scored", status.scored()},
          {"lost", status.lost()},
          {"seconds", base::seconds(status.elapsed)},
          {"requests", requests_of(rehearsal)},
          {"rejected", refused_of(rehearsal)},
          {"input_tokens", status.input_tokens},
          {"output_tokens", status.output_tokens},
          {"cost_micro_usd", status.cost_micro_usd},
          {"limits", std::move(limits)}};
}

std::string to_text(const Rehearsal& rehearsal) {
  const engine::RunStatus& status = rehearsal.status;
  std::string text = fmt::format(
      "{} of {} trials scored, {} lost, in {:.1f} s of virtual time: {} requests, {} rejected by "
      "limits, ${:.2f}\n",
      status.scored(),
      status.planned(),
      status.lost(),
      base::seconds(status.elapsed),
      requests_of(rehearsal),
      refused_of(rehearsal),
      static_cast<double>(status.cost_micro_usd) / 1e6);
  if (!rehearsal.result.message.empty()) {
    text += rehearsal.result.message + "\n";
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
  return has_limits ? text + "\n" + table.render() : text;
}

int rehearse(const RehearseOptions& options) {
  const auto rehearsal = rehearse_campaign(options);
  if (!rehearsal.has_value()) {
    return fail(rehearsal.error(), options.json);
  }
  if (options.json) {
    print_json(to_json(*rehearsal));
  } else {
    print_text(to_text(*rehearsal));
  }
  return rehearsal->result.end == engine::RunEnd::complete ? kDone : kLosses;
}

}  // namespace

void add_rehearse(CLI::App& root, Action& action) {
  const auto options = std::make_shared<RehearseOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "rehearse",
      "Play a campaign in virtual time against simulated providers: how long it takes, what it "
      "costs, which limits it meets. Sends nothing, keeps nothing");
  command->add_option("CAMPAIGN", options->campaign, "Campaign file")->required();
  command
      ->add_option("PROVIDER",
                   options->profile,
                   "Profile file, as for simulate: models, keys, limits, faults. An endpoint talks "
                   "to the provider of its name, or to the one that listens at its address")
      ->required();
  add_selection(*command, options->selection);
  command->remove_option(command->get_option("--dir"));  // nothing is kept
  command->add_option(
      "--in-flight", options->in_flight_max, "Most requests in flight over all routes");
  command->add_option("--open", options->open_max, "Most dialogues open at once");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie rehearse examples/quickstart/quickstart.yaml "
      "examples/quickstart/providers.yaml");
  command->callback([&action, options] { action = [options] { return rehearse(*options); }; });
}

}  // namespace sortie::app
