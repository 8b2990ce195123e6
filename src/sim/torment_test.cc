#include "sortie/sim/torment.h"

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
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// Every fault that hangs, in virtual time and over sockets: the same failure, within its limit.

namespace sortie::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Torture {
  FaultKind kind = FaultKind::stall;
  std::string_view ends_as;
  std::string_view limit;  // which of the limits ends it; empty: it ends by itself
};

constexpr Torture kTortures[] = {{FaultKind::stall, "first_byte_timeout", "first_byte"},
                                 {FaultKind::slow_head, "first_byte_timeout", "first_byte"},
                                 {FaultKind::head_stall, "liveness_timeout", "liveness"},
                                 {FaultKind::drip, "progress_timeout", "progress"},
                                 {FaultKind::comments, "progress_timeout", "progress"},
                                 {FaultKind::fin, "reset", ""},
                                 {FaultKind::half_close, "reset", ""},
                                 {FaultKind::reset, "reset", ""},
                                 {FaultKind::truncated_body, "broken", ""},
                                 {FaultKind::broken_chunks, "broken", ""},
                                 {FaultKind::broken_gzip, "broken", ""},
                                 {FaultKind::invalid_utf8, "answer 200", ""},
                                 {FaultKind::truncated_json, "answer 200", ""}};

ProviderProfile provider_with(FaultKind kind, base::Duration every) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.port = 0;
  profile.faults.push_back({});
  profile.faults[0].kind = kind;
  profile.faults[0].every = every;
  return profile;
}

base::Duration limit_of(const wire::Timeouts& timeouts, std::string_view name) {
  return name == "first_byte" ? timeouts.first_byte
         : name == "liveness" ? timeouts.liveness
         : name == "progress" ? timeouts.progress
                              : base::Duration();
}

class Sink final : public wire::CompletionSink {
 public:
  explicit Sink(aio::Loop& loop) : loop_(&loop) {}

  void completed(wire::Completion completion) override {
    completions.push_back(std::move(completion));
    loop_->stop();
  }

  std::vector<wire::Completion> completions;

 private:
  aio::Loop* loop_;
};

std::string text_of(const wire::Completion& completion) {
  return completion.outcome ? fmt::format("answer {}", completion.outcome->status)
                            : std::string(wire::to_string(completion.outcome.error().kind));
}

wire::Request request(const std::string& base_url, const wire::Timeouts& timeouts) {
  wire::Request out;
  out.url = base_url + "/chat/completions";
  out.body = small_talk("m");
  out.headers.add("Content-Type", "application/json");
  out.timeouts = timeouts;
  return out;
}

TEST(Torture, each_fault_is_released_within_its_limit_in_virtual_time) {
  const wire::Timeouts timeouts{
      .first_byte = seconds(60), .liveness = seconds(61), .progress = seconds(600)};
  for (const Torture& torture : kTortures) {
    const suite::Suite suite = small_suite();
    const auto loop = aio::Loop::virtual_time();
    SimulatedProvider provider(provider_with(torture.kind, seconds(20)), 1, suite);
    SimTransport transport(*loop);
    transport.add("127.0.0.1:80", provider);
    Sink sink(*loop);
    const base::Instant begin = loop->now();
    transport.start(wire::ExchangeId{1}, request("http://127.0.0.1/v1", timeouts), sink);
    loop->run();
    ASSERT_EQ(sink.completions.size(), 1U) << to_string(torture.kind);
    EXPECT_EQ(text_of(sink.completions[0]), torture.ends_as) << to_string(torture.kind);
    EXPECT_LE(loop->now() - begin, limit_of(timeouts, torture.limit) + milliseconds(100))
        << to_string(torture.kind);
    EXPECT_EQ(provider.in_flight(), 0U) << to_string(torture.kind);
  }
}

TEST(Torture, each_fault_is_released_within_its_limit_over_sockets) {
  const wire::Timeouts timeouts{.first_byte = milliseconds(150),
                                .liveness = milliseconds(200),
                                .progress = milliseconds(400)};
  const auto loop = aio::Loop::real();
  http::CurlTransport transport(*loop, {});
  Sink sink(*loop);
  std::uint64_t id = 0;
  for (const Torture& torture : kTortures) {
    const suite::Suite suite = small_suite();
    const auto server =
        ProviderServer::listen(*loop, provider_with(torture.kind, milliseconds(20)), 1, suite)
            .value();
    sink.completions.clear();
    const base::Instant begin = loop->now();
    transport.start(wire::ExchangeId{++id}, request(server->base_url(), timeouts), sink);
    loop->run();
    ASSERT_EQ(sink.completions.size(), 1U) << to_string(torture.kind);
    EXPECT_EQ(text_of(sink.completions[0]), torture.ends_as) << to_string(torture.kind);
    EXPECT_LE(sink.completions[0].ended_at - begin, limit_of(timeouts, torture.limit) + seconds(1))
        << to_string(torture.kind);
  }
}

TEST(Torture, long_thinking_is_not_cut_short_while_bytes_come_and_no_limit_says_so) {
  const suite::Suite suite = small_suite();
  const auto loop = aio::Loop::virtual_time();
  SimulatedProvider provider(provider_with(FaultKind::comments, seconds(20)), 1, suite);
  SimTransport transport(*loop);
  transport.add("127.0.0.1:80", provider);
  Sink sink(*loop);
  const wire::Timeouts timeouts{.first_byte = seconds(60),
                                .liveness = seconds(60),
                                .progress = {},
                                .total = std::chrono::hours(5)};
  const base::Instant begin = loop->now();
  transport.start(wire::ExchangeId{1}, request("http://127.0.0.1/v1", timeouts), sink);
  loop->run();
  EXPECT_EQ(text_of(sink.completions.at(0)), "total_timeout");
  EXPECT_EQ(loop->now() - begin, std::chrono::hours(5));
}

}  // namespace
}  // namespace sortie::sim
