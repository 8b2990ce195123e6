#include "sortie/aio/loop.h"
#include "sortie/aio/signals.h"
#include "sortie/app/command.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/server.h"
#include "sortie/spec/suite_folder.h"
#include "sortie/suite/suite.h"

#include <cstdio>
#include <memory>
#include <string>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct SimulateOptions {
  std::string profile;
  std::string audit;
  bool json = false;
};

base::Status simulate_until_stopped(const SimulateOptions& options) {
  TRY_ASSIGN(const sim::Profile profile, sim::load_profile(options.profile));
  TRY_ASSIGN(const suite::Suite suite, spec::suite_in(profile.suite));
  const std::unique_ptr<aio::Loop> loop = aio::Loop::real();
  TRY_ASSIGN(const auto server,
             sim::SimServer::start(*loop, profile, suite, {.audit_path = options.audit}));
  json::Array urls;
  for (const auto& provider : server->providers()) {
    const std::string url = provider->base_url();
    urls.push_back(json::Value(url));
    if (!options.json) {
      print_text(fmt::format("listening on {}\n", url));
    }
  }
  if (!options.json) {
    print_text(
        fmt::format("the models know the tasks of {}; for others write  suite: FOLDER  in {}\n",
                    suite.name(),
                    options.profile));
  }
  if (options.json) {
    print_json(json::Object{{"base_urls", std::move(urls)}});
  }
  aio::Loop::Work work(*loop);
  const aio::SignalWatch signals(*loop, [&](int) { loop->stop(); });
  loop->run();
  server->stop();
  work.release();
  return {};
}

int simulate(const SimulateOptions& options) {
  const base::Status done = simulate_until_stopped(options);
  return done.has_value() ? kDone : fail(done.error(), options.json);
}

}  // namespace

void add_simulate(CLI::App& root, Action& action) {
  const auto options = std::make_shared<SimulateOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("simulate", "Serve simulated providers on loopback until interrupted");
  command->add_option("PROVIDER", options->profile, "Profile file: models, keys, limits, faults")
      ->required();
  command->add_option(
      "--audit", options->audit, "Append a JSON line for every request to this file");
  command->add_flag("--json", options->json, "Print the addresses as one JSON document");
  command->footer(
      "Example:  sortie simulate examples/quickstart/providers.yaml\n"
      "The file: docs/reference/simulator.md");
  command->callback([&action, options] { action = [options] { return simulate(*options); }; });
}

}  // namespace sortie::app
