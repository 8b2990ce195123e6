#include "sortie/http/curl_transport.h"

#include "sortie/aio/loop.h"
#include "sortie/http/server.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

namespace sortie::http {
namespace {

using wire::FailureKind;

TEST(CurlTransport, brings_an_answer_with_its_status_headers_and_times) {
  Pair pair;
  pair.handler.on_request = [](ServerRequest request, ResponseSlot slot) {
    wire::Response response = answer("echo " + request.body, 201);
    response.headers.add("X-Request-Id", "r-7");
    slot.respond(std::move(response));
  };
  const auto completion = pair.ask(pair.request());
  ASSERT_TRUE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome->status, 201);
  EXPECT_EQ(completion.outcome->body, "echo hello");
  EXPECT_EQ(completion.outcome->headers.find("x-request-id"), "r-7");
  EXPECT_LE(completion.sent_at, completion.first_byte_at);
  EXPECT_LE(completion.first_byte_at, completion.ended_at);
}

TEST(CurlTransport, sends_what_it_was_given_and_little_else) {
  Pair pair;
  ServerRequest seen;
  pair.handler.on_request = [&](ServerRequest request, ResponseSlot slot) {
    seen = std::move(request);
    slot.respond(answer(""));
  };
  wire::Request request = pair.request("/v1/chat?a=b");
  request.headers.add("Authorization", "Bearer k");
  request.headers.add("X-Empty", "");
  request.headers.add("Content-Type", "application/json");
  request.body = "{}";
  ASSERT_TRUE(pair.ask(std::move(request)).outcome.has_value());
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/v1/chat?a=b");
  EXPECT_EQ(seen.body, "{}");
  EXPECT_EQ(seen.headers.find("authorization"), "Bearer k");
  EXPECT_EQ(seen.headers.find("x-empty"), "");
  EXPECT_EQ(seen.headers.find("content-type"), "application/json");
  EXPECT_EQ(seen.headers.find("user-agent"), "sortie/0.1");
  EXPECT_EQ(seen.headers.find("expect"), std::nullopt);
}

TEST(CurlTransport, uses_every_method_whatever_the_handle_carried_before) {
  Pair pair;
  pair.handler.on_request = [](ServerRequest request, ResponseSlot slot) {
    slot.respond(answer(request.method + ":" + request.body));
  };
  const auto ask = [&](wire::Method method, std::string body) {
    wire::Request request = pair.request();
    request.method = method;
    request.body = std::move(body);
    return pair.ask(std::move(request)).outcome.value().body;
  };
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ask(wire::Method::post, "a"), "POST:a");
    EXPECT_EQ(ask(wire::Method::get, ""), "GET:");
    EXPECT_EQ(ask(wire::Method::put, "b"), "PUT:b");
    EXPECT_EQ(ask(wire::Method::delete_, ""), "DELETE:");
    EXPECT_EQ(ask(wire::Method::delete_, "c"), "DELETE:c");
    EXPECT_EQ(ask(wire::Method::post, ""), "POST:");
  }
}

TEST(CurlTransport, large_bodies_go_and_come_without_waiting_for_permission) {
  Pair pair;
  wire::Request request = pair.request();
  request.body.assign(8UL * 1024 * 1024, 'x');
  const std::string body = request.body;
  const auto completion = pair.ask(std::move(request));
  ASSERT_TRUE(completion.outcome.has_value());
  EXPECT_TRUE(completion.outcome->body == body);
}

TEST(CurlTransport, keeps_one_connection_for_requests_in_sequence) {
  Pair pair;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(pair.ask(pair.request()).outcome.has_value());
  }
  EXPECT_EQ(pair.server->stats().connections_accepted, 1U);
  EXPECT_EQ(pair.client->stats().open_connections, 1U);
  EXPECT_EQ(pair.client->stats().idle_connections, 1U);
  EXPECT_EQ(pair.client->stats().in_flight, 0U);
  EXPECT_EQ(pair.client->stats().exchanges_completed, 20U);
}

TEST(CurlTransport, two_hundred_requests_are_in_flight_at_once) {
  constexpr std::size_t kRequests = 200;
  Pair pair;
  std::vector<ResponseSlot> slots;
  pair.handler.on_request = [&](ServerRequest request, ResponseSlot slot) {
    static_cast<void>(request);
    slots.push_back(std::move(slot));
    if (slots.size() == kRequests) {
      for (ResponseSlot& waiting : slots) {
        waiting.respond(answer("x"));
      }
    }
  };
  std::set<std::uint64_t> expected;
  for (std::size_t i = 0; i < kRequests; ++i) {
    expected.insert(pair.start(pair.request()).value);
  }
  EXPECT_EQ(pair.client->stats().in_flight, kRequests);
  ASSERT_TRUE(pair.inbox.wait_for(kRequests));
  std::set<std::uint64_t> arrived;
  for (const wire::Completion& completion : pair.inbox.completions) {
    EXPECT_TRUE(completion.outcome.has_value());
    arrived.insert(completion.id.value);
  }
  EXPECT_EQ(arrived, expected);
  EXPECT_EQ(pair.server->stats().connections_accepted, kRequests);
}

