// How many turns per second the engine itself manages: everything of a campaign but the network.
// Dialogues of pilot size; requests encoded and answers decoded by the OpenAI dialect; both
// durability points on a real ledger; scoring. The transport replays answers that were made
// beforehand, as HTTP bodies.
//
//   engine_bench [--open N] [--dialogues N] [--dir FOLDER]

#include "sortie/aio/loop.h"
#include "sortie/base/json.h"
#include "sortie/base/log.h"
#include "sortie/base/random.h"
#include "sortie/base/scrubber.h"
#include "sortie/dialogue/rules.h"
#include "sortie/engine/engine.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/spec/load.h"
#include "sortie/suite/suite.h"

#include "bench/common.h"
#include "bench/memory.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace {

using namespace sortie;  // a program of one file
using bench::must;

constexpr std::size_t kTurns = 10;  // of a pilot dialogue (docs/design/benchmark.md)

struct Options {
  std::size_t open = 1000;
  std::size_t dialogues = 10000;
  std::string directory = "/tmp/sortie-engine-bench";
};

/// Complete HTTP answers, each of 300 bytes to 4 KB, log-uniform: prose and a command that searches
/// for a tool. A dialogue of such answers goes on until its last one finishes it. No two are alike:
/// the ledger stores equal answers once.
class Answers {
 public:
  explicit Answers(std::size_t dialogues) {
    for (std::size_t i = 0; i < dialogues * (kTurns - 1); ++i) {
      going_on_.push_back(body(prose() + "<find_tool>" +
                               fmt::format("number {:x}", random_.bits()) + "</find_tool>"));
    }
    for (std::size_t i = 0; i < dialogues; ++i) {
      ending_.push_back(body(prose() + "<finish>done</finish>"));
    }
  }

  [[nodiscard]] const std::string& next(bool last) {
    return last ? ending_[ended_++ % ending_.size()] : going_on_[went_on_++ % going_on_.size()];
  }

 private:
  std::string prose() {
    const auto size = static_cast<std::size_t>(300.0 * std::pow(4096.0 / 300.0, random_.uniform()));
    std::string prose;
    while (prose.size() < size) {
      prose += fmt::format("step {} of the plan needs {:x}; ", prose.size(), random_.bits());
    }
    return prose;
  }

  static std::string body(const std::string& text) {
    std::string json =
        R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,)"
        R"("finish_reason":"stop","message":{"role":"assistant","content":)";
    json::append_quoted(json, text);
    return json +
           R"(}}],"usage":{"prompt_tokens":2500,"completion_tokens":300,"total_tokens":2800}})";
  }

  base::RandomStream random_{base::digest_of("engine_bench")};
  std::vector<std::string> going_on_;
  std::vector<std::string> ending_;
  std::size_t went_on_ = 0;
  std::size_t ended_ = 0;
};

/// Completes every exchange at the next turn of the loop.
class ReplayTransport final : public wire::Transport {
 public:
  ReplayTransport(aio::Loop& loop, Answers& answers) : loop_(loop), answers_(answers) {}

  void start(wire::ExchangeId id, wire::Request request, wire::CompletionSink& sink) override {
    request_bytes_ += request.body.size();
    ++requests_;
    // "key/turn/attempt": the turn decides whether the dialogue ends.
    const std::string_view header = *request.headers.find("X-Sortie-Attempt");
    const std::size_t slash = header.find('/');
    std::size_t turn = 0;
    std::from_chars(header.data() + slash + 1, header.data() + header.size(), turn);
    wire::Response response;
    response.status = 200;
    response.headers.add("content-type", "application/json");
    response.body = answers_.next(turn + 1 >= kTurns);
    ready_.push_back({.id = id,
                      .outcome = std::move(response),
                      .sent_at = loop_.now(),
                      .first_byte_at = loop_.now(),
                      .ended_at = loop_.now()});
    sink_ = &sink;
    if (ready_.size() == 1) {
      loop_.post([this] { deliver(); });
    }
  }

  void cancel(wire::ExchangeId /*id*/) override {}

  [[nodiscard]] std::uint64_t requests() const { return requests_; }

  [[nodiscard]] std::uint64_t request_bytes() const { return request_bytes_; }

 private:
  void deliver() {
    std::vector<wire::Completion> ready;
    ready.swap(ready_);
    for (wire::Completion& completion : ready) {
      sink_->completed(std::move(completion));
    }
  }

  aio::Loop& loop_;
  Answers& answers_;
  wire::CompletionSink* sink_ = nullptr;
  std::vector<wire::Completion> ready_;
  std::uint64_t requests_ = 0;
  std::uint64_t request_bytes_ = 0;
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
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--open") {
      options.open = static_cast<std::size_t>(std::atoll(argv[i + 1]));
    } else if (name == "--dialogues") {
      options.dialogues = static_cast<std::size_t>(std::atoll(argv[i + 1]));
    } else if (name == "--dir") {
      options.directory = argv[i + 1];
    }
  }
  return measure(options);
}
