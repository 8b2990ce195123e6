// What the live page costs a run: a campaign with so many dialogues open and so many turns a
// second, its page served by the same loop, event-stream clients that come and go.
//
//   page_bench [--open N] [--rate TURNS_PER_SECOND] [--clients N] [--phase SECONDS] [--phases N]
//              [--dir FOLDER]
//
// Eight models behind three keys each, dialogues of pilot size, both durability points on a real
// ledger; the transport replays answers at that pace. Once dialogues of every age are open, phases
// without and with clients take turns; of each the processor time of the loop's thread per turn,
// and of each pair the difference, with the standard error of its mean. With --clients 0 the page's
// link is printed, for bench/page.mjs or a browser.

#include "sortie/aio/loop.h"
#include "sortie/base/log.h"
#include "sortie/base/scrubber.h"
#include "sortie/dialogue/rules.h"
#include "sortie/engine/engine.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/reader.h"
#include "sortie/monitor/rates.h"
#include "sortie/monitor/status_json.h"
#include "sortie/monitor/text_view.h"
#include "sortie/monitor/web_server.h"
#include "sortie/spec/load.h"
#include "sortie/suite/suite.h"

#include "bench/common.h"
#include "bench/replayed.h"
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace sortie;  // a program of one file
using bench::must;

constexpr std::size_t kModels = 8;
constexpr std::size_t kKeys = 3;
constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

struct Options {
  std::size_t open = 10'000;
  double rate = 5000;
  std::size_t clients = 10;
  double phase = 3;
  std::size_t phases = 20;
  std::string directory = "/tmp/sortie-page-bench";
};

std::string endpoints_text(const Options& options) {
  std::string text = "version: 1\nmodels:\n";
  for (std::size_t i = 0; i < kModels; ++i) {
    text += fmt::format("  model-{}: {{price: {{input: 1, output: 2}}}}\n", i);
  }
  text +=
      "endpoints:\n  local:\n    dialect: openai\n    base_url: http://127.0.0.1:1/v1\n"
      "    simulated: true\n    keys: {";
  for (std::size_t i = 0; i < kKeys; ++i) {
    text += fmt::format("{}key-{}: {{secret: none}}", i == 0 ? "" : ", ", i);
  }
  text += "}\n    routes:\n";
  for (std::size_t i = 0; i < kModels; ++i) {
    text += fmt::format("      - {{model: model-{}, api_name: bench, served_as: [bench]}}\n", i);
  }
  return text + fmt::format("    limits:\n      - {{per: [key, model], concurrency: {}}}\n",
                            (options.open / (kModels * kKeys)) + 1);
}

/// Seconds until dialogues of every age are open.
double ramp_seconds(const Options& options) {
  return bench::kTurns * static_cast<double>(options.open) / options.rate;
}

/// Enough for all phases: 100 trials a model and repeat.
std::string campaign_text(const Options& options) {
  std::string models;
  for (std::size_t i = 0; i < kModels; ++i) {
    models += fmt::format("{}model-{}", i == 0 ? "" : ", ", i);
  }
  const double seconds =
      ramp_seconds(options) + (options.phase * static_cast<double>(options.phases + 1));
  const double turns = options.rate * seconds;
  const double dialogues = (turns / bench::kTurns) + (2 * static_cast<double>(options.open));
  return fmt::format(
      "version: 1\nname: bench\nsuite: pilot/1\nseed: 1\nmodels: [{}]\nscenarios: [baseline]\n"
      "instances: 20\nrepeats: {}\n",
      models,
      static_cast<std::size_t>(dialogues / (100 * kModels)) + 1);
}

class NoTranscripts final : public monitor::TranscriptSource {
 public:
  base::Result<json::Value> transcript(const monitor::RunPlace& /*place*/,
                                       ledger::TrialId /*trial*/) override {
    return base::bad_input("the benchmark shows no transcripts");
  }

  base::Result<std::string> message(const monitor::RunPlace& /*place*/,
                                    ledger::TrialId /*trial*/,
                                    std::size_t /*position*/) override {
    return base::bad_input("the benchmark shows no transcripts");
  }
};