TEST(CurlTransport, requests_beyond_the_connection_limit_wait_in_order) {
  CurlTransport::Options options;
  options.connections_per_host_max = 2;
  Pair pair(options);
  std::vector<std::string> order;
  std::size_t open = 0;
  std::size_t most = 0;
  pair.handler.on_request = [&](ServerRequest request, ResponseSlot slot) {
    order.push_back(request.body);
    most = std::max(most, ++open);
    pair.loop->post([&open, slot = std::move(slot)]() mutable {
      --open;
      slot.respond(answer("x"));
    });
  };
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    wire::Request request = pair.request();
    request.body = std::to_string(i);
    expected.push_back(request.body);
    pair.start(std::move(request));
  }
  EXPECT_EQ(pair.client->stats().waiting, 18U);
  ASSERT_TRUE(pair.inbox.wait_for(20));
  EXPECT_LE(most, 2U);
  EXPECT_EQ(pair.server->stats().connections_accepted, 2U);
  // Two connections race, so neighbours may swap on their way; the queue itself keeps the order.
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_LE(std::abs(std::stoi(order[i]) - static_cast<int>(i)), 2);
  }
}

TEST(CurlTransport, an_endpoint_may_want_fewer_connections) {
  Pair pair;
  std::size_t most = 0;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    most = std::max(most, pair.server->stats().connections);
    slot.respond(answer("x"));
  };
  const auto access = std::make_shared<const wire::Access>(
      wire::Access{.ca_file = {}, .proxy = {}, .connections_max = 3});
  for (int i = 0; i < 20; ++i) {
    wire::Request request = pair.request();
    request.access = access;
    pair.start(std::move(request));
  }
  EXPECT_EQ(pair.client->stats().waiting, 17U);
  ASSERT_TRUE(pair.inbox.wait_for(20));
  EXPECT_EQ(most, 3U);
  EXPECT_EQ(pair.server->stats().connections_accepted, 3U);
}

TEST(CurlTransport, opens_no_more_connections_than_there_are_files) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlimit few{.rlim_cur = 100, .rlim_max = files.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  {
    Pair pair;
    for (int i = 0; i < 120; ++i) {
      pair.start(pair.request());
    }
    EXPECT_EQ(pair.client->stats().waiting, 70U);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
}

TEST(CurlTransport, requests_to_several_hosts_wait_in_one_line) {
  CurlTransport::Options options;
  options.connections_max = 1;
  Pair pair(options);
  std::string order;
  pair.handler.on_request = [&](ServerRequest request, ResponseSlot slot) {
    order += request.body;
    slot.respond(answer("x"));
  };
  const auto other = Server::listen(*pair.loop, pair.handler, {}).value();
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    wire::Request request = pair.request();
    request.body = name;
    if (request.body < "c" || request.body == "e") {
      request.url = other->url();
    }
    pair.start(std::move(request));
  }
  ASSERT_TRUE(pair.inbox.wait_for(6));
  EXPECT_EQ(order, "abcdef");
}

TEST(CurlTransport, more_waiting_requests_than_allowed_are_refused) {
  CurlTransport::Options options;
  options.connections_max = 1;
  options.waiting_max = 1;
  Pair pair(options);
  for (int i = 0; i < 3; ++i) {
    pair.start(pair.request());
  }
  ASSERT_TRUE(pair.inbox.wait_for(3));
  std::size_t refused = 0;
  for (const wire::Completion& completion : pair.inbox.completions) {
    refused +=
        !completion.outcome && completion.outcome.error().kind == FailureKind::connect ? 1 : 0;
  }
  EXPECT_EQ(refused, 1U);
}

TEST(CurlTransport, never_completes_from_inside_start) {
  Pair pair;
  wire::Request bad = pair.request();
  bad.url = "nonsense";
  pair.start(std::move(bad));
  pair.start(pair.request());
  EXPECT_TRUE(pair.inbox.completions.empty());
  ASSERT_TRUE(pair.inbox.wait_for(2));
}

TEST(CurlTransport, follows_no_redirect) {
  Pair pair;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    wire::Response response = answer("", 302);
    response.headers.add("Location", pair.server->url() + "/elsewhere");
    slot.respond(std::move(response));
  };
  const auto completion = pair.ask(pair.request());
  ASSERT_TRUE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome->status, 302);
  EXPECT_EQ(pair.server->stats().requests, 1U);
}

