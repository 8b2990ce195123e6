#pragma once

#include <utility>
#include <variant>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/ssl/stream_base.hpp>

// Internal to http: the bytes of one client of a Server.

namespace sortie::http {

/// A socket, plain or under TLS: what Beast and Asio call an AsyncStream. Whoever has an operation
/// pending keeps it alive; at most one read and one write are pending at a time.
class ServerStream {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Tls = boost::asio::ssl::stream<Socket>;
  using executor_type = Socket::executor_type;  // NOLINT(readability-identifier-naming): Asio's

  /// Without `context` plain; it must outlive the stream.
  ServerStream(Socket socket, boost::asio::ssl::context* context) : stream_(std::move(socket)) {
    if (context != nullptr) {
      Socket plain = std::move(std::get<Socket>(stream_));
      stream_.emplace<Tls>(std::move(plain), *context);
    }
  }

  [[nodiscard]] bool is_tls() const { return std::holds_alternative<Tls>(stream_); }

  [[nodiscard]] Socket& socket() {
    Tls* tls = std::get_if<Tls>(&stream_);
    return tls != nullptr ? tls->next_layer() : std::get<Socket>(stream_);
  }

  [[nodiscard]] executor_type get_executor() { return socket().get_executor(); }

  /// TLS only: the handshake that comes before everything else.
  template <class Handler>
  void async_handshake(Handler handler) {
    std::get<Tls>(stream_).async_handshake(boost::asio::ssl::stream_base::server,
                                           std::move(handler));
  }

  /// TLS only: the notice that nothing follows, so that the end of an answer without a length
  /// cannot be taken for a cut. It is handed to the system before this returns, if the system takes
  /// it.
  template <class Handler>
  void async_goodbye(Handler handler) {
    std::get<Tls>(stream_).async_shutdown(std::move(handler));
  }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    std::visit(
        [&](auto& stream) { stream.async_read_some(buffers, std::forward<Handler>(handler)); },
        stream_);
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    std::visit(
        [&](auto& stream) { stream.async_write_some(buffers, std::forward<Handler>(handler)); },
        stream_);
  }

 private:
  std::variant<Socket, Tls> stream_;
};

}  // namespace sortie::http
