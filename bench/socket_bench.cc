// Requests per second over sockets on loopback: libcurl transport against the simulator without
// latency, both on one loop in one process, so that each figure is that of one core for client and
// server together.
//
//   socket_bench [REQUESTS] [IN_FLIGHT]
//   socket_bench --check FILE     the transport against a bare loop over libcurl, by the processor
//                                 time of the client alone; compared with the ratio that the file
//                                 records

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
#include "bench/ratio.h"
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

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

/// The server in a process of its own, so that processor time is the client's alone.
class ServerProcess {
 public:
  explicit ServerProcess(const suite::Suite& suite) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0 || (child_ = ::fork()) < 0) {
      fmt::print(stderr, "cannot start a server\n");
      std::exit(2);
    }
    if (child_ == 0) {
      serve(suite, ends[1]);
    }
    ::close(ends[1]);
    std::array<char, 256> text{};
    const ssize_t size = ::read(ends[0], text.data(), text.size());
    url_.assign(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    ::close(ends[0]);
  }

  ~ServerProcess() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  [[noreturn]] static void serve(const suite::Suite& suite, int to_parent) {
    const auto loop = aio::Loop::real();
    const auto server =
        must(sim::SimServer::start(*loop, must(sim::parse_profile("bench", kProfile)), suite));
    const std::string url = server->base_urls().front();
    if (::write(to_parent, url.data(), url.size()) < 0) {
      std::_Exit(2);
    }
    ::close(to_parent);
    loop->run();
    std::_Exit(0);
  }

  pid_t child_ = -1;
  std::string url_;
};

wire::Request request_to(const std::string& url, const dialogue::Dialogue& dialogue) {
  const provider::Capability capability;
  return provider::openai().encode({.base_url = url,
                                    .api_name = "bench",
                                    .key = nullptr,
                                    .messages = &dialogue.history(),
                                    .functions = nullptr,
                                    .sampling = {},
                                    .capability = &capability});
}

/// Throws the answer away.
std::size_t ignore(char* /*data*/, std::size_t size, std::size_t count, void* /*user*/) {
  return size * count;
}

/// The same requests by libcurl alone: a handle for each one in flight, used again.
class BareLoop {
 public:
  explicit BareLoop(const wire::Request& request) : request_(request), url_(request.url) {
    for (const wire::Header& header : request.headers.fields()) {
      headers_ =
          curl_slist_append(headers_, fmt::format("{}: {}", header.name, header.value).c_str());
    }
  }

  ~BareLoop() {
    for (CURL* handle : handles_) {
      curl_multi_remove_handle(multi_, handle);
      curl_easy_cleanup(handle);
    }
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }

  BareLoop(const BareLoop&) = delete;
  BareLoop& operator=(const BareLoop&) = delete;

  /// Failed requests.
  std::uint64_t run(std::uint64_t total, std::uint64_t in_flight) {
    for (std::uint64_t i = 0; i < in_flight; ++i) {
      handles_.push_back(new_handle());
      curl_multi_add_handle(multi_, handles_.back());
    }
    std::uint64_t started = in_flight;
    std::uint64_t failed = 0;
    for (std::uint64_t done = 0; done < total;) {
      int running = 0;
      curl_multi_perform(multi_, &running);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        ++done;
        failed += message->data.result == CURLE_OK ? 0U : 1U;
        CURL* handle = message->easy_handle;
        curl_multi_remove_handle(multi_, handle);
        if (started < total) {
          ++started;
          curl_multi_add_handle(multi_, handle);
        }
      }
      if (running > 0) {
        curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
      }
    }
    return failed;
  }

 private:
  CURL* new_handle() {
    CURL* handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request_.body.data());
    curl_easy_setopt(
        handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    return handle;
  }

  const wire::Request& request_;
  std::string url_;
  curl_slist* headers_ = nullptr;
  CURLM* multi_ = curl_multi_init();
  std::vector<CURL*> handles_;
};

struct Amount {
  std::uint64_t total = 0;
  std::uint64_t in_flight = 0;
};

/// Over the transport; failed requests.
std::uint64_t send_all(const wire::Request& request, Amount amount) {
  const auto loop = aio::Loop::real();
  http::CurlTransport transport(*loop, {});
  Load load(*loop, transport, request, amount.total);
  load.start(amount.in_flight);
  loop->run();
  return load.failures();
}

int check(const std::string& file) {
  constexpr std::uint64_t kRequests = 10'000;
  constexpr std::uint64_t kInFlight = 64;
  const suite::Suite suite = must(suite::Suite::pilot());
  const dialogue::Rules rules(suite);
  const suite::TrialParams params;
  const dialogue::Dialogue dialogue(rules, suite.tasks().front(), params);
  const ServerProcess server(suite);
  const wire::Request request = request_to(server.url(), dialogue);
  std::uint64_t failed = 0;
  std::vector<double> ratios;
  for (int round = 0; round < bench::kCheckRounds; ++round) {
    const double begin = bench::cpu_seconds();
    failed += BareLoop(request).run(kRequests, kInFlight);
    const double between = bench::cpu_seconds();
    failed += send_all(request, {.total = kRequests, .in_flight = kInFlight});
    const double end = bench::cpu_seconds();
    fmt::print("processor time per request: bare libcurl {:.1f} us, transport {:.1f} us\n",
               (between - begin) * 1e6 / static_cast<double>(kRequests),
               (end - between) * 1e6 / static_cast<double>(kRequests));
    ratios.push_back((between - begin) / (end - between));
  }
  if (failed > 0) {
    fmt::print(stderr, "{} requests failed\n", failed);
    return 1;
  }
  return bench::compare_ratio(file, "http_transport", bench::median(ratios));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--check") {
    return check(argv[2]);
  }
  const std::uint64_t total = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50000;
  const std::uint64_t in_flight = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 64;
  const auto loop = aio::Loop::real();
  const suite::Suite suite = must(suite::Suite::pilot());
  const dialogue::Rules rules(suite);
  const auto server =
      must(sim::SimServer::start(*loop, must(sim::parse_profile("bench", kProfile)), suite));
  suite::TrialParams params;
  const dialogue::Dialogue dialogue(rules, suite.tasks().front(), params);
  const wire::Request request = request_to(server->base_urls().front(), dialogue);
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
