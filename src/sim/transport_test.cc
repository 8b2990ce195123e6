#include "sortie/sim/transport.h"

#include "sortie/aio/loop.h"
#include "sortie/base/time.h"
#include "sortie/sim/play.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/small_suite.h"
#include "sortie/suite/suite.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::sim {
namespace {

using base::Duration;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Sink final : public wire::CompletionSink {
 public:
  void completed(wire::Completion completion) override {
    completions.push_back(std::move(completion));
  }

  wire::Piece received(wire::ExchangeId id,
                       const wire::Response& head,
                       std::string_view piece) override {
    statuses.push_back(head.status);
    pieces.emplace_back(piece);
    if (on_piece) {
      on_piece(id);
    }
    const bool is_comment = piece.starts_with(':');
    return stops ? wire::Piece::stop : is_comment ? wire::Piece::life : wire::Piece::progress;
  }

  std::vector<wire::Completion> completions;
  std::vector<int> statuses;
  std::vector<std::string> pieces;
  std::function<void(wire::ExchangeId)> on_piece;
  bool stops = false;
};

class VirtualTransport : public testing::Test {
 protected:
  void serve(ProviderProfile profile) {
    profile.port = 18801;
    provider_ = std::make_unique<SimulatedProvider>(std::move(profile), 1, suite_);
    transport_.add(*provider_);
  }

  void send(std::uint64_t id, wire::Timeouts timeouts = {}) {
    wire::Request request;
    request.url = "http://127.0.0.1:18801/v1/chat/completions";
    request.body = small_talk("m");
    request.timeouts = timeouts;
    transport_.start(wire::ExchangeId{id}, std::move(request), sink_);
  }

  void stream(std::uint64_t id, wire::Timeouts timeouts = {}) {
    wire::Request request;
    request.url = "http://127.0.0.1:18801/v1/chat/completions";
    request.body =
        R"({"model":"m","stream":true,"messages":[{"role":"user","content":"Good morning."}]})";
    request.timeouts = timeouts;
    request.streamed = true;
    transport_.start(wire::ExchangeId{id}, std::move(request), sink_);
  }

  static ProviderProfile slow(Duration latency) {
    ProviderProfile profile = one_model("m", Skill::of(1));
    profile.models[0].ttft_ms = {.median = base::seconds(latency) * 1000, .sigma = 0};
    return profile;
  }

  static ProviderProfile faulty(FaultKind kind) {
    ProviderProfile profile = slow(milliseconds(100));
    profile.faults.push_back({});
    profile.faults[0].kind = kind;
    return profile;
  }

  wire::FailureKind failure() const { return sink_.completions.at(0).outcome.error().kind; }

  suite::Suite suite_ = small_suite();
  std::unique_ptr<aio::Loop> loop_ = aio::Loop::virtual_time();
  std::unique_ptr<SimulatedProvider> provider_;
  Sink sink_;
  SimTransport transport_{*loop_};
};

TEST_F(VirtualTransport, an_answer_comes_after_its_latency_and_not_from_inside_start) {
  serve(slow(milliseconds(1500)));
  const base::Instant begin = loop_->now();
  send(7);
  EXPECT_TRUE(sink_.completions.empty());
  loop_->run();
  ASSERT_EQ(sink_.completions.size(), 1U);
  const wire::Completion& completion = sink_.completions[0];
  EXPECT_EQ(completion.id.value, 7U);
  ASSERT_TRUE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome->status, 200);
  EXPECT_EQ(completion.sent_at, begin);
  EXPECT_EQ(completion.ended_at - begin, milliseconds(1500));
  EXPECT_EQ(transport_.in_flight(), 0U);
  EXPECT_EQ(provider_->in_flight(), 0U);
}

TEST_F(VirtualTransport, answers_come_in_order_of_their_latency) {
  serve(one_model("m", Skill::of(1)));
  auto other = std::make_unique<SimulatedProvider>(slow(seconds(5)), 1, suite_);
  transport_.add("10.0.0.1:80", *other);
  wire::Request request;
  request.url = "http://10.0.0.1/v1/chat/completions";
  request.body = small_talk("m");
  transport_.start(wire::ExchangeId{1}, std::move(request), sink_);
  send(2);
  loop_->run();
  ASSERT_EQ(sink_.completions.size(), 2U);
  EXPECT_EQ(sink_.completions[0].id.value, 2U);
  EXPECT_EQ(sink_.completions[1].id.value, 1U);
}

