#include "sortie/http/curl_transport.h"
#include "sortie/http/server.h"
#include "sortie/http/test_peers.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace sortie::http {
namespace {

namespace fs = std::filesystem;

/// A folder of one's own whose name has `length` more bytes.
class Folder {
 public:
  explicit Folder(std::size_t length = 0) {
    std::string pattern = (fs::path(testing::TempDir()) / "sortie-unix-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    path_ = root_;
    if (length > 0) {
      path_ /= std::string(length, 'd');
      fs::create_directory(path_);
    }
  }

  ~Folder() { fs::remove_all(root_); }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string socket() const { return (path_ / "control.sock").string(); }

 private:
  fs::path root_;
  fs::path path_;
};

wire::Request request_to(const std::string& target) {
  wire::Request request;
  request.method = wire::Method::get;
  request.url = "http://localhost" + target;
  return request;
}

void expect_answer_over(const std::string& path) {
  Pair pair({.ca_file = {}, .unix_path = path}, {.unix_path = path});
  std::optional<std::uint32_t> peer;
  pair.handler.on_request = [&](ServerRequest request, ResponseSlot slot) {
    peer = request.peer;
    slot.respond(answer("you asked for " + request.target));
  };
  const wire::Completion done = pair.ask(request_to("/v1/status"));
  ASSERT_TRUE(done.outcome.has_value()) << done.outcome.error().message;
  EXPECT_EQ(done.outcome->body, "you asked for /v1/status");
  EXPECT_EQ(peer, ::geteuid());
  EXPECT_EQ(pair.server->port(), 0);
}

TEST(UnixSocket, carries_requests_and_says_who_asks) {
  const Folder folder;
  expect_answer_over(folder.socket());
}

TEST(UnixSocket, may_have_a_path_longer_than_the_system_takes) {
  const Folder folder(150);
  expect_answer_over(folder.socket());
}

TEST(UnixSocket, is_its_owners_alone_and_goes_with_the_server) {
  const Folder folder;
  const auto loop = aio::Loop::real();
  FakeHandler handler;
  auto server = Server::listen(*loop, handler, {.unix_path = folder.socket()}).value();
  struct stat status{};
  ASSERT_EQ(::stat(folder.socket().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  server.reset();
  EXPECT_NE(::stat(folder.socket().c_str(), &status), 0);
}

TEST(UnixSocket, of_a_dead_process_is_replaced) {
  const Folder folder;
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  folder.socket().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(dead);
  ASSERT_TRUE(fs::exists(folder.socket()));
  expect_answer_over(folder.socket());
}

TEST(UnixSocket, without_a_server_is_a_failed_connection) {
  const Folder folder;
  const auto loop = aio::Loop::real();
  CurlTransport client(*loop, {.ca_file = {}, .unix_path = folder.socket()});
  Inbox inbox(*loop);
  client.start({1}, request_to("/"), inbox);
  ASSERT_TRUE(inbox.wait_for(1));
  ASSERT_FALSE(inbox.completions[0].outcome.has_value());
  EXPECT_EQ(inbox.completions[0].outcome.error().kind, wire::FailureKind::connect);
}

TEST(UnixSocket, with_a_long_path_that_is_not_there_nothing_goes_elsewhere_instead) {
  Pair pair;
  const std::string path = "/nonexistent-folder/" + std::string(150, 'd') + "/control.sock";
  CurlTransport client(*pair.loop, {.ca_file = {}, .unix_path = path});
  client.start({1}, pair.request(), pair.inbox);
  ASSERT_TRUE(pair.inbox.wait_for(1));
  ASSERT_FALSE(pair.inbox.completions[0].outcome.has_value());
  EXPECT_EQ(pair.inbox.completions[0].outcome.error().kind, wire::FailureKind::connect);
  EXPECT_EQ(pair.server->stats().connections_accepted, 0U);
}

TEST(UnixSocket, in_a_folder_that_is_not_there_is_an_error) {
  const auto loop = aio::Loop::real();
  FakeHandler handler;
  const auto server =
      Server::listen(*loop, handler, {.unix_path = "/nonexistent-folder/control.sock"});
  ASSERT_FALSE(server.has_value());
  EXPECT_NE(server.error().message.find("/nonexistent-folder/control.sock"), std::string::npos);
}

}  // namespace
}  // namespace sortie::http
