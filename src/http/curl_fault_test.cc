#include "sortie/http/curl_transport.h"
#include "sortie/http/server.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

// Each way a peer can fail, and what the caller is told about it.

namespace sortie::http {
namespace {

using std::chrono::milliseconds;
using wire::FailureKind;

constexpr milliseconds kShort(60);

std::string kind_of(const wire::Completion& completion) {
  return completion.outcome ? "answer " + std::to_string(completion.outcome->status)
                            : std::string(wire::to_string(completion.outcome.error().kind));
}

std::string outcome_with(Pair& pair, std::string url, wire::Timeouts timeouts = {}) {
  wire::Request request = pair.request();
  request.url = std::move(url);
  request.timeouts = timeouts;
  return kind_of(pair.ask(std::move(request)));
}

/// What a request to a scripted peer comes to.
std::string outcome_of(RawServer::Script script, wire::Timeouts timeouts = {}) {
  Pair pair;
  const RawServer peer(std::move(script));
  std::string outcome = outcome_with(pair, peer.url(), timeouts);
  pair.client.reset();
  return outcome;
}

RawServer::Script says(std::string bytes) {
  return [bytes = std::move(bytes)](int connection) {
    read_request(connection);
    write_all(connection, bytes);
  };
}

RawServer::Script says_then_resets(std::string bytes) {
  return [bytes = std::move(bytes)](int connection) {
    read_request(connection);
    write_all(connection, bytes);
    reset_connection(connection);
  };
}

/// Ends only when the client leaves.
RawServer::Script says_then_stalls(std::string bytes) {
  return [bytes = std::move(bytes)](int connection) {
    read_request(connection);
    write_all(connection, bytes);
    read_request(connection);
  };
}

TEST(CurlFault, a_refused_connection) {
  Pair pair;
  const std::string url = pair.server->url();
  pair.server->stop();
  EXPECT_EQ(outcome_with(pair, url), "connect");
}

TEST(CurlFault, a_black_hole) {
  Pair pair;
  const BlackHole hole;
  EXPECT_EQ(outcome_with(pair, hole.url(), {.connect = kShort}), "connect_timeout");
}

TEST(CurlFault, connections_that_failed_are_forgotten_with_their_descriptors) {
  Pair pair;
  const std::string good = pair.server->url();
  const BlackHole hole;
  std::string refused;
  {
    Pair gone;
    refused = gone.server->url();
  }
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(outcome_with(pair, hole.url(), {.connect = kShort}), "connect_timeout");
    EXPECT_EQ(pair.client->stats().open_connections, 0U);
    EXPECT_EQ(outcome_with(pair, refused), "connect");
    EXPECT_EQ(pair.client->stats().open_connections, 0U);
    EXPECT_EQ(pair.client->stats().idle_connections, 0U);
  }
  // The numbers come back.
  for (int i = 0; i < 3; ++i) {
    pair.server->receive(Reception::refusing);
    pair.server->receive(Reception::accepting);
    EXPECT_EQ(outcome_with(pair, hole.url(), {.connect = kShort}), "connect_timeout");
    EXPECT_EQ(outcome_with(pair, good, {.connect = std::chrono::seconds(2)}), "answer 200");
  }
}

TEST(CurlFault, tls_to_a_peer_that_speaks_none) {
  Pair pair;
  const RawServer peer([](int connection) { write_all(connection, "HTTP/1.1 400 no\r\n\r\n"); });
  EXPECT_EQ(outcome_with(pair, "https" + peer.url().substr(4)), "tls");
}

TEST(CurlFault, silence_after_accepting) {
  EXPECT_EQ(outcome_of(says_then_stalls(""), {.first_byte = kShort}), "first_byte_timeout");
}

TEST(CurlFault, silence_after_the_head) {
  EXPECT_EQ(outcome_of(says_then_stalls("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
                       {.liveness = kShort}),
            "liveness_timeout");
}

TEST(CurlFault, silence_in_the_middle_of_the_body) {
  EXPECT_EQ(outcome_of(says_then_stalls("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
                       {.liveness = kShort}),
            "liveness_timeout");
}

TEST(CurlFault, an_answer_that_never_ends) {
  const auto drips = [](int connection) {
    read_request(connection);
    write_all(connection, "HTTP/1.1 200 OK\r\n\r\n");
    while (::send(connection, "x", 1, MSG_NOSIGNAL) == 1) {
      std::this_thread::yield();
    }
  };
  EXPECT_EQ(outcome_of(drips, {.liveness = std::chrono::seconds(5), .total = kShort}),
            "total_timeout");
}

TEST(CurlFault, a_close_before_any_byte) {
  EXPECT_EQ(outcome_of(says("")), "reset");
}

TEST(CurlFault, a_reset_before_any_byte) {
  EXPECT_EQ(outcome_of(says_then_resets("")), "reset");
}

TEST(CurlFault, a_reset_before_the_request_was_read) {
  // Without a first byte of the request the client might not have noticed yet that it is connected.
  const auto resets = [](int connection) {
    pollfd readable{.fd = connection, .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, -1);
    reset_connection(connection);
  };
  EXPECT_EQ(outcome_of(resets), "reset");
}

TEST(CurlFault, a_close_in_the_middle_of_the_body) {
  EXPECT_EQ(outcome_of(says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")), "broken");
}

TEST(CurlFault, a_reset_in_the_middle_of_the_body) {
  EXPECT_EQ(outcome_of(says_then_resets("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")),
            "broken");
}

TEST(CurlFault, a_close_in_the_middle_of_the_head) {
  EXPECT_EQ(outcome_of(says("HTTP/1.1 200 OK\r\nContent-Le")), "broken");
}

TEST(CurlFault, a_chunked_answer_without_its_end) {
  EXPECT_EQ(outcome_of(says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")),
            "broken");
}

TEST(CurlFault, chunks_that_are_none) {
  EXPECT_EQ(outcome_of(says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nabc\r\n")),
            "broken");
}

TEST(CurlFault, bytes_that_are_no_http) {
  EXPECT_EQ(outcome_of(says("SSH-2.0-OpenSSH_9.2\r\n")), "broken");
}

TEST(CurlFault, an_encoding_that_is_broken) {
  EXPECT_EQ(outcome_of(says(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!")),
            "broken");
}

TEST(CurlFault, an_answer_whose_length_is_only_its_close_is_no_fault) {
  EXPECT_EQ(outcome_of(says("HTTP/1.1 200 OK\r\n\r\nabc")), "answer 200");
}

TEST(CurlFault, an_interim_answer_is_no_answer) {
  EXPECT_EQ(
      outcome_of(says("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")),
      "answer 204");
}

TEST(CurlFault, more_body_than_allowed_announced_or_not) {
  Pair pair;
  bool stream = false;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    if (stream) {
      slot.begin(answer(""));
      slot.write(std::string(600, 'x'));
      slot.write(std::string(600, 'x'));
      slot.end();
    } else {
      slot.respond(answer(std::string(1200, 'x')));
    }
  };
  for (const bool streamed : {false, true}) {
    stream = streamed;
    for (const std::size_t most : {1199UL, 1200UL}) {
      wire::Request request = pair.request();
      request.answer_bytes_max = most;
      EXPECT_EQ(kind_of(pair.ask(std::move(request))), most < 1200 ? "too_large" : "answer 200");
    }
  }
}

TEST(CurlFault, more_head_than_allowed) {
  CurlTransport::Options options;
  options.header_bytes_max = 2000;
  Pair pair(options);
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    wire::Response response = answer("");
    response.headers.add("X-Long", std::string(3000, 'x'));
    slot.respond(std::move(response));
  };
  EXPECT_EQ(kind_of(pair.ask(pair.request())), "too_large");
}

TEST(CurlFault, requests_that_cannot_be_sent) {
  Pair pair;
  for (const std::string_view url :
       {"", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "http://127.0.0.1/a b"}) {
    EXPECT_EQ(outcome_with(pair, std::string(url)), "invalid_request") << url;
  }
  for (const auto& [name, value] :
       {std::pair("X", "a\r\nY: b"), {"X: y", "a"}, {"", "a"}, {"X\n", "a"}}) {
    wire::Request request = pair.request();
    request.headers.add(name, value);
    const auto completion = pair.ask(std::move(request));
    EXPECT_EQ(kind_of(completion), "invalid_request") << name;
    EXPECT_EQ(completion.outcome.error().message.find("Y: b"), std::string::npos);
  }
  EXPECT_EQ(pair.server->stats().requests, 0U);
  EXPECT_EQ(kind_of(pair.ask(pair.request())), "answer 200");
}

TEST(CurlFault, the_slots_own_faults_look_like_faults) {
  Pair pair;
  const auto with = [&](auto fault, wire::Timeouts timeouts = {}) {
    pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) { fault(slot); };
    wire::Request request = pair.request();
    request.timeouts = timeouts;
    return kind_of(pair.ask(std::move(request)));
  };
  const wire::Response full = answer("0123456789");
  EXPECT_EQ(with([](ResponseSlot& slot) { slot.close(); }), "reset");
  EXPECT_EQ(with([](ResponseSlot& slot) { slot.close(Ending::reset); }), "reset");
  EXPECT_EQ(with([](ResponseSlot&) {}), "reset");
  EXPECT_EQ(with([&](ResponseSlot& slot) { slot.send_truncated(full, 5); }), "broken");
  EXPECT_EQ(with([&](ResponseSlot& slot) { slot.send_truncated(full, 5, Ending::reset); }),
            "broken");
  EXPECT_EQ(with([&](ResponseSlot& slot) { slot.send_truncated(full, 10); }), "answer 200");
  EXPECT_EQ(
      with([&](ResponseSlot& slot) { slot.send_head_then_stall(full); }, {.liveness = kShort}),
      "liveness_timeout");
  EXPECT_EQ(
      with([&](ResponseSlot& slot) { slot.send_head_then_stall(full, 5); }, {.liveness = kShort}),
      "liveness_timeout");
  EXPECT_TRUE(run_until(*pair.loop, [&] { return pair.server->stats().connections == 0; }));
}

}  // namespace
}  // namespace sortie::http
