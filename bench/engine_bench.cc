// How many turns per second the engine itself manages: everything of a campaign but the network.
// Dialogues of pilot size; requests encoded and answers decoded by the OpenAI dialect; both
// durability points on a real ledger; scoring. The transport replays answers that were made
// beforehand, as HTTP bodies.
//
//   engine_bench [--open N] [--dialogues N] [--dir FOLDER]

#include "sortie/aio/loop.h"
#include "sortie/base/log.h"
#include "sortie/base/scrubber.h"
#include "sortie/dialogue/rules.h"
#include "sortie/engine/engine.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/spec/load.h"
#include "sortie/suite/suite.h"

#include "bench/common.h"
#include "bench/memory.h"
#include "bench/replayed.h"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace {

using namespace sortie;  // a program of one file
using bench::Answers;
using bench::must;
using bench::ReplayTransport;

struct Options {
  std::size_t open = 1000;
  std::size_t dialogues = 10000;
  std::string directory = "/tmp/sortie-engine-bench";
};

std::string campaign_text(std::size_t dialogues) {
  // 100 trials (20 tasks × 5 types) a repeat.
  return fmt::format(
      "version: 1\nname: bench\nsuite: pilot/1\nseed: 1\nmodels: [bench]\nscenarios: [baseline]\n"
      "instances: 20\nrepeats: {}\n",
      std::max<std::size_t>(1, dialogues / 100));
}

int measure(const Options& options) {
  std::filesystem::remove_all(options.directory);
  const suite::Suite suite = must(suite::Suite::pilot());
  const dialogue::Rules rules(suite);
  const spec::Topology topology = must(spec::parse_endpoints(bench::kEndpoints, "endpoints.yaml"));
  const spec::Campaign campaign = must(
      spec::parse_campaign(campaign_text(options.dialogues), "campaign.yaml", suite, topology));
  const std::vector<std::vector<base::Secret>> secrets(1, std::vector<base::Secret>(1));
  const engine::RunContext context{.suite = &suite,
                                   .rules = &rules,
                                   .topology = &topology,
                                   .campaign = &campaign,
                                   .secrets = &secrets};
  Answers answers(std::max(options.dialogues, options.open));

  const auto loop = aio::Loop::real();
  engine::Engine* running = nullptr;
  auto ledger =
      must(ledger::Ledger::open(options.directory, {}, [&](base::Result<ledger::Sequence> outcome) {
        if (running != nullptr) {
          running->committed(std::move(outcome));
        }
      }));
  const auto reader = must(ledger::Reader::open(options.directory));
  const auto log = base::Log::discard();
  const base::Scrubber scrubber;
  ReplayTransport transport(*loop, answers);
  engine::EngineOptions engine_options;
  engine_options.open_max = options.open;
  engine_options.scheduling.in_flight_max = options.open;
  engine::Engine engine(context,
                        {.loop = loop.get(),
                         .transport = &transport,
                         .ledger = ledger.get(),
                         .reader = reader.get(),
                         .log = log.get(),
                         .scrubber = &scrubber},
                        engine_options,
                        must(engine::read_history(context, *reader, false)));
  running = &engine;
  const std::size_t memory_before = bench::resident_bytes();
  std::size_t memory_peak = memory_before;
  const base::SystemClock clock;
  const base::Instant begin = clock.now();
  bool ended = false;
  aio::Loop::Work work(*loop);
  std::function<void()> sample = [&] {
    memory_peak = std::max(memory_peak, bench::resident_bytes());
    loop->at(loop->now() + std::chrono::milliseconds(20), [&] { sample(); });
  };
  sample();
  engine.start([&](engine::RunResult result) {
    ended = result.end == engine::RunEnd::complete;
    loop->stop();
  });
  loop->run();
  const double seconds = base::seconds(clock.now() - begin);
  work.release();
  if (!ended) {
    fmt::print(stderr, "engine_bench: the run did not complete\n");
    return 1;
  }
  const ledger::Ledger::Stats stats = ledger->stats();
  running = nullptr;
  ledger.reset();
  const auto turns = static_cast<double>(transport.requests());
  const auto bytes =
      std::filesystem::file_size(std::filesystem::path(options.directory) / "ledger.db");
  fmt::print("dialogues          {}\n", campaign.trial_count());
  fmt::print("turns              {}\n", transport.requests());
  fmt::print("turns/s            {:.0f}\n", turns / seconds);
  fmt::print("mean request       {:.1f} KB\n",
             static_cast<double>(transport.request_bytes()) / turns / 1000);
  fmt::print("ledger bytes/turn  {:.0f}\n", static_cast<double>(bytes) / turns);
  fmt::print("commits/turn       {:.4f}  ({:.0f} records a commit)\n",
             static_cast<double>(stats.commits) / turns,
             static_cast<double>(stats.records) /
                 static_cast<double>(std::max<std::uint64_t>(1, stats.commits)));
  fmt::print("open dialogues     {}\n", options.open);
  fmt::print(
      "memory/dialogue    {:.1f} KiB\n",
      static_cast<double>(memory_peak - memory_before) / static_cast<double>(options.open) / 1024);
  std::filesystem::remove_all(options.directory);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const bench::Option known[] = {{"--open", &options.open},
                                 {"--dialogues", &options.dialogues},
                                 {"--dir", &options.directory}};
  bench::read_options(std::span(argv, static_cast<std::size_t>(argc)), known);
  return measure(options);
}
