#include "sortie/aio/loop.h"
#include "sortie/http/certificate.h"
#include "sortie/http/curl_transport.h"
#include "sortie/http/server.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

// The server under TLS, and how it receives those who come.

namespace sortie::http {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShort(60);

std::string text_of(const wire::Completion& completion) {
  return completion.outcome ? completion.outcome->body
                            : std::string(wire::to_string(completion.outcome.error().kind));
}

/// A server under TLS and a client that trusts it.
class ServerTls : public testing::Test {
 protected:
  void SetUp() override {
    const Authority authority("server test");
    ca_file_ = std::filesystem::temp_directory_path() /
               fmt::format("sortie_server_tls_{}.pem", ::getpid());
    std::ofstream(ca_file_) << authority.pem();
    pair_.emplace(
        CurlTransport::Options{.ca_file = ca_file_},
        ServerOptions{.tls = std::make_shared<const TlsIdentity>(authority.issue({"127.0.0.1"}))});
  }

  void TearDown() override { std::filesystem::remove(ca_file_); }

  [[nodiscard]] std::string ask(wire::Timeouts timeouts = {}) {
    wire::Request request = pair_->request();
    request.timeouts = timeouts;
    return text_of(pair_->ask(std::move(request)));
  }

  std::string ca_file_;
  std::optional<Pair> pair_;
};

TEST_F(ServerTls, answers_and_keeps_the_connection) {
  EXPECT_TRUE(pair_->server->url().starts_with("https://127.0.0.1:"));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ask(), "hello");
  }
  EXPECT_EQ(pair_->server->stats().connections_accepted, 1U);
}

TEST_F(ServerTls, carries_large_bodies_in_both_directions) {
  wire::Request request = pair_->request();
  request.body = std::string(3UL * 1024 * 1024, 'x');
  const std::string body = request.body;
  EXPECT_EQ(text_of(pair_->ask(std::move(request))), body);
}

TEST_F(ServerTls, streams_and_ends_answers_without_a_length_in_order) {
  pair_->handler.on_request = [](ServerRequest, ResponseSlot slot) {
    slot.begin(answer(""));
    slot.write("one ");
    slot.write("two");
    slot.end();
  };
  EXPECT_EQ(ask(), "one two");
  pair_->handler.on_request = [](ServerRequest, ResponseSlot slot) {
    slot.begin_without_head();
    slot.write("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    slot.end();
  };
  EXPECT_EQ(ask(), "until the end");
}

TEST_F(ServerTls, its_faults_look_like_faults) {
  const auto with = [&](auto fault, wire::Timeouts timeouts = {}) {
    pair_->handler.on_request = [&](ServerRequest, ResponseSlot slot) { fault(slot); };
    return ask(timeouts);
  };
  const wire::Response full = answer("0123456789");
  EXPECT_EQ(with([](ResponseSlot& slot) { slot.close(); }), "reset");
  EXPECT_EQ(with([](ResponseSlot& slot) { slot.close(Ending::reset); }), "reset");
  EXPECT_EQ(with([](ResponseSlot& slot) { slot.half_close(); }), "reset");
  EXPECT_EQ(with([&](ResponseSlot& slot) { slot.send_truncated(full, 5); }), "broken");
  EXPECT_EQ(with([&](ResponseSlot& slot) { slot.send_truncated(full, 5, Ending::reset); }),
            "broken");
  EXPECT_EQ(
      with([&](ResponseSlot& slot) { slot.send_head_then_stall(full, 5); }, {.liveness = kShort}),
      "liveness_timeout");
  EXPECT_TRUE(run_until(*pair_->loop, [&] { return pair_->server->stats().connections == 0; }));
  EXPECT_EQ(sockets_in_close_wait(), 0U);
}

TEST_F(ServerTls, notices_a_client_that_leaves_before_its_answer) {
  bool left = false;
  ResponseSlot kept;
  pair_->handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    slot.on_disconnect([&] { left = true; });
    kept = std::move(slot);
  };
  EXPECT_EQ(ask({.first_byte = kShort}), "first_byte_timeout");
  EXPECT_TRUE(run_until(*pair_->loop, [&] { return left; }));
  EXPECT_FALSE(kept.connected());
}