/// Event-stream clients on a thread of their own, connected while wanted() says so.
class Clients {
 public:
  Clients(std::uint16_t port, std::size_t count)
      : port_(port), count_(count), thread_([this] { run(); }) {}

  ~Clients() {
    stop_ = true;
    thread_.join();
  }

  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void want(bool wanted) { wanted_ = wanted; }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void run() {
    std::vector<pollfd> sockets;
    while (!stop_) {
      if (wanted_ && sockets.empty()) {
        for (std::size_t i = 0; i < count_; ++i) {
          sockets.push_back({.fd = connected(), .events = POLLIN, .revents = 0});
        }
      } else if (!wanted_ && !sockets.empty()) {
        close_all(sockets);
      }
      ::poll(sockets.data(), sockets.size(), 20);
      std::array<char, 65536> buffer{};
      for (const pollfd& one : sockets) {
        if ((one.revents & POLLIN) != 0) {
          bytes_ += static_cast<std::uint64_t>(
              std::max<ssize_t>(0, ::read(one.fd, buffer.data(), buffer.size())));
        }
      }
    }
    close_all(sockets);
  }

  static void close_all(std::vector<pollfd>& sockets) {
    for (const pollfd& one : sockets) {
      ::close(one.fd);
    }
    sockets.clear();
  }

  [[nodiscard]] int connected() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how sockets are called
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      std::perror("page_bench: connect");
      std::exit(2);
    }
    const std::string request = fmt::format(
        "GET /v1/runs/bench/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer "
        "{}\r\n\r\n",
        port_,
        kToken);
    if (::write(socket, request.data(), request.size()) != static_cast<ssize_t>(request.size())) {
      std::perror("page_bench: write");
      std::exit(2);
    }
    return socket;
  }

  std::uint16_t port_;
  std::size_t count_;
  std::atomic<bool> wanted_{false};
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> bytes_{0};
  std::thread thread_;
};

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + (static_cast<double>(time.tv_nsec) * 1e-9);
}

