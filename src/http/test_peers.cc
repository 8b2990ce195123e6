#include "sortie/http/test_peers.h"

#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/http/curl_transport.h"
#include "sortie/http/server.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sortie::http {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int open_socket(int flags) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  CHECK(descriptor >= 0);
  return descriptor;
}

int listen_on_loopback(int backlog, std::uint16_t& port) {
  const int listener = open_socket(0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  CHECK(::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  CHECK(::listen(listener, backlog) == 0);
  CHECK(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port = ntohs(address.sin_port);
  return listener;
}

std::string url_of(std::uint16_t port) {
  return fmt::format("http://127.0.0.1:{}", port);
}

}  // namespace

bool run_until(aio::Loop& loop, const std::function<bool()>& done) {
  bool late = false;
  const aio::Loop::Work guard(loop);
  const aio::TimerId limit = loop.at(loop.now() + std::chrono::seconds(8), [&] { late = true; });
  bool is_done = done();
  while (!is_done && !late) {
    loop.run_one();
    is_done = done();
  }
  loop.cancel(limit);
  return is_done;  // it may be over again by now
}

void FakeHandler::handle(ServerRequest request, ResponseSlot slot) {
  on_request(std::move(request), std::move(slot));
}

wire::Response answer(std::string body, int status) {
  wire::Response response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain");
  response.body = std::move(body);
  return response;
}

bool Inbox::wait_for(std::size_t count) {
  return run_until(loop_, [&] { return completions.size() >= count; });
}

Pair::Pair(CurlTransport::Options client_options, ServerOptions server_options)
    : server(Server::listen(*loop, handler, server_options).value()),
      client(std::make_unique<CurlTransport>(*loop, std::move(client_options))) {
  handler.on_request = [](ServerRequest request, ResponseSlot slot) {
    slot.respond(answer(request.body));
  };
}

wire::Request Pair::request(std::string_view target) const {
  wire::Request request;
  request.method = wire::Method::post;
  request.url = server->url() + std::string(target);
  request.body = "hello";
  return request;
}

wire::ExchangeId Pair::start(wire::Request request) {
  const wire::ExchangeId id{next_id_++};
  client->start(id, std::move(request), inbox);
  return id;
}

wire::Completion Pair::ask(wire::Request request) {
  inbox.completions.clear();
  start(std::move(request));
  EXPECT_TRUE(inbox.wait_for(1));
  CHECK(inbox.completions.size() == 1);
  return std::move(inbox.completions.front());
}

RawServer::RawServer(Script script) : listener_(listen_on_loopback(128, port_)) {
  thread_ = std::thread([this, script = std::move(script)] { serve(script); });
}

void RawServer::serve(const Script& script) {
  while (true) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) {
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      connection_ = connection;
    }
    script(connection);
    const std::lock_guard lock(mutex_);
    connection_ = -1;
    ::close(connection);
  }
}

RawServer::~RawServer() {
  ::shutdown(listener_, SHUT_RDWR);
  {
    // A script that waits for a client which is not going to leave.
    const std::lock_guard lock(mutex_);
    if (connection_ >= 0) {
      ::shutdown(connection_, SHUT_RDWR);
    }
  }
  thread_.join();
  ::close(listener_);
}

std::string RawServer::url() const {
  return url_of(port_);
}

BlackHole::BlackHole() : listener_(listen_on_loopback(0, port_)) {
  // One connection is completed and queued; some kernels take one more.
  for (int i = 0; i < 3; ++i) {
    const int filler = open_socket(SOCK_NONBLOCK);
    const sockaddr_in address = loopback(port_);
    static_cast<void>(
        ::connect(filler, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    fillers_.push_back(filler);
  }
}

BlackHole::~BlackHole() {
  for (const int filler : fillers_) {
    ::close(filler);
  }
  ::close(listener_);
}

std::string BlackHole::url() const {
  return url_of(port_);
}

std::string read_request(int connection) {
  std::string text;
  std::size_t wanted = std::string::npos;
  std::array<char, 4096> buffer{};
  while (text.size() < wanted) {
    const ssize_t count = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (count <= 0) {
      return {};
    }
    text.append(buffer.data(), static_cast<std::size_t>(count));
    const std::size_t head = text.find("\r\n\r\n");
    if (wanted == std::string::npos && head != std::string::npos) {
      std::size_t length = 0;
      constexpr std::string_view kField = "Content-Length: ";
      if (const std::size_t at = text.find(kField); at < head) {
        const char* digits = text.data() + at + kField.size();
        std::from_chars(digits, text.data() + head, length);
      }
      wanted = head + 4 + length;
    }
  }
  return text;
}

void write_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) {
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void reset_connection(int connection) {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

int connect_to(std::uint16_t port) {
  const int connection = open_socket(0);
  const sockaddr_in address = loopback(port);
  CHECK(::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  return connection;
}

std::string talk(std::uint16_t port, std::string_view bytes) {
  const int connection = connect_to(port);
  std::string received;
  write_all(connection, bytes);
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = ::recv(connection, buffer.data(), buffer.size(), 0)) > 0) {
    received.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(connection);
  return received;
}

std::string talk(aio::Loop& loop, std::uint16_t port, std::string bytes) {
  std::string received;
  bool done = false;  // written and read on the loop's thread
  std::thread talker([&, bytes = std::move(bytes)] {
    std::string text = talk(port, bytes);
    loop.post_from_thread([&, text = std::move(text)]() mutable {
      received = std::move(text);
      done = true;
    });
  });
  EXPECT_TRUE(run_until(loop, [&] { return done; }));
  talker.join();
  return received;
}

std::size_t sockets_in(TcpState state) {
  std::set<std::string> own;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string link = std::filesystem::read_symlink(entry.path(), error).string();
    if (link.starts_with("socket:[")) {
      own.insert(link.substr(8, link.size() - 9));
    }
  }
  const std::string wanted = fmt::format("{:02X}", static_cast<unsigned>(state));
  std::size_t count = 0;
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::vector<std::string> word;
    for (std::string next; words >> next;) {
      word.push_back(next);
    }
    // sl local remote st tx:rx tr:tm retrnsmt uid timeout inode
    if (word.size() > 9 && word[3] == wanted && own.contains(word[9])) {
      ++count;
    }
  }
  return count;
}

}  // namespace sortie::http
