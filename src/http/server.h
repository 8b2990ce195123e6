#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/wire/message.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sortie::http {

class Connection;
struct TlsIdentity;

struct ServerRequest {
  std::string method;  // as sent, e.g. "POST"
  std::string target;  // path and query, as sent
  wire::Headers headers;
  std::string body;
  std::uint64_t connection = 0;       // numbers the server's connections from 1
  std::optional<std::uint32_t> peer;  // the client's user id; on a Unix socket only
  base::Instant received_at;          // when the last byte was there
};

/// How a connection ends that is cut short.
enum class Ending : std::uint8_t {
  close,  // FIN: the peer reads what was sent and then the end
  reset,  // RST
};

/// The right and duty to answer one request, now or later, on the loop's thread. Dropped
/// unanswered, the connection is closed, which the client sees as a fault. Once the client is gone
/// or the server stopped, every call is without effect.
///
/// Content-Length, Transfer-Encoding and Connection are the slot's business; fields of these names,
/// and fields with a line break in them, are left out.
class ResponseSlot {
 public:
  ResponseSlot() = default;
  ResponseSlot(ResponseSlot&& other) noexcept;
  ResponseSlot& operator=(ResponseSlot&& other) noexcept;
  ~ResponseSlot();

  /// Answers in whole and uses the slot up.
  void respond(wire::Response response);

  /// Streams: the head (its body is ignored), pieces, the end. Pieces go out as chunks, each at
  /// once.
  void begin(wire::Response head);
  void write(std::string piece);
  void end();

  /// Streams without a head: what is written are the bytes of the connection.
  void begin_without_head();

  /// Faults. Each uses the slot up.
  void close(Ending ending = Ending::close);
  /// FIN, and the client is read on from for a while.
  void half_close();
  /// The head promises `response.body`, of which the first `body_bytes` are sent; then the
  /// connection ends.
  void send_truncated(wire::Response response,
                      std::size_t body_bytes,
                      Ending ending = Ending::close);
  /// The same without an end: the connection stays open and silent until the client leaves or the
  /// server stops.
  void send_head_then_stall(wire::Response response, std::size_t body_bytes = 0);

  /// Called once, from the loop, if the client leaves (or the server stops) while the slot is
  /// unused. Not called after the slot was used up or dropped.
  void on_disconnect(std::move_only_function<void()> callback);

  /// False once the client is known to be gone.
  [[nodiscard]] bool connected() const;

  /// Bytes of a stream that the client has not taken yet. Beyond ServerOptions::unsent_bytes_max
  /// the connection is reset.
  [[nodiscard]] std::size_t unsent_bytes() const;

 private:
  friend class Connection;
  ResponseSlot(std::shared_ptr<Connection> connection, std::uint64_t number);

  void drop();

  // Shared with the server, so that an answer that comes after the server's end finds a dead
  // connection, not memory.
  std::shared_ptr<Connection> connection_;
  std::uint64_t number_ = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;

  /// On the loop's thread; one call per request, and per connection not before the last one was
  /// answered.
  virtual void handle(ServerRequest request, ResponseSlot slot) = 0;
};

/// How clients that come are received. Those that are there get the answer that is under way, and
/// their connections end with it.
enum class Reception : std::uint8_t {
  accepting,
  refusing,  // nobody listens: connecting is refused
  silent,    // connecting is not answered
  held,      // the system connects them, and nothing more happens: a TLS handshake hangs
};

struct ServerOptions {
  std::string address = "127.0.0.1";  // IPv4, of this machine; "0.0.0.0": all that it has
  std::uint16_t port = 0;             // 0: the system chooses
  /// HTTPS with this, which check_identity() accepts; null: HTTP. Shared, since it is copied with
  /// the options.
  std::shared_ptr<const TlsIdentity> tls = nullptr;
  /// Listens there instead of on a port: a Unix socket of mode 0600. What is at that path is
  /// removed first, so only the owner of a lock on it may listen.
  std::string unix_path = {};
  std::size_t connections_max = 10'000;  // beyond, clients wait in the system's queue
  /// Instead, the client that has been without a complete request for longest makes room, so that
  /// idle and slow clients cannot lock out the others.
  bool displace_idle = false;
  std::size_t header_bytes_max = 64UL * 1024;
  std::size_t body_bytes_max = 64UL * 1024 * 1024;
  std::size_t unsent_bytes_max = 16UL * 1024 * 1024;
  /// From one answer (or the connection's begin) until the next request is complete.
  base::Duration idle_max = std::chrono::seconds(75);
};

/// HTTP/1.1 with keep-alive on 127.0.0.1 or where the options say (TLS likewise), or a Unix socket,
/// on a real Loop, which it keeps running until stop(). Malformed and oversized requests are
/// answered with 400, 413 or 431 without asking the handler.
class Server {
 public:
  struct Stats {
    std::size_t connections = 0;  // open now
    std::uint64_t connections_accepted = 0;
    std::uint64_t requests = 0;
  };

  /// `handler` must outlive the server. Fails if the port is taken.
  [[nodiscard]] static base::Result<std::unique_ptr<Server>> listen(aio::Loop& loop,
                                                                    Handler& handler,
                                                                    ServerOptions options);

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  [[nodiscard]] std::uint16_t port() const;

  /// "http://127.0.0.1:PORT" or "https://…", for a target to be appended. Not of a Unix socket.
  [[nodiscard]] std::string url() const;

  /// From now on; on a port only. A port that was taken meanwhile is tried again until it is free.
  void receive(Reception reception);

  /// Stops listening (a Unix socket's path is removed) and closes every connection, at once. Slots
  /// that are still held get their on_disconnect. Idempotent.
  void stop();

  [[nodiscard]] Stats stats() const;

 private:
  class Impl;
  explicit Server(std::shared_ptr<Impl> impl);

  // Shared with the pending accept, which outlives stop() by one turn of the loop.
  std::shared_ptr<Impl> impl_;
};

}  // namespace sortie::http