struct Mark {
  double cpu = 0;
  double turns = 0;
  double bytes = 0;
  base::Instant at;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

struct Mean {
  double value = 0;
  double standard_error = 0;
};

Mean mean(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  double squares = 0;
  for (const double value : values) {
    squares += (value - (sum / count)) * (value - (sum / count));
  }
  return {.value = sum / count, .standard_error = std::sqrt(squares / (count - 1) / count)};
}

/// The first mark begins the first phase; phases with an odd number have clients.
void report(const Options& options,
            const std::vector<Mark>& marks,
            const std::vector<double>& pages) {
  std::array<std::vector<double>, 2> per_turn;
  std::vector<double> rates;
  std::vector<double> kilobytes;
  std::vector<double> extra;  // microseconds a turn, against the phase before: paces drift
  for (std::size_t i = 1; i < marks.size(); ++i) {
    const double turns = marks[i].turns - marks[i - 1].turns;
    const double seconds = base::seconds(marks[i].at - marks[i - 1].at);
    const std::size_t watched = (i + 1) % 2;
    per_turn.at(watched).push_back(1e6 * (marks[i].cpu - marks[i - 1].cpu) / turns);
    rates.push_back(turns / seconds);
    if (watched == 1) {
      extra.push_back(per_turn[1].back() - per_turn[0].back());
      kilobytes.push_back((marks[i].bytes - marks[i - 1].bytes) / 1000 / seconds /
                          static_cast<double>(std::max<std::size_t>(1, options.clients)));
    }
  }
  const double without = median(per_turn[0]);
  const Mean more = mean(extra);
  fmt::print("dialogues open            {}\n", options.open);
  fmt::print("turns/s                   {:.0f}\n", median(rates));
  fmt::print("loop, CPU per turn        {:.2f} us without clients, {:.2f} us with {}\n",
             without,
             median(per_turn[1]),
             options.clients);
  fmt::print("clients, CPU per turn     {:+.2f} ± {:.2f} us: {:+.1f} ± {:.1f} % ({} pairs)\n",
             more.value,
             more.standard_error,
             100 * more.value / without,
             100 * more.standard_error / without,
             extra.size());
  fmt::print("event stream              {:.1f} KB/s a client\n", median(kilobytes));
  // As monitor::Terminal paces itself: at most five a second, and 199 times as long a pause.
  fmt::print("terminal, CPU a page      {:.0f} us: {:.2f} % of a core\n",
             1e6 * median(pages),
             100 * std::min(5 * median(pages), 1.0 / 200));
}

int measure(const Options& options) {
  std::filesystem::remove_all(options.directory);
  const suite::Suite suite = must(suite::Suite::pilot());
  const dialogue::Rules rules(suite);
  const spec::Topology topology =
      must(spec::parse_endpoints(endpoints_text(options), "endpoints.yaml"));
  const spec::Campaign campaign =
      must(spec::parse_campaign(campaign_text(options), "campaign.yaml", suite, topology));
  const std::vector<std::vector<base::Secret>> secrets(1, std::vector<base::Secret>(kKeys));
  const engine::RunContext context{.suite = &suite,
                                   .rules = &rules,
                                   .topology = &topology,
                                   .campaign = &campaign,
                                   .secrets = &secrets};
  bench::Answers answers(1000);
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
  bench::ReplayTransport transport(
      *loop, answers, base::from_seconds(1 / options.rate), options.open);
  engine::EngineOptions engine_options;
  engine_options.open_max = options.open;
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
  NoTranscripts transcripts;
  monitor::WebServer::Options page;
  page.token = base::Secret(std::string(kToken));
  const auto server = must(monitor::WebServer::listen(
      *loop,
      std::move(page),
      [&] {
        return std::vector<monitor::RunPlace>{{.name = "bench", .directory = options.directory}};
      },
      transcripts));
  server->add_live("bench",
                   {.status =
                        [&](const monitor::LiveSource::StatusCallback& callback) {
                          callback(monitor::to_json(engine.status()));
                        },
                    .control = {}});
  const std::string url = server->url();
  Clients clients(static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1))),
                  options.clients);
  if (options.clients == 0) {
    fmt::print("{}\n", server->link());
    std::fflush(stdout);
  }
  std::vector<Mark> marks;
  std::vector<double> pages;  // processor seconds that the live view of a terminal takes
  monitor::Rates rates;
  std::function<void()> next_phase = [&] {
    marks.push_back({.cpu = cpu_seconds(),
                     .turns = static_cast<double>(transport.requests()),
                     .bytes = static_cast<double>(clients.bytes()),
                     .at = loop->now()});
    const double before = cpu_seconds();
    const engine::RunStatus status = engine.status();
    rates.observe(status);
    static_cast<void>(monitor::render(status, rates, {.columns = 80, .rows = 50}));
    pages.push_back(cpu_seconds() - before);
    marks.back().cpu += pages.back();  // of no phase
    if (marks.size() > options.phases) {
      engine.request_stop();
      return;
    }
    clients.want(marks.size() % 2 == 0);
    loop->at(loop->now() + base::from_seconds(options.phase), [&] { next_phase(); });
  };
  aio::Loop::Work work(*loop);
  loop->at(loop->now() + base::from_seconds(ramp_seconds(options)), [&] { next_phase(); });
  engine.start([&](const engine::RunResult& /*result*/) { loop->stop(); });
  loop->run();
  work.release();
  report(options, marks, pages);
  running = nullptr;
  ledger.reset();
  std::filesystem::remove_all(options.directory);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const bench::Option known[] = {{"--open", &options.open},
                                 {"--rate", &options.rate},
                                 {"--clients", &options.clients},
                                 {"--phase", &options.phase},
                                 {"--phases", &options.phases},
                                 {"--dir", &options.directory}};
  bench::read_options(std::span(argv, static_cast<std::size_t>(argc)), known);
  return measure(options);
}
