#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/http/certificate.h"
#include "sortie/http/curl_transport.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

// HTTP/2 against Node's implementation, with each of its ways to refuse, to leave and to hang.

namespace sortie::http {
namespace {

using std::chrono::milliseconds;
using HttpVersion = wire::Access::HttpVersion;

constexpr milliseconds kShort(200);
// What an exchange may overrun its limit by, over sockets.
constexpr std::chrono::seconds kGrace(1);

/// The number after `"name":` in the server's one-line JSON; -1 if it is not there.
int number_in(std::string_view text, std::string_view name) {
  const std::string key = fmt::format("\"{}\":", name);
  const std::size_t at = text.find(key);
  return at == std::string_view::npos ? -1 : std::atoi(text.data() + at + key.size());
}

/// tests/h2/server.mjs in a process of its own.
class NodePeer {
 public:
  NodePeer()
      : directory_(std::filesystem::temp_directory_path() /
                   fmt::format("sortie_h2_{}", ::getpid())) {
    std::filesystem::create_directories(directory_);
    const Authority authority("sortie h2 test");
    const TlsIdentity identity = authority.issue({"127.0.0.1", "localhost"});
    std::ofstream(directory_ / "ca.pem") << authority.pem();
    std::ofstream(directory_ / "certificate.pem") << identity.certificate;
    std::ofstream(directory_ / "key.pem") << identity.key.reveal();
    ports_ = launch();
  }

  NodePeer(const NodePeer&) = delete;
  NodePeer& operator=(const NodePeer&) = delete;

