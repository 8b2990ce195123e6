// Requests per second over sockets on loopback: libcurl transport against the simulator without
// latency, both on one loop in one process, so that each figure is that of one core for client and
// server together.
//
//   socket_bench [REQUESTS] [IN_FLIGHT]

#include "sortie/aio/loop.h"
#include "sortie/base/time.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/http/curl_transport.h"
#include "sortie/provider/dialect.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/server.h"
#include "sortie/suite/suite.h"

#include "bench/common.h"
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace {

using namespace sortie;  // a program of one file
using bench::must;

constexpr std::string_view kProfile =
    "version: 1\nseed: 1\nproviders:\n  fast:\n    listen: 127.0.0.1:0\n    models:\n      bench: "
    "{skill: perfect}\n";

/// Keeps a number of requests in flight until all are answered.
class Load final : public wire::CompletionSink {
 public:
  Load(aio::Loop& loop,
       wire::Transport& transport,
       const wire::Request& request,
       std::uint64_t total)
      : loop_(loop), transport_(transport), request_(request), total_(total) {}

  void start(std::uint64_t in_flight) {
    for (std::uint64_t i = 0; i < in_flight && started_ < total_; ++i) {
      next();
    }
  }

  void completed(wire::Completion completion) override {
    failures_ += completion.outcome.has_value() && completion.outcome->status == 200 ? 0U : 1U;
    if (++done_ == total_) {
      loop_.stop();
    } else if (started_ < total_) {
      next();
    }
  }

  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  void next() { transport_.start({++started_}, request_, *this); }

  aio::Loop& loop_;
  wire::Transport& transport_;
  const wire::Request& request_;
  std::uint64_t total_;
  std::uint64_t started_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t total = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50000;
  const std::uint64_t in_flight = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 64;
  const auto loop = aio::Loop::real();
  const suite::Suite suite = must(suite::Suite::pilot());
  const dialogue::Rules rules(suite);
  const auto server =
      must(sim::SimServer::start(*loop, must(sim::parse_profile("bench", kProfile)), suite));
  suite::TrialParams params;
  const dialogue::Dialogue dialogue(rules, suite.tasks().front(), params);
  const provider::Capability capability;
  const std::string url = server->base_urls().front();
  const wire::Request request = provider::openai().encode({.base_url = url,
                                                           .api_name = "bench",
                                                           .key = nullptr,
                                                           .messages = &dialogue.history(),
                                                           .functions = nullptr,
                                                           .sampling = {},
                                                           .capability = &capability});
  http::CurlTransport transport(*loop, {});
  Load load(*loop, transport, request, total);
  const base::SystemClock clock;
  const base::Instant begin = clock.now();
  load.start(in_flight);
  loop->run();
  const double seconds = base::seconds(clock.now() - begin);
  fmt::print("requests           {}  ({} bytes each, {} in flight, {} failed)\n",
             total,
             request.body.size(),
             in_flight,
             load.failures());
  fmt::print("requests/s         {:.0f}\n", static_cast<double>(total) / seconds);
  server->stop();
  return load.failures() == 0 ? 0 : 1;
}
