#include "sortie/sim/server.h"

#include "sortie/aio/loop.h"
#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/http/curl_transport.h"
#include "sortie/sim/play.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/small_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Collects completions and ends the loop when all that were awaited came.
class Sink final : public wire::CompletionSink {
 public:
  explicit Sink(aio::Loop& loop) : loop_(&loop) {}

  void completed(wire::Completion completion) override {
    completions.push_back(std::move(completion));
    if (completions.size() >= awaited) {
      loop_->stop();
    }
  }

  std::vector<wire::Completion> completions;
  std::size_t awaited = 1;

 private:
  aio::Loop* loop_;
};

class SocketServer : public testing::Test {
 protected:
  void serve(ProviderProfile profile) {
    profile.port = 0;
    server_ = ProviderServer::listen(*loop_, std::move(profile), 1, suite_).value();
  }

  wire::Request request() const {
    wire::Request out;
    out.url = server_->base_url() + "/chat/completions";
    out.body = small_talk("m");
    out.headers.add("Content-Type", "application/json");
    return out;
  }

  void send(std::uint64_t id, wire::Request what) {
    client_.start(wire::ExchangeId{id}, std::move(what), sink_);
  }

  static ProviderProfile faulty(FaultKind kind) {
    ProviderProfile profile = one_model("m", Skill::of(1));
    profile.faults.push_back({});
    profile.faults[0].kind = kind;
    return profile;
  }

  suite::Suite suite_ = small_suite();
  std::unique_ptr<aio::Loop> loop_ = aio::Loop::real();
  std::unique_ptr<ProviderServer> server_;
  Sink sink_{*loop_};
  http::CurlTransport client_{*loop_, {}};
};

TEST_F(SocketServer, answers_over_http) {
  serve(one_model("m", Skill::of(1)));
  sink_.awaited = 50;
  for (std::uint64_t i = 0; i < 50; ++i) {
    send(i, request());
  }
  loop_->run();
  for (const wire::Completion& completion : sink_.completions) {
    ASSERT_TRUE(completion.outcome.has_value()) << completion.outcome.error().message;
    EXPECT_EQ(decode(*completion.outcome).served_model, "m");
  }
  EXPECT_EQ(server_->provider().bill().requests, 50U);
  EXPECT_EQ(server_->provider().in_flight(), 0U);
}

TEST_F(SocketServer, waits_for_its_latency) {
  ProviderProfile profile = one_model("m", Skill::of(1));
  profile.models[0].ttft_ms = {.median = 50, .sigma = 0};
  serve(profile);
  send(1, request());
  loop_->run();
  const wire::Completion& completion = sink_.completions.at(0);
  ASSERT_TRUE(completion.outcome.has_value());
  EXPECT_GE(completion.ended_at - completion.sent_at, milliseconds(49));
}

TEST_F(SocketServer, lost_connections_look_lost) {
  serve(faulty(FaultKind::reset));
  send(1, request());
  loop_->run();
  EXPECT_EQ(sink_.completions.at(0).outcome.error().kind, wire::FailureKind::reset);

  sink_.completions.clear();
  serve(faulty(FaultKind::truncated_body));
  send(2, request());
  loop_->run();
  EXPECT_EQ(sink_.completions.at(0).outcome.error().kind, wire::FailureKind::broken);
}

TEST_F(SocketServer, a_client_that_leaves_is_seen) {
  serve(faulty(FaultKind::stall));
  send(1, request());
  loop_->at(loop_->now() + milliseconds(50), [&] { client_.cancel(wire::ExchangeId{1}); });
  loop_->run();
  EXPECT_EQ(sink_.completions.at(0).outcome.error().kind, wire::FailureKind::cancelled);
  const base::Instant give_up = loop_->now() + seconds(5);
  while (server_->provider().in_flight() > 0 && loop_->now() < give_up && loop_->run_one()) {
  }
  EXPECT_EQ(server_->provider().in_flight(), 0U);
  EXPECT_EQ(server_->provider().audit().entries().front().end, AuditEntry::End::disconnected);
}

TEST_F(SocketServer, shows_its_audit) {
  serve(one_model("m", Skill::of(1)));
  send(1, request());
  loop_->run();
  wire::Request audit;
  audit.method = wire::Method::get;
  audit.url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/sim/audit";
  sink_.completions.clear();
  send(2, std::move(audit));
  loop_->run();
  const auto body = json::parse(sink_.completions.at(0).outcome.value().body);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(json::get_array(*body, "requests")->size(), 1U);
}

TEST_F(SocketServer, serves_every_provider_of_a_profile) {
  Profile profile;
  profile.providers = {one_model("m", Skill::of(1)), one_model("n", Skill::of(1))};
  const auto server = SimServer::start(*loop_, profile, suite_);
  ASSERT_TRUE(server.has_value());
  const std::vector<std::string> urls = (*server)->base_urls();
  ASSERT_EQ(urls.size(), 2U);
  EXPECT_NE(urls[0], urls[1]);
  EXPECT_TRUE(urls[0].starts_with("http://127.0.0.1:") && urls[0].ends_with("/v1"));
  (*server)->stop();
}

TEST_F(SocketServer, a_taken_port_is_an_error_that_names_the_provider) {
  serve(one_model("m", Skill::of(1)));
  Profile profile;
  profile.providers = {one_model("m", Skill::of(1))};
  profile.providers[0].port = server_->port();
  const auto second = SimServer::start(*loop_, profile, suite_);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find("'test'"), std::string::npos);
}

}  // namespace
}  // namespace sortie::sim