  ~NodePeer() {
    ::close(input_);
    ::waitpid(process_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }

  [[nodiscard]] std::string ca_file() const { return directory_ / "ca.pem"; }

  [[nodiscard]] std::string url(std::string_view server, std::string_view path) const {
    return fmt::format("{}://127.0.0.1:{}{}",
                       server == "plain" ? "http" : "https",
                       number_in(ports_, server),
                       path);
  }

 private:
  std::string launch() {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    CHECK(::pipe2(in.data(), O_CLOEXEC) == 0 && ::pipe2(out.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::array<std::string, 4> words = {
        SORTIE_NODE, SORTIE_H2_SERVER, directory_ / "certificate.pem", directory_ / "key.pem"};
    std::array<char*, 5> arguments = {
        words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    CHECK(::posix_spawn(&process_, SORTIE_NODE, &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    std::string line;
    char byte = 0;
    while (::read(out[0], &byte, 1) == 1 && byte != '\n') {
      line += byte;
    }
    ::close(out[0]);
    CHECK(line.starts_with('{'));
    return line;
  }

  std::filesystem::path directory_;
  pid_t process_ = 0;
  int input_ = -1;
  std::string ports_;
};

class Http2 : public testing::Test {
 protected:
  [[nodiscard]] wire::Request request(std::string_view server, std::string_view path) const {
    wire::Request request;
    request.method = wire::Method::post;
    request.url = peer_.url(server, path);
    request.body = "{}";
    request.access = server == "plain" ? plain_ : secure_;
    return request;
  }

  void start(wire::Request request) {
    client_->start(wire::ExchangeId{next_id_++}, std::move(request), inbox_);
  }

  [[nodiscard]] wire::Completion ask(wire::Request request) {
    inbox_.completions.clear();
    start(std::move(request));
    EXPECT_TRUE(inbox_.wait_for(1));
    CHECK(inbox_.completions.size() == 1);
    return std::move(inbox_.completions.front());
  }

  static std::string text_of(const wire::Completion& completion) {
    return completion.outcome ? completion.outcome->body
                              : std::string(wire::to_string(completion.outcome.error().kind));
  }

  [[nodiscard]] std::string outcome(std::string_view server,
                                    std::string_view path,
                                    wire::Timeouts timeouts = {}) {
    wire::Request asked = request(server, path);
    asked.timeouts = timeouts;
    return text_of(ask(std::move(asked)));
  }

  /// The server's counts. Asked for over a client of its own, so that it opens no session of ours.
  [[nodiscard]] std::string stats() {
    CurlTransport other(*loop_, {.ca_file = peer_.ca_file()});
    Inbox inbox(*loop_);
    wire::Request asked = request("plain", "/stats");
    other.start(wire::ExchangeId{1}, std::move(asked), inbox);
    EXPECT_TRUE(inbox.wait_for(1));
    return text_of(inbox.completions.at(0));
  }

  void expect_no_dead_socket() {
    EXPECT_TRUE(run_until(*loop_, [] { return sockets_in_close_wait() == 0; }));
    EXPECT_LE(sockets_in(TcpState::established), client_->stats().open_connections);
  }

  NodePeer peer_;
  std::unique_ptr<aio::Loop> loop_ = aio::Loop::real();
  std::shared_ptr<const wire::Access> plain_ = std::make_shared<const wire::Access>(
      wire::Access{.http = HttpVersion::http2, .ca_file = {}, .proxy = {}});
  std::shared_ptr<const wire::Access> secure_ =
      std::make_shared<const wire::Access>(wire::Access{.ca_file = peer_.ca_file(), .proxy = {}});
  std::unique_ptr<CurlTransport> client_ =
      std::make_unique<CurlTransport>(*loop_, CurlTransport::Options{});
  Inbox inbox_{*loop_};
  std::uint64_t next_id_ = 1;
};

TEST_F(Http2, is_spoken_where_tls_offers_it_and_without_tls_by_prior_knowledge) {
  EXPECT_EQ(outcome("tls", "/ok"), "ok");
  EXPECT_EQ(outcome("plain", "/ok"), "ok");
  EXPECT_EQ(outcome("plain", "/echo"), "{}");
  EXPECT_EQ(number_in(stats(), "http1"), 0);
}

TEST_F(Http2, is_not_spoken_where_the_file_says_so) {
  wire::Request asked = request("tls", "/ok");
  asked.access = std::make_shared<const wire::Access>(
      wire::Access{.http = HttpVersion::http1, .ca_file = peer_.ca_file(), .proxy = {}});
  EXPECT_EQ(text_of(ask(std::move(asked))), "http1");
}

TEST_F(Http2, many_requests_share_few_connections_of_at_most_64_streams) {
  for (int i = 0; i < 200; ++i) {
    start(request("tls", "/slow?ms=1000"));
  }
  ASSERT_TRUE(inbox_.wait_for(200));
  for (const wire::Completion& completion : inbox_.completions) {
    EXPECT_EQ(text_of(completion), "ok");
  }
  EXPECT_LE(client_->stats().connections_opened, 4U);
  EXPECT_EQ(number_in(stats(), "streams_at_once"), 64);
}

TEST_F(Http2, requests_by_prior_knowledge_are_all_answered) {
  for (int round = 0; round < 2; ++round) {
    inbox_.completions.clear();
    for (int i = 0; i < 100; ++i) {
      start(request("plain", "/slow?ms=100"));
    }
    ASSERT_TRUE(inbox_.wait_for(100));
    for (const wire::Completion& completion : inbox_.completions) {
      EXPECT_EQ(text_of(completion), "ok");
    }
  }
  EXPECT_EQ(number_in(stats(), "/slow"), 200);
}

TEST_F(Http2, a_refused_stream_is_told_apart_and_not_sent_again) {
  EXPECT_EQ(outcome("tls", "/ok"), "ok");
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(outcome("tls", "/refused"), "refused");
    EXPECT_EQ(number_in(stats(), "/refused"), i);
  }
  EXPECT_EQ(outcome("tls", "/ok"), "ok");
}

TEST_F(Http2, goodbye_lets_the_streams_before_it_end) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(outcome("tls", "/goaway"), "ok") << i;
    EXPECT_EQ(outcome("tls", "/ok"), "ok") << i;
  }
  expect_no_dead_socket();
}

TEST_F(Http2, streams_above_the_last_one_of_a_goodbye_are_refused_unread) {
  EXPECT_EQ(outcome("tls", "/ok"), "ok");
  EXPECT_EQ(outcome("tls", "/goaway-above"), "refused");
  EXPECT_EQ(outcome("tls", "/ok"), "ok");
  EXPECT_EQ(number_in(stats(), "/goaway-above"), 1);
  expect_no_dead_socket();
}

TEST_F(Http2, a_reset_before_an_answer_may_have_been_billed_and_one_within_is_broken) {
  EXPECT_EQ(outcome("tls", "/reset"), "reset");
  EXPECT_EQ(outcome("tls", "/reset-late"), "broken");
  EXPECT_EQ(outcome("tls", "/die"), "reset");
  EXPECT_EQ(outcome("tls", "/die-late"), "broken");
  EXPECT_EQ(outcome("tls", "/ok"), "ok");
  for (const std::string_view path : {"/reset", "/reset-late", "/die", "/die-late"}) {
    EXPECT_EQ(number_in(stats(), path), 1) << path;
  }
  expect_no_dead_socket();
}

TEST_F(Http2, with_one_stream_at_a_time_every_request_is_answered_or_refused_unread) {
  inbox_.completions.clear();
  constexpr std::size_t kRequests = 30;
  for (std::size_t i = 0; i < kRequests; ++i) {
    start(request("single", "/slow?ms=20"));
  }
  std::size_t answered = 0;
  std::size_t seen = 0;
  while (answered < kRequests) {
    ASSERT_TRUE(inbox_.wait_for(seen + 1));
    for (; seen < inbox_.completions.size(); ++seen) {
      const std::string text = text_of(inbox_.completions[seen]);
      ASSERT_TRUE(text == "ok" || text == "refused") << text;
      answered += text == "ok" ? 1 : 0;
      if (text == "refused") {
        start(request("single", "/slow?ms=20"));
        break;
      }
    }
  }
  EXPECT_EQ(number_in(stats(), "answered"), static_cast<int>(kRequests));
  expect_no_dead_socket();
}

TEST_F(Http2, each_limit_resets_its_stream_and_keeps_the_connection) {
  EXPECT_EQ(outcome("tls", "/ok"), "ok");
  EXPECT_EQ(outcome("tls", "/silent", {.first_byte = kShort}), "first_byte_timeout");
  EXPECT_EQ(outcome("tls", "/head", {.liveness = kShort}), "liveness_timeout");
  EXPECT_EQ(outcome("tls", "/drip", {.progress = kShort}), "progress_timeout");
  EXPECT_EQ(outcome("tls", "/drip", {.total = kShort}), "total_timeout");
  EXPECT_EQ(outcome("tls", "/comments", {.progress = kShort}), "progress_timeout");
  EXPECT_EQ(outcome("tls", "/ok"), "ok");
  EXPECT_EQ(client_->stats().connections_opened, 1U);
  EXPECT_TRUE(run_until(*loop_, [&] { return number_in(stats(), "5") == 5; }))
      << "STREAM_CLOSED is how libcurl resets: " << stats();
}

TEST_F(Http2, cancelling_one_stream_leaves_its_neighbours_alone) {
  inbox_.completions.clear();
  for (int i = 0; i < 10; ++i) {
    start(request("tls", "/slow?ms=300"));
  }
  ASSERT_TRUE(run_until(*loop_, [&] { return number_in(stats(), "/slow") == 10; }));
  for (std::uint64_t id = 1; id <= 5; ++id) {
    client_->cancel(wire::ExchangeId{id});
  }
  ASSERT_TRUE(inbox_.wait_for(10));
  std::map<std::string, int> outcomes;
  for (const wire::Completion& completion : inbox_.completions) {
    ++outcomes[text_of(completion)];
  }
  EXPECT_EQ(outcomes, (std::map<std::string, int>{{"cancelled", 5}, {"ok", 5}}));
  EXPECT_EQ(client_->stats().connections_opened, 1U);
}

TEST_F(Http2, a_connection_closed_in_idleness_is_noticed_and_replaced) {
  for (const std::string_view path : {"/bye", "/fin"}) {
    for (const std::string_view server : {"tls", "plain"}) {
      EXPECT_EQ(outcome(server, path), "ok");
      // The FIN is noticed by the watch, not by the next request.
      EXPECT_TRUE(run_until(*loop_, [&] { return client_->stats().idle_connections == 0; }))
          << server << path;
      EXPECT_EQ(sockets_in_close_wait(), 0U);
      EXPECT_EQ(outcome(server, "/ok"), "ok") << server << path;
      EXPECT_EQ(outcome(server, "/bye"), "ok") << server << path;
      EXPECT_TRUE(run_until(*loop_, [&] { return client_->stats().open_connections == 0; }));
    }
  }
}

/// One fault, the limits under which it is met, and when it has to be over.
struct Torment {
  std::string_view path;
  wire::Timeouts timeouts;
  base::Duration limit;
  std::string_view ends_as;
};

TEST_F(Http2, a_thousand_faults_are_each_released_in_time_and_leave_no_socket_behind) {
  const std::vector<Torment> torments = {
      {"/ok", {}, kShort, "ok"},
      {"/silent", {.first_byte = kShort}, kShort, "first_byte_timeout"},
      {"/head", {.liveness = kShort}, kShort, "liveness_timeout"},
      {"/drip", {.progress = kShort}, kShort, "progress_timeout"},
      {"/comments", {.progress = kShort}, kShort, "progress_timeout"},
      {"/refused", {}, kShort, "refused"},
      {"/goaway", {}, kShort, "ok"},
      {"/goaway-above", {}, kShort, "refused"},
      {"/reset", {}, kShort, "reset"},
      {"/reset-late", {}, kShort, "broken"},
      {"/die", {}, kShort, "reset"},
      {"/die-late", {}, kShort, "broken"},
      {"/bye", {}, kShort, "ok"},
      {"/fin", {}, kShort, "ok"}};
  const std::size_t faults = std::getenv("SORTIE_FULL") != nullptr ? 1000 : 100;
  constexpr std::size_t kAtOnce = 20;
  std::size_t started = 0;
  std::size_t seen = 0;
  base::Duration latest{};
  std::map<std::string, int> unexpected;
  inbox_.completions.clear();
  while (seen < faults) {
    for (; started < faults && started - seen < kAtOnce; ++started) {
      const Torment& torment = torments[started % torments.size()];
      wire::Request asked = request(started % 2 == 0 ? "tls" : "plain", torment.path);
      asked.timeouts = torment.timeouts;
      start(std::move(asked));
    }
    ASSERT_TRUE(inbox_.wait_for(seen + 1));
    for (; seen < inbox_.completions.size(); ++seen) {
      const wire::Completion& completion = inbox_.completions[seen];
      const Torment& torment = torments[(completion.id.value - 1) % torments.size()];
      latest = std::max(latest, completion.ended_at - completion.sent_at - torment.limit);
      // A neighbour's goodbye or death may take a stream with it: then it was refused or lost.
      const std::string text = text_of(completion);
      if (text != torment.ends_as && text != "refused" && text != "reset" && text != "broken") {
        ++unexpected[fmt::format("{}: {}", torment.path, text)];
      }
    }
  }
  EXPECT_EQ(unexpected, (std::map<std::string, int>{}));
  EXPECT_LE(latest, kGrace);
  RecordProperty("latest_ms_after_its_limit",
                 static_cast<int>(std::chrono::duration_cast<milliseconds>(latest).count()));
  expect_no_dead_socket();
  EXPECT_EQ(client_->stats().in_flight, 0U);
}

}  // namespace
}  // namespace sortie::http
