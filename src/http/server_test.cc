#include "sortie/http/server.h"

#include "sortie/aio/loop.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace sortie::http {
namespace {

using std::chrono::milliseconds;

TEST(Server, listens_on_loopback_at_a_port_of_its_own) {
  const auto loop = aio::Loop::real();
  FakeHandler handler;
  const auto one = Server::listen(*loop, handler, {}).value();
  const auto two = Server::listen(*loop, handler, {}).value();
  EXPECT_NE(one->port(), 0);
  EXPECT_NE(one->port(), two->port());
  EXPECT_EQ(one->url(), "http://127.0.0.1:" + std::to_string(one->port()));
}

TEST(Server, a_taken_port_is_an_error_that_names_it) {
  const auto loop = aio::Loop::real();
  FakeHandler handler;
  const auto first = Server::listen(*loop, handler, {}).value();
  const auto second = Server::listen(*loop, handler, {.port = first->port()});
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find(std::to_string(first->port())), std::string::npos);
}

TEST(Server, answers_with_exactly_this) {
  Pair pair;
  pair.handler.on_request = [](ServerRequest request, ResponseSlot slot) {
    wire::Response response;
    response.status = 429;
    response.headers.add("Retry-After", "7");
    response.headers.add("Content-Length", "999");
    response.headers.add("X-Forged", "a\r\nX-Injected: b");
    response.body = request.method + " " + request.target + " " + request.body;
    slot.respond(std::move(response));
  };
  const std::string text =
      talk(*pair.loop,
           pair.server->port(),
           "PATCH /a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(text,
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 14\r\nConnection: "
            "close\r\n\r\n"
            "PATCH /a?b abc");
}