TEST_F(VirtualTransport, nobody_listening_is_a_failed_connection) {
  send(1);
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::connect);
  sink_.completions.clear();
  serve(slow(seconds(1)));
  transport_.remove("127.0.0.1:18801");
  send(2);
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::connect);
}

TEST_F(VirtualTransport, a_bad_url_sends_nothing) {
  wire::Request request;
  request.url = "gopher://x";
  transport_.start(wire::ExchangeId{1}, std::move(request), sink_);
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::invalid_request);
}

TEST_F(VirtualTransport, an_answer_slower_than_the_first_byte_limit_is_given_up) {
  serve(slow(seconds(100)));
  const base::Instant begin = loop_->now();
  send(1, {.first_byte = seconds(60)});
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::first_byte_timeout);
  EXPECT_EQ(sink_.completions[0].ended_at - begin, seconds(60));
  EXPECT_EQ(provider_->audit().entries()[0].end, AuditEntry::End::disconnected);
}

TEST_F(VirtualTransport, the_total_limit_counts_too) {
  serve(slow(seconds(100)));
  send(1, {.first_byte = seconds(60), .total = seconds(20)});
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::total_timeout);
}

TEST_F(VirtualTransport, a_stall_ends_by_the_clients_patience) {
  serve(faulty(FaultKind::stall));
  const base::Instant begin = loop_->now();
  send(1, {.first_byte = hours(1)});
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::first_byte_timeout);
  EXPECT_EQ(loop_->now() - begin, hours(1));
}

TEST_F(VirtualTransport, lost_connections_are_told_apart) {
  serve(faulty(FaultKind::reset));
  send(1);
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::reset);
  sink_.completions.clear();
  serve(faulty(FaultKind::truncated_body));
  send(2);
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::broken);
  EXPECT_GT(sink_.completions[0].first_byte_at, sink_.completions[0].sent_at);
}

TEST_F(VirtualTransport, an_answer_larger_than_allowed_is_too_large) {
  serve(one_model("m", Skill::of(1)));
  wire::Request request;
  request.url = "http://127.0.0.1:18801/v1/chat/completions";
  request.body = small_talk("m");
  request.answer_bytes_max = 10;
  transport_.start(wire::ExchangeId{1}, std::move(request), sink_);
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::too_large);
}

TEST_F(VirtualTransport, cancel_completes_soon_once_and_frees_the_slot) {
  serve(slow(seconds(100)));
  const base::Instant begin = loop_->now();
  send(1);
  transport_.cancel(wire::ExchangeId{1});
  EXPECT_TRUE(sink_.completions.empty());
  transport_.cancel(wire::ExchangeId{1});
  loop_->run();
  ASSERT_EQ(sink_.completions.size(), 1U);
  EXPECT_EQ(failure(), wire::FailureKind::cancelled);
  EXPECT_EQ(loop_->now(), begin);
  EXPECT_EQ(provider_->in_flight(), 0U);
  EXPECT_GT(provider_->bill().output_tokens, 0);
  transport_.cancel(wire::ExchangeId{1});
  loop_->run();
  EXPECT_EQ(sink_.completions.size(), 1U);
}

TEST_F(VirtualTransport, an_exchange_left_open_dies_with_the_transport) {
  serve(slow(seconds(1)));
  {
    SimTransport local(*loop_);
    local.add(*provider_);
    wire::Request request;
    request.url = "http://127.0.0.1:18801/v1/chat/completions";
    request.body = small_talk("m");
    local.start(wire::ExchangeId{1}, std::move(request), sink_);
  }
  loop_->run();
  EXPECT_TRUE(sink_.completions.empty());
}

TEST_F(VirtualTransport, a_stream_comes_in_pieces_each_at_its_time) {
  serve(slow(seconds(35)));
  const base::Instant begin = loop_->now();
  std::vector<Duration> times;
  sink_.on_piece = [&](wire::ExchangeId) { times.push_back(loop_->now() - begin); };
  stream(1);
  loop_->run();
  ASSERT_EQ(sink_.completions.size(), 1U);
  ASSERT_TRUE(sink_.completions[0].outcome.has_value());
  EXPECT_TRUE(sink_.completions[0].outcome->body.empty());
  EXPECT_EQ(sink_.completions[0].first_byte_at, begin);  // the head
  ASSERT_GT(times.size(), 4U);
  EXPECT_EQ(times[0], seconds(10));
  EXPECT_EQ(sink_.pieces[0], ": keep-alive\n\n");
  EXPECT_EQ(times[2], seconds(30));
  EXPECT_EQ(times[3], seconds(35));
  EXPECT_TRUE(sink_.pieces.back().contains("[DONE]")) << sink_.pieces.back();
  EXPECT_EQ(sink_.statuses.front(), 200);
  EXPECT_EQ(provider_->in_flight(), 0U);
}