TEST(CurlTransport, brings_streamed_answers_in_whole) {
  Pair pair;
  pair.handler.on_request = [](ServerRequest, ResponseSlot slot) {
    slot.begin(answer(""));
    slot.write("data: a\n\n");
    slot.write("data: b\n\n");
    slot.end();
  };
  const auto completion = pair.ask(pair.request());
  ASSERT_TRUE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome->body, "data: a\n\ndata: b\n\n");
}

/// Starts another request from inside each completion.
class Chain final : public wire::CompletionSink {
 public:
  Chain(Pair& pair, int length) : pair_(pair), left_(length) {}

  void next() {
    --left_;
    pair_.client->start(wire::ExchangeId{1}, pair_.request(), *this);
  }

  void completed(wire::Completion completion) override {
    ++(completion.outcome ? good : bad);
    if (left_ > 0) {
      next();
    }
  }

  int good = 0;
  int bad = 0;

 private:
  Pair& pair_;
  int left_;
};

TEST(CurlTransport, a_completion_may_start_the_next_exchange_under_the_same_id) {
  Pair pair;
  Chain chain(pair, 100);
  chain.next();
  ASSERT_TRUE(run_until(*pair.loop, [&] { return chain.good + chain.bad == 100; }));
  EXPECT_EQ(chain.bad, 0);
  EXPECT_EQ(pair.server->stats().connections_accepted, 1U);
}

TEST(CurlTransport, a_cancelled_exchange_completes_as_such_and_closes_its_connection) {
  Pair pair;
  bool left = false;
  ResponseSlot held;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    held = std::move(slot);
    held.on_disconnect([&] { left = true; });
  };
  const auto id = pair.start(pair.request());
  ASSERT_TRUE(run_until(*pair.loop, [&] { return held.connected(); }));
  pair.client->cancel(id);
  EXPECT_TRUE(pair.inbox.completions.empty());
  ASSERT_TRUE(pair.inbox.wait_for(1));
  ASSERT_FALSE(pair.inbox.completions[0].outcome.has_value());
  EXPECT_EQ(pair.inbox.completions[0].outcome.error().kind, FailureKind::cancelled);
  EXPECT_TRUE(run_until(*pair.loop, [&] { return left; }));
  EXPECT_FALSE(held.connected());
  EXPECT_EQ(pair.client->stats().open_connections, 0U);
}

TEST(CurlTransport, a_request_can_be_cancelled_while_it_is_being_sent) {
  Pair pair;
  std::atomic<bool> is_connected = false;
  const RawServer peer([&](int connection) {
    is_connected = true;
    // Nothing is read but the end, which comes with a reset as there is more.
    pollfd closed{.fd = connection, .events = POLLRDHUP, .revents = 0};
    ::poll(&closed, 1, 10'000);
  });
  wire::Request request = pair.request();
  request.url = peer.url();
  request.body.assign(32UL * 1024 * 1024, 'x');
  const auto id = pair.start(std::move(request));
  ASSERT_TRUE(run_until(*pair.loop, [&] { return is_connected.load(); }));
  pair.client->cancel(id);
  ASSERT_TRUE(pair.inbox.wait_for(1));
  EXPECT_EQ(pair.inbox.completions[0].outcome.error().kind, FailureKind::cancelled);
  EXPECT_EQ(pair.client->stats().open_connections, 0U);
}

TEST(CurlTransport, cancelling_what_waits_or_is_over_is_harmless) {
  CurlTransport::Options options;
  options.connections_max = 1;
  Pair pair(options);
  pair.start(pair.request());
  const auto waiting = pair.start(pair.request());
  pair.client->cancel(waiting);
  pair.client->cancel(waiting);
  pair.client->cancel(wire::ExchangeId{999});
  ASSERT_TRUE(pair.inbox.wait_for(2));
  EXPECT_EQ(pair.inbox.completions.size(), 2U);
  EXPECT_EQ(pair.server->stats().requests, 1U);
}

TEST(CurlTransport, an_idle_pool_does_not_keep_the_loop_running) {
  Pair pair;
  ASSERT_TRUE(pair.ask(pair.request()).outcome.has_value());
  pair.server->stop();
  pair.loop->run();
  EXPECT_LE(pair.client->stats().open_connections, 1U);
}

TEST(CurlTransport, destroying_it_abandons_what_is_in_flight) {
  Pair pair;
  std::vector<ResponseSlot> held;
  pair.handler.on_request = [&](ServerRequest, ResponseSlot slot) {
    held.push_back(std::move(slot));
  };
  for (int i = 0; i < 3; ++i) {
    pair.start(pair.request());
  }
  ASSERT_TRUE(run_until(*pair.loop, [&] { return held.size() == 3; }));
  pair.client->cancel(wire::ExchangeId{1});
  pair.client.reset();
  ASSERT_TRUE(run_until(*pair.loop, [&] { return pair.server->stats().connections == 0; }));
  EXPECT_TRUE(pair.inbox.completions.empty());
}

}  // namespace
}  // namespace sortie::http