TEST(Server, answers_pipelined_requests_one_after_the_other) {
  Pair pair;
  std::vector<ResponseSlot> slots;
  pair.handler.on_request = [&](ServerRequest request, ResponseSlot slot) {
    slots.push_back(std::move(slot));
    EXPECT_EQ(slots.size(), 1U);
    pair.loop->post([&, body = request.target]() mutable {
      ResponseSlot mine = std::move(slots.front());
      slots.clear();
      mine.respond(answer(std::move(body)));
    });
  };
  const std::string text =
      talk(*pair.loop,
           pair.server->port(),
           "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
           "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::size_t one = text.find("\r\n\r\n/1");
  const std::size_t two = text.find("\r\n\r\n/2");
  const std::size_t three = text.find("\r\n\r\n/3");
  ASSERT_NE(three, std::string::npos);
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
}

TEST(Server, streams_in_chunks_and_without_for_http_1_0) {
  Pair pair;
  pair.handler.on_request = [](ServerRequest, ResponseSlot slot) {
    slot.begin(answer("", 200));
    slot.write("abc");
    slot.write("");
    slot.write("0123456789abcdef");
    slot.end();
  };
  const std::string chunked = talk(
      *pair.loop, pair.server->port(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(chunked.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(chunked.ends_with("\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"))
      << chunked;
  const std::string plain = talk(*pair.loop, pair.server->port(), "GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(plain.find("chunked"), std::string::npos);
  EXPECT_TRUE(plain.ends_with("\r\n\r\nabc0123456789abcdef")) << plain;
}

TEST(Server, an_answer_to_head_and_a_204_have_no_body) {
  Pair pair;
  pair.handler.on_request = [](ServerRequest request, ResponseSlot slot) {
    slot.respond(answer("abc", request.method == "HEAD" ? 200 : 204));
  };
  const std::string head = talk(
      *pair.loop, pair.server->port(), "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(head.find("Content-Length: 3\r\n"), std::string::npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  const std::string none = talk(
      *pair.loop, pair.server->port(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(none.find("Content-Length"), std::string::npos);
  EXPECT_TRUE(none.ends_with("\r\n\r\n"));
}

TEST(Server, permits_a_body_to_who_asks_first) {
  Pair pair;
  const std::string text =
      talk(*pair.loop,
           pair.server->port(),
           "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
           "Content-Length: 3\r\n\r\nabc");
  EXPECT_TRUE(text.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")) << text;
  EXPECT_TRUE(text.ends_with("\r\n\r\nabc"));
}

TEST(Server, refuses_what_is_malformed_or_too_large_without_asking_the_handler) {
  ServerOptions options;
  options.header_bytes_max = 1000;
  options.body_bytes_max = 1000;
  Pair pair({}, options);
  const auto status = [&](std::string bytes) {
    const std::string text = talk(*pair.loop, pair.server->port(), std::move(bytes));
    return text.size() < 12 ? text : text.substr(9, 3);
  };
  EXPECT_EQ(status("NONSENSE\r\n\r\n"), "400");
  EXPECT_EQ(status("GET / HTTP/1.1\r\nBad Field\r\n\r\n"), "400");
  EXPECT_EQ(status("GET / HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n"), "431");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"), "413");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: 400000\r\n\r\n" + std::string(400000, 'x')),
            "413");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"), "400");
  EXPECT_EQ(pair.server->stats().requests, 0U);
}

TEST(Server, a_slot_dropped_unanswered_closes_the_connection) {
  Pair pair;
  pair.handler.on_request = [](ServerRequest, ResponseSlot slot) { static_cast<void>(slot); };
  EXPECT_EQ(talk(*pair.loop, pair.server->port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "");
}

TEST(Server, tells_when_the_client_leaves_before_its_answer) {
  Pair pair;
  std::optional<ResponseSlot> held;
  int left = 0;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    held = std::move(slot);
    held->on_disconnect([&] { ++left; });
  };
  const int client = connect_to(pair.server->port());
  write_all(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(run_until(*pair.loop, [&] { return held.has_value(); }));
  EXPECT_TRUE(held->connected());
  reset_connection(client);
  ::close(client);
  ASSERT_TRUE(run_until(*pair.loop, [&] { return left == 1; }));
  EXPECT_FALSE(held->connected());
  held->respond(answer("nobody hears this"));
  EXPECT_EQ(pair.server->stats().connections, 0U);
  held.reset();
  EXPECT_EQ(left, 1);
}

TEST(Server, tells_nobody_that_a_client_left_after_its_answer) {
  Pair pair;
  int left = 0;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    slot.on_disconnect([&] { ++left; });
    slot.respond(answer("x"));
  };
  talk(*pair.loop, pair.server->port(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(run_until(*pair.loop, [&] { return pair.server->stats().connections == 0; }));
  EXPECT_EQ(left, 0);
}

TEST(Server, resets_a_client_that_does_not_take_its_stream) {
  ServerOptions options;
  options.unsent_bytes_max = 100'000;
  Pair pair({}, options);
  std::optional<ResponseSlot> held;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    held = std::move(slot);
    held->begin(answer(""));
  };
  const int client = connect_to(pair.server->port());
  write_all(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(run_until(*pair.loop, [&] { return held.has_value(); }));
  // The system's buffers take some megabytes before the client's silence is felt.
  for (int i = 0; i < 4000 && held->connected(); ++i) {
    held->write(std::string(10'000, 'x'));
    EXPECT_LE(held->unsent_bytes(), 110'100U);
    for (int turn = 0; turn < 4; ++turn) {
      pair.loop->post([] {});
      pair.loop->run_one();
    }
  }
  EXPECT_FALSE(held->connected());
  ::close(client);
}

TEST(Server, closes_connections_that_stay_idle_or_never_finish_a_request) {
  ServerOptions options;
  options.idle_max = milliseconds(50);
  Pair pair({}, options);
  EXPECT_EQ(talk(*pair.loop, pair.server->port(), ""), "");
  EXPECT_EQ(talk(*pair.loop, pair.server->port(), "GET / HTTP/1.1\r\nHost:"), "");
  EXPECT_EQ(
      talk(*pair.loop, pair.server->port(), "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"), "");
}

TEST(Server, clients_beyond_its_limit_wait_until_one_leaves) {
  ServerOptions options;
  options.connections_max = 1;
  Pair pair({}, options);
  std::vector<ResponseSlot> held;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    held.push_back(std::move(slot));
  };
  const int first = connect_to(pair.server->port());
  const int second = connect_to(pair.server->port());
  write_all(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  write_all(second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(run_until(*pair.loop, [&] { return held.size() == 1; }));
  EXPECT_EQ(pair.server->stats().connections, 1U);
  ::close(first);
  ASSERT_TRUE(run_until(*pair.loop, [&] { return held.size() == 2; }));
  EXPECT_EQ(pair.server->stats().connections, 1U);
  ::close(second);
}

TEST(Server, the_client_that_idles_longest_makes_room_where_asked_to) {
  ServerOptions options;
  options.connections_max = 2;
  options.displace_idle = true;
  Pair pair({}, options);
  pair.handler.on_request = [](ServerRequest, ResponseSlot slot) { slot.respond(answer("here")); };
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  std::vector<int> idlers(5);
  for (int& idler : idlers) {
    idler = connect_to(pair.server->port());
    write_all(idler, "GET / HTTP/1.1\r\n");  // half a request is as idle as none
  }
  EXPECT_NE(talk(*pair.loop, pair.server->port(), request).find("here"), std::string::npos);
  EXPECT_LE(pair.server->stats().connections, 2U);
  for (const int idler : idlers) {
    ::close(idler);
  }
}

TEST(Server, a_connection_ends_with_the_answer_that_was_being_written_when_it_refused) {
  Pair pair;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    slot.respond(answer(std::string(8UL * 1024 * 1024, 'x')));
    pair.server->receive(Reception::refusing);
  };
  const wire::Completion done = pair.ask(pair.request());
  ASSERT_TRUE(done.outcome.has_value()) << done.outcome.error().message;
  EXPECT_EQ(done.outcome->body.size(), 8UL * 1024 * 1024);
  EXPECT_TRUE(run_until(*pair.loop, [&] { return pair.server->stats().connections == 0; }));
}

TEST(Server, stops_at_once_with_requests_in_flight) {
  Pair pair;
  std::vector<ResponseSlot> held;
  int left = 0;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    held.push_back(std::move(slot));
    held.back().on_disconnect([&] { ++left; });
  };
  for (int i = 0; i < 20; ++i) {
    pair.start(pair.request());
  }
  ASSERT_TRUE(run_until(*pair.loop, [&] { return held.size() == 20; }));
  pair.server->stop();
  pair.server->stop();
  EXPECT_EQ(left, 20);
  EXPECT_EQ(pair.server->stats().connections, 0U);
  ASSERT_TRUE(pair.inbox.wait_for(20));
  for (const wire::Completion& completion : pair.inbox.completions) {
    ASSERT_FALSE(completion.outcome.has_value());
    EXPECT_EQ(completion.outcome.error().kind, wire::FailureKind::reset);
  }
  pair.loop->run();
  for (ResponseSlot& slot : held) {
    slot.respond(answer("too late"));
  }
}

TEST(Server, slots_may_outlive_the_server_and_the_loop_ends_without_it) {
  Pair pair;
  std::optional<ResponseSlot> held;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) { held = std::move(slot); };
  pair.start(pair.request());
  ASSERT_TRUE(run_until(*pair.loop, [&] { return held.has_value(); }));
  pair.server.reset();
  held->begin(answer(""));
  held->write("x");
  held->end();
  ASSERT_TRUE(pair.inbox.wait_for(1));
  pair.loop->run();
}

}  // namespace
}  // namespace sortie::http