TEST_F(VirtualTransport, signs_of_life_are_no_progress) {
  serve(slow(seconds(500)));
  const base::Instant begin = loop_->now();
  stream(1, {.first_byte = seconds(60), .liveness = seconds(60), .progress = seconds(300)});
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::progress_timeout);
  EXPECT_EQ(loop_->now() - begin, seconds(300));
  EXPECT_EQ(sink_.pieces.size(), 29U);
  EXPECT_EQ(provider_->audit().entries()[0].end, AuditEntry::End::disconnected);
}

TEST_F(VirtualTransport, what_streams_for_ever_ends_by_the_clients_limits) {
  for (const FaultKind kind : {FaultKind::comments, FaultKind::head_stall}) {
    sink_.completions.clear();
    serve(faulty(kind));
    const base::Instant begin = loop_->now();
    stream(1, {.liveness = seconds(50), .progress = seconds(130)});
    loop_->run();
    const bool has_comments = kind == FaultKind::comments;
    EXPECT_EQ(
        failure(),
        has_comments ? wire::FailureKind::progress_timeout : wire::FailureKind::liveness_timeout);
    EXPECT_EQ(loop_->now() - begin, has_comments ? seconds(130) : milliseconds(50'100));
  }
}

TEST_F(VirtualTransport, a_stream_that_is_lost_is_broken) {
  serve(faulty(FaultKind::truncated_body));
  stream(1);
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::broken);
  EXPECT_FALSE(sink_.pieces.empty());
}

TEST_F(VirtualTransport, a_plain_answer_to_a_streamed_request_is_one_piece) {
  serve(faulty(FaultKind::error_in_200));
  stream(1);
  loop_->run();
  ASSERT_TRUE(sink_.completions.at(0).outcome.has_value());
  ASSERT_EQ(sink_.pieces.size(), 1U);
  EXPECT_TRUE(sink_.completions[0].outcome->body.empty());
  sink_.completions.clear();
  serve(faulty(FaultKind::http_500));
  stream(2);
  loop_->run();
  EXPECT_EQ(sink_.pieces.size(), 1U);
  EXPECT_FALSE(sink_.completions.at(0).outcome->body.empty());  // of an error
}

TEST_F(VirtualTransport, its_reader_may_stop_a_stream) {
  serve(slow(seconds(35)));
  sink_.stops = true;
  stream(1);
  loop_->run();
  EXPECT_EQ(failure(), wire::FailureKind::cancelled);
  EXPECT_EQ(sink_.pieces.size(), 1U);
  sink_.completions.clear();
  sink_.pieces.clear();
  sink_.stops = false;
  sink_.on_piece = [this](wire::ExchangeId id) { transport_.cancel(id); };
  stream(2);
  loop_->run();
  ASSERT_EQ(sink_.completions.size(), 1U);
  EXPECT_EQ(failure(), wire::FailureKind::cancelled);
  EXPECT_EQ(sink_.pieces.size(), 1U);
  EXPECT_EQ(provider_->in_flight(), 0U);
}

TEST_F(VirtualTransport, two_runs_are_the_same) {
  const auto run = [&] {
    const auto loop = aio::Loop::virtual_time();
    ProviderProfile profile = slow(seconds(1));
    profile.models[0].ttft_ms.sigma = 0.7;
    profile.faults.push_back({});
    profile.faults[0].probability = 0.2;
    SimulatedProvider provider(profile, 1, suite_);
    SimTransport transport(*loop);
    transport.add("h:1", provider);
    Sink sink;
    for (std::uint64_t i = 0; i < 100; ++i) {
      wire::Request request;
      request.url = "http://h:1/v1/chat/completions";
      request.body = small_talk("m");
      transport.start(wire::ExchangeId{i}, std::move(request), sink);
    }
    loop->run();
    std::string all;
    for (const wire::Completion& completion : sink.completions) {
      all += std::to_string(completion.id.value) + "@" +
             std::to_string(completion.ended_at.time_since_epoch().count()) + "=" +
             std::to_string(completion.outcome->status) + " ";
    }
    return all;
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace sortie::sim
