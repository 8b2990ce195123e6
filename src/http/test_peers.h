#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/time.h"
#include "sortie/http/curl_transport.h"
#include "sortie/http/server.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// For tests only: peers that behave, peers that do not, and an inbox for what comes of it. All on
// loopback.

namespace sortie::http {

/// Runs the loop until `done` holds; false if it does not within ten seconds, which no passing test
/// needs.
[[nodiscard]] bool run_until(aio::Loop& loop, const std::function<bool()>& done);

class FakeHandler final : public Handler {
 public:
  std::function<void(ServerRequest, ResponseSlot)> on_request;

  void handle(ServerRequest request, ResponseSlot slot) override;
};

[[nodiscard]] wire::Response answer(std::string body, int status = 200);

/// Keeps completions in the order of their arrival.
class Inbox final : public wire::CompletionSink {
 public:
  explicit Inbox(aio::Loop& loop) : loop_(loop) {}

  void completed(wire::Completion completion) override {
    completions.push_back(std::move(completion));
  }

  /// Runs the loop until `count` completions are there.
  [[nodiscard]] bool wait_for(std::size_t count);

  std::vector<wire::Completion> completions;

 private:
  aio::Loop& loop_;
};

/// A client and a server of ours on one loop.
class Pair {
 public:
  explicit Pair(CurlTransport::Options client_options = {}, ServerOptions server_options = {});

  [[nodiscard]] wire::Request request(std::string_view target = "/") const;
  wire::ExchangeId start(wire::Request request);

  /// Sends one request and waits for its completion.
  [[nodiscard]] wire::Completion ask(wire::Request request);

  std::unique_ptr<aio::Loop> loop = aio::Loop::real();
  FakeHandler handler;
  std::unique_ptr<Server> server;
  std::unique_ptr<CurlTransport> client;
  Inbox inbox{*loop};

 private:
  std::uint64_t next_id_ = 1;
};

/// A listening socket whose connections a script serves with plain blocking calls, one after the
/// other, on a thread.
class RawServer {
 public:
  using Script = std::function<void(int connection)>;

  explicit RawServer(Script script);
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  ~RawServer();

  [[nodiscard]] std::string url() const;

 private:
  void serve(const Script& script);

  std::uint16_t port_ = 0;
  int listener_;
  std::mutex mutex_;
  int connection_ = -1;  // being served; guarded by mutex_
  std::thread thread_;
};

/// Accepts TCP connections in the kernel only until its queue is full; from then on connecting
/// hangs.
class BlackHole {
 public:
  BlackHole();
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;
  ~BlackHole();

  [[nodiscard]] std::string url() const;

 private:
  std::uint16_t port_ = 0;
  int listener_;
  std::vector<int> fillers_;
};

/// Reads a request (head and Content-Length) from a blocking socket; empty at its end.
std::string read_request(int connection);
void write_all(int connection, std::string_view bytes);
/// Closes with RST.
void reset_connection(int connection);

/// A blocking connection to a port of loopback.
[[nodiscard]] int connect_to(std::uint16_t port);

/// Connects to a port of loopback, sends `bytes`, reads until the peer closes. Blocking.
std::string talk(std::uint16_t port, std::string_view bytes);

/// The same on a thread while the loop runs.
std::string talk(aio::Loop& loop, std::uint16_t port, std::string bytes);

/// As /proc/net/tcp numbers them.
enum class TcpState : std::uint8_t { established = 1, close_wait = 8 };

/// This process's TCP sockets in a state.
[[nodiscard]] std::size_t sockets_in(TcpState state);

[[nodiscard]] inline std::size_t sockets_in_close_wait() {
  return sockets_in(TcpState::close_wait);
}

}  // namespace sortie::http
