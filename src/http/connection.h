#pragma once

#include "sortie/aio/loop.h"
#include "sortie/http/server.h"
#include "sortie/http/server_stream.h"
#include "sortie/wire/message.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>

// Internal to http: one client of a Server.

namespace sortie::http {

/// What a connection needs of its server, and reports to it.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void request_arrived(ServerRequest request, ResponseSlot slot) = 0;
  virtual void connection_ended(std::uint64_t number) = 0;
};

/// Reads a request, hands it out with a slot, writes what the slot says, and reads the next. Held
/// by its server, by its pending operations and by its slot.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum class State : std::uint8_t {
    reading,    // for a request
    answering,  // the slot is out and unused
    streaming,  // the slot has begun a streamed answer
    writing,    // the slot is used up; what it said is being written
    stalled,    // silent on purpose until the client leaves
    draining,   // refused: everything said, reading on so that the client gets to hear it
    closed,
  };

  Connection(aio::Loop& loop,
             ServerStream stream,
             const ServerOptions& options,
             ConnectionOwner& owner,
             std::uint64_t number);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  void start();

  /// Ends the connection from the server's side. `owner` is not told and not used again.
  void shut();

  /// It ends with the answer that is under way; without one, now.
  void make_last();

  // What the slot of request `number` says. Without effect if that is not the request being
  // answered.
  void respond(std::uint64_t number, wire::Response response);
  void begin(std::uint64_t number, wire::Response head);
  void write(std::uint64_t number, std::string piece);
  void end(std::uint64_t number);
  void begin_without_head(std::uint64_t number);
  void half_close(std::uint64_t number);
  void close(std::uint64_t number, Ending ending);
  void send_truncated(std::uint64_t number,
                      wire::Response response,
                      std::size_t body_bytes,
                      Ending ending);
  void stall(std::uint64_t number, wire::Response response, std::size_t body_bytes);
  void on_disconnect(std::uint64_t number, std::move_only_function<void()> callback);
  void dropped(std::uint64_t number);
  [[nodiscard]] bool serves(std::uint64_t number) const;

  /// No request of its client is being answered.
  [[nodiscard]] bool idle() const { return state_ == State::reading; }

  /// From which on an idle connection may be closed.
  [[nodiscard]] base::Instant idle_until() const { return idle_until_; }

  [[nodiscard]] std::size_t unsent_bytes() const { return unsent_.size() + writing_.size(); }

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using ErrorCode = boost::system::error_code;

  /// What follows when everything queued is written.
  enum class Then : std::uint8_t { next_request, more, stall, close, reset, drain };

  void read_request();
  void head_read(ErrorCode error);
  void read_body();
  void body_read(ErrorCode error);
  void refuse(ErrorCode error);
  void drain();
  void hand_out();

  void read_head();
  void watch_client();
  void await_bytes(std::size_t count);
  void bytes_read(ErrorCode error, std::size_t count);
  void arm_idle_timer();

  void send(std::string bytes, Then then);
  void flush();
  void written(ErrorCode error);
  void go_on();
  void finish(Ending ending);
  [[nodiscard]] std::string head_of(const wire::Response& response,
                                    std::optional<std::size_t> length) const;

  aio::Loop& loop_;
  ServerStream stream_;
  const ServerOptions options_;
  ConnectionOwner* owner_;
  std::uint64_t number_;
  std::optional<std::uint32_t> peer_;  // its user, on a Unix socket

  State state_ = State::reading;
  std::uint64_t requests_ = 0;  // numbers the slots
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  bool keep_alive_ = true;
  bool is_head_ = false;    // HEAD: the answer has no body
  bool is_http10_ = false;  // no chunks
  bool is_last_ = false;
  bool bytes_awaited_ = false;
  std::move_only_function<void()> on_disconnect_;

  std::string writing_;  // what the pending write holds
  std::string unsent_;   // what comes after it
  bool write_pending_ = false;
  Then then_ = Then::more;

  base::Instant idle_until_;
  std::optional<aio::TimerId> idle_timer_;
};

}  // namespace sortie::http
