#include "sortie/http/curl_transport.h"
#include "sortie/http/server.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

// What happens to connections between requests.

namespace sortie::http {
namespace {

using std::chrono::milliseconds;
using wire::FailureKind;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(CurlPool, connections_that_the_peer_closes_while_idle_do_not_stay_in_close_wait) {
  ServerOptions options;
  options.idle_max = milliseconds(50);
  Pair pair({}, options);
  std::vector<ResponseSlot> slots;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    slots.push_back(std::move(slot));
    if (slots.size() == 50) {
      for (ResponseSlot& waiting : slots) {
        waiting.respond(answer("x"));
      }
    }
  };
  for (int i = 0; i < 50; ++i) {
    pair.start(pair.request());
  }
  ASSERT_TRUE(pair.inbox.wait_for(50));
  EXPECT_EQ(pair.client->stats().idle_connections, 50U);
  ASSERT_TRUE(run_until(*pair.loop, [&] { return pair.client->stats().idle_connections == 0; }));
  EXPECT_EQ(sockets_in_close_wait(), 0U);
  // Nothing lives in the pool any more, so that its descriptors are given back as well.
  ASSERT_TRUE(run_until(*pair.loop, [&] { return pair.client->stats().open_connections == 0; }));
}

TEST(CurlPool, this_test_can_see_close_wait) {
  const RawServer peer([](int connection) { write_all(connection, "x"); });
  const std::string url = peer.url();
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  const int client = connect_to(port);
  std::string byte(1, '\0');
  ASSERT_EQ(::recv(client, byte.data(), 1, 0), 1);
  ASSERT_EQ(::recv(client, byte.data(), 1, 0), 0);
  EXPECT_EQ(sockets_in_close_wait(), 1U);
  ::close(client);
}

TEST(CurlPool, a_connection_closed_while_idle_is_replaced_without_an_error) {
  std::atomic<int> requests = 0;
  // Serves one request per connection and closes it without saying so.
  const RawServer peer([&](int connection) {
    if (!read_request(connection).empty()) {
      ++requests;
      write_all(connection, kOk);
    }
  });
  Pair pair;
  for (int i = 0; i < 20; ++i) {
    wire::Request request = pair.request();
    request.url = peer.url();
    const auto completion = pair.ask(std::move(request));
    ASSERT_TRUE(completion.outcome.has_value()) << i << ": " << completion.outcome.error().message;
    // The FIN is noticed by the watch, not by the next request.
    ASSERT_TRUE(run_until(*pair.loop, [&] { return pair.client->stats().idle_connections == 0; }));
  }
  EXPECT_EQ(requests, 20);
  EXPECT_LE(pair.client->stats().open_connections, 1U);
  pair.client.reset();
}

TEST(CurlPool, a_request_that_may_have_been_processed_is_not_sent_again) {
  std::atomic<int> requests = 0;
  // Answers the first request of a connection and dies on the second after having read it.
  const RawServer peer([&](int connection) {
    for (int i = 0; i < 2 && !read_request(connection).empty(); ++i) {
      ++requests;
      if (i == 0) {
        write_all(connection, kOk);
      }
    }
  });
  Pair pair;
  wire::Request request = pair.request();
  request.url = peer.url();
  ASSERT_TRUE(pair.ask(request).outcome.has_value());
  const auto completion = pair.ask(request);
  ASSERT_FALSE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome.error().kind, FailureKind::reset);
  EXPECT_EQ(requests, 2);
  pair.client.reset();
}

TEST(CurlPool, idle_connections_are_closed_after_their_time) {
  CurlTransport::Options options;
  options.idle_max = milliseconds(50);
  Pair pair(options);
  ASSERT_TRUE(pair.ask(pair.request()).outcome.has_value());
  EXPECT_EQ(pair.server->stats().connections, 1U);
  ASSERT_TRUE(run_until(*pair.loop, [&] { return pair.server->stats().connections == 0; }));
  ASSERT_TRUE(run_until(*pair.loop, [&] { return pair.client->stats().open_connections == 0; }));
  ASSERT_TRUE(pair.ask(pair.request()).outcome.has_value());
  EXPECT_EQ(pair.client->stats().connections_opened, 2U);
}

TEST(CurlPool, a_live_connection_survives_the_death_of_another) {
  Pair pair;
  const RawServer dying([](int connection) {
    read_request(connection);
    write_all(connection, kOk);
  });
  ASSERT_TRUE(pair.ask(pair.request()).outcome.has_value());
  wire::Request request = pair.request();
  request.url = dying.url();
  ASSERT_TRUE(pair.ask(std::move(request)).outcome.has_value());
  ASSERT_TRUE(run_until(*pair.loop, [&] { return pair.client->stats().idle_connections == 1; }));
  ASSERT_TRUE(pair.ask(pair.request()).outcome.has_value());
  EXPECT_EQ(pair.server->stats().connections_accepted, 1U);
  pair.client.reset();
}

}  // namespace
}  // namespace sortie::http