TEST_F(ServerTls, who_does_not_speak_it_is_not_served) {
  wire::Request request = pair_->request();
  request.url = "http" + request.url.substr(5);
  EXPECT_NE(text_of(pair_->ask(std::move(request))), "hello");
  EXPECT_EQ(pair_->server->stats().requests, 0U);
}

TEST_F(ServerTls, who_is_held_waits_in_the_handshake_until_it_is_served) {
  pair_->server->receive(Reception::held);
  EXPECT_EQ(ask({.connect = kShort}), "connect_timeout");
  pair_->loop->at(pair_->loop->now() + kShort,
                  [&] { pair_->server->receive(Reception::accepting); });
  EXPECT_EQ(ask(), "hello");
}

TEST(ServerIdentity, that_cannot_be_used_is_an_error) {
  const auto loop = aio::Loop::real();
  FakeHandler handler;
  const auto server = Server::listen(
      *loop,
      handler,
      {.tls = std::make_shared<const TlsIdentity>(TlsIdentity{.certificate = "x", .key = {}})});
  ASSERT_FALSE(server.has_value());
  EXPECT_NE(server.error().message.find("PEM"), std::string::npos);
}

TEST(ServerReception, refuses_and_accepts_again_on_the_same_port) {
  Pair pair;
  const auto ask = [&] { return text_of(pair.ask(pair.request())); };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask(), "hello");
    pair.server->receive(Reception::refusing);
    EXPECT_EQ(ask(), "connect");
    EXPECT_EQ(ask(), "connect");
    pair.server->receive(Reception::accepting);
  }
}

TEST(ServerReception, answers_nobody_who_connects_while_silent) {
  Pair pair;
  const auto ask = [&](base::Duration connect) {
    wire::Request request = pair.request();
    request.timeouts.connect = connect;
    return text_of(pair.ask(std::move(request)));
  };
  EXPECT_EQ(ask(kShort), "hello");
  pair.server->receive(Reception::silent);
  EXPECT_EQ(ask(kShort), "connect_timeout");
  EXPECT_EQ(ask(kShort), "connect_timeout");
  // The system of who connects asks again after a second.
  pair.loop->at(pair.loop->now() + milliseconds(500),
                [&] { pair.server->receive(Reception::accepting); });
  EXPECT_EQ(ask(std::chrono::seconds(5)), "hello");
  EXPECT_EQ(pair.server->stats().requests, 2U);
}

TEST(ServerReception, changes_from_each_to_each) {
  constexpr Reception kAll[] = {
      Reception::accepting, Reception::refusing, Reception::silent, Reception::held};
  Pair pair;
  for (const Reception from : kAll) {
    for (const Reception to : kAll) {
      pair.server->receive(from);
      pair.server->receive(to);
      wire::Request request = pair.request();
      request.timeouts = {.connect = kShort, .first_byte = kShort};
      const std::string expected = to == Reception::accepting  ? "hello"
                                   : to == Reception::refusing ? "connect"
                                   : to == Reception::silent   ? "connect_timeout"
                                                               : "first_byte_timeout";
      EXPECT_EQ(text_of(pair.ask(std::move(request))), expected)
          << static_cast<int>(from) << " to " << static_cast<int>(to);
    }
  }
}

TEST(ServerReception, lets_the_answer_under_way_end_with_its_connection) {
  Pair pair;
  ResponseSlot kept;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) { kept = std::move(slot); };
  pair.start(pair.request());
  ASSERT_TRUE(run_until(*pair.loop, [&] { return kept.connected(); }));
  pair.server->receive(Reception::refusing);
  kept.respond(answer("late"));
  ASSERT_TRUE(pair.inbox.wait_for(1));
  EXPECT_EQ(text_of(pair.inbox.completions[0]), "late");
  EXPECT_TRUE(run_until(*pair.loop, [&] { return pair.server->stats().connections == 0; }));
}

}  // namespace
}  // namespace sortie::http
