#include "sortie/sim/outage.h"

#include "sortie/aio/loop.h"
#include "sortie/base/time.h"
#include "sortie/http/curl_transport.h"
#include "sortie/sim/play.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/server.h"
#include "sortie/sim/small_suite.h"
#include "sortie/sim/transport.h"
#include "sortie/suite/suite.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

// Faults of connections, in virtual time and over sockets: the same failure, within the limit on
// connecting.

namespace sortie::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Case {
  FaultKind kind = FaultKind::black_hole;
  std::string_view ends_as;
  bool waits = false;  // for the limit
};

constexpr Case kCases[] = {{FaultKind::connection_refused, "connect", false},
                           {FaultKind::unresolved_name, "connect", false},
                           {FaultKind::black_hole, "connect_timeout", true},
                           {FaultKind::slow_handshake, "connect_timeout", true}};

ProviderProfile provider_with(FaultKind kind,
                              base::Duration from,
                              std::optional<base::Duration> until) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.port = 0;
  profile.faults.push_back({});
  profile.faults[0].kind = kind;
  profile.faults[0].from = from;
  profile.faults[0].until = until;
  return profile;
}

class Sink final : public wire::CompletionSink {
 public:
  explicit Sink(aio::Loop& loop) : loop_(&loop) {}

  void completed(wire::Completion completion) override {
    last = std::move(completion);
    loop_->stop();
  }

  std::optional<wire::Completion> last;

 private:
  aio::Loop* loop_;
};

/// What a request over `transport` comes to.
std::string outcome(aio::Loop& loop,
                    wire::Transport& transport,
                    const std::string& base_url,
                    const wire::Timeouts& timeouts,
                    const std::string& ca_file = {}) {
  wire::Request request;
  request.url = base_url + "/chat/completions";
  request.body = small_talk("m");
  request.headers.add("Content-Type", "application/json");
  request.timeouts = timeouts;
  request.access =
      std::make_shared<const wire::Access>(wire::Access{.ca_file = ca_file, .proxy = {}});
  Sink sink(loop);
  transport.start(wire::ExchangeId{1}, std::move(request), sink);
  loop.run();
  if (!sink.last.has_value()) {
    return "nothing";
  }
  return sink.last->outcome ? fmt::format("answer {}", sink.last->outcome->status)
                            : std::string(wire::to_string(sink.last->outcome.error().kind));
}

TEST(Outage, lasts_from_its_begin_until_its_end) {
  const ProviderProfile profile = provider_with(FaultKind::black_hole, seconds(2), seconds(5));
  const auto at = [&](int second) { return outage_at(profile, base::Instant(seconds(second))); };
  EXPECT_FALSE(at(1).has_value());
  ASSERT_TRUE(at(2).has_value());
  EXPECT_EQ(at(2)->until, base::Instant(seconds(5)));
  EXPECT_TRUE(at(4).has_value());
  EXPECT_FALSE(at(5).has_value());
  const auto next = [&](int second) {
    return next_outage_change(profile, base::Instant(seconds(second)));
  };
  EXPECT_EQ(next(0), base::Instant(seconds(2)));
  EXPECT_EQ(next(2), base::Instant(seconds(5)));
  EXPECT_EQ(next(5), std::nullopt);
}

TEST(Outage, in_virtual_time_each_is_released_within_the_limit_and_ends) {
  for (const Case& each : kCases) {
    const suite::Suite suite = small_suite();
    const auto loop = aio::Loop::virtual_time();
    SimulatedProvider provider(provider_with(each.kind, {}, seconds(60)), 1, suite);
    SimTransport transport(*loop);
    transport.add("127.0.0.1:80", provider);
    const wire::Timeouts timeouts{.connect = seconds(10)};
    const base::Instant begin = loop->now();
    EXPECT_EQ(outcome(*loop, transport, "http://127.0.0.1/v1", timeouts), each.ends_as);
    EXPECT_EQ(loop->now() - begin, each.waits ? seconds(10) : seconds(0)) << to_string(each.kind);
    EXPECT_EQ(provider.bill().requests, 0U);
    // One that is willing to wait gets its answer when the outage ends.
    if (each.waits) {
      const std::string patient =
          outcome(*loop, transport, "http://127.0.0.1/v1", {.connect = seconds(100)});
      EXPECT_EQ(patient, "answer 200") << to_string(each.kind);
      EXPECT_GE(loop->now() - begin, seconds(60));
    }
    loop->at(begin + seconds(61), [] {});
    loop->run();
    EXPECT_EQ(outcome(*loop, transport, "http://127.0.0.1/v1", timeouts), "answer 200");
    EXPECT_EQ(transport.in_flight(), 0U);
  }
}

TEST(Outage, a_request_that_waits_for_its_connection_can_be_cancelled) {
  const suite::Suite suite = small_suite();
  const auto loop = aio::Loop::virtual_time();
  SimulatedProvider provider(provider_with(FaultKind::black_hole, {}, std::nullopt), 1, suite);
  SimTransport transport(*loop);
  transport.add("127.0.0.1:80", provider);
  loop->at(loop->now() + seconds(3), [&] { transport.cancel(wire::ExchangeId{1}); });
  EXPECT_EQ(outcome(*loop, transport, "http://127.0.0.1/v1", {.connect = {}}), "cancelled");
  EXPECT_EQ(transport.in_flight(), 0U);
}

TEST(Outage, over_sockets_each_is_released_within_the_limit_and_ends) {
  const std::string ca_file =
      std::filesystem::temp_directory_path() / fmt::format("sortie_outage_{}.pem", ::getpid());
  for (const Case& each : kCases) {
    const suite::Suite suite = small_suite();
    const auto loop = aio::Loop::real();
    http::CurlTransport transport(*loop, {});
    ProviderProfile profile = provider_with(each.kind, milliseconds(300), milliseconds(900));
    profile.tls = TlsProfile{.identity = nullptr, .authority_file = ca_file};
    const auto server =
        SimServer::start(*loop, {.seed = 1, .suite = {}, .providers = {profile}}, suite).value();
    const std::string url = server->base_urls().at(0);
    EXPECT_TRUE(url.starts_with("https://")) << url;
    const wire::Timeouts timeouts{.connect = milliseconds(200)};
    const auto ask = [&] { return outcome(*loop, transport, url, timeouts, ca_file); };
    const base::Instant begin = loop->now();
    const auto wait_until = [&](base::Duration since) {
      loop->at(begin + since, [&] { loop->stop(); });
      loop->run();
    };
    EXPECT_EQ(ask(), "answer 200") << to_string(each.kind);
    wait_until(milliseconds(350));
    const base::Instant asked = loop->now();
    EXPECT_EQ(ask(), each.ends_as) << to_string(each.kind);
    EXPECT_LE(loop->now() - asked, (each.waits ? timeouts.connect : base::Duration()) + seconds(1));
    wait_until(milliseconds(950));
    EXPECT_EQ(ask(), "answer 200") << to_string(each.kind);
    server->stop();
  }
  std::filesystem::remove(ca_file);
}

}  // namespace
}  // namespace sortie::sim
