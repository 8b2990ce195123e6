#include "sortie/http/server.h"

#include "sortie/aio/asio_access.h"
#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/http/certificate.h"
#include "sortie/http/connection.h"
#include "sortie/http/server_stream.h"
#include "sortie/http/socket_path.h"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sortie::http {
namespace {

namespace ssl = boost::asio::ssl;
using boost::asio::generic::stream_protocol;
using boost::asio::ip::tcp;
using boost::system::error_code;

// Descriptors are short: connections have to end before accepting can work again.
constexpr base::Duration kAcceptRetry = std::chrono::milliseconds(20);
// Completed connections that fill a queue of length zero, and one to spare.
constexpr std::size_t kFillers = 2;

base::Result<std::unique_ptr<ssl::context>> server_context(const TlsIdentity& identity) {
  TRY(check_identity(identity));
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  error_code error;
  context->use_certificate_chain(boost::asio::buffer(identity.certificate), error);
  if (!error) {
    context->use_private_key(boost::asio::buffer(identity.key.reveal()), ssl::context::pem, error);
  }
  if (error) {
    return base::bad_input("the certificate cannot be used: " + error.message());
  }
  return context;
}

}  // namespace

class Server::Impl : public ConnectionOwner, public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(aio::Loop& loop, Handler& handler, ServerOptions options)
      : loop_(loop),
        handler_(handler),
        options_(std::move(options)),
        acceptor_(aio::io_context(loop)) {}

  [[nodiscard]] base::Status listen();
  void accept();
  void receive(Reception reception);
  void stop();

  [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }

  [[nodiscard]] std::string reached_at() const {
    return options_.address == "0.0.0.0" ? "127.0.0.1" : options_.address;
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  [[nodiscard]] Stats stats() const;

  void request_arrived(ServerRequest request, ResponseSlot slot) override;
  void connection_ended(std::uint64_t number) override;

 private:
  [[nodiscard]] base::Status listen_on_port();
  [[nodiscard]] base::Status listen_on_path();
  [[nodiscard]] error_code open(const stream_protocol::endpoint& endpoint);
  void accepted(error_code error, stream_protocol::socket socket);
  void fall_silent();
  void listen_again();
  [[nodiscard]] bool make_room();

  aio::Loop& loop_;
  Handler& handler_;
  ServerOptions options_;
  boost::asio::basic_socket_acceptor<stream_protocol> acceptor_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ssl::context> tls_;
  Reception reception_ = Reception::accepting;
  std::vector<stream_protocol::socket> fillers_;  // of the queue, while silent
  std::vector<std::weak_ptr<Connection>> held_;
  bool accepting_ = false;
  bool stopped_ = false;
  Stats counters_;
  // Shared with the connections' pending operations and slots.
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
};

base::Status Server::Impl::listen() {
  CHECK(!loop_.is_virtual());
  if (options_.tls != nullptr) {
    TRY_ASSIGN(tls_, server_context(*options_.tls));
  }
  TRY(options_.unix_path.empty() ? listen_on_port() : listen_on_path());
  accept();
  return {};
}

error_code Server::Impl::open(const stream_protocol::endpoint& endpoint) {
  error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) {
    acceptor_.set_option(boost::asio::socket_base::reuse_address(true), error);
  }
  if (!error) {
    acceptor_.bind(endpoint, error);
  }
  return error;
}

base::Status Server::Impl::listen_on_port() {
  error_code error;
  const auto own = boost::asio::ip::make_address_v4(options_.address, error);
  if (error) {
    return base::bad_input(
        fmt::format("'{}' is no IPv4 address, as 127.0.0.1 is one", options_.address));
  }
  error = open(tcp::endpoint(own, options_.port));
  if (!error) {
    acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    return base::io_error(fmt::format("cannot listen on {}:{}", options_.address, options_.port),
                          error.value());
  }
  const stream_protocol::endpoint bound = acceptor_.local_endpoint(error);
  const auto* address = reinterpret_cast<const sockaddr_in*>(bound.data());
  port_ = ntohs(address->sin_port);
  return {};
}

/// Nobody can connect before listen(): then the mode is set already.
base::Status Server::Impl::listen_on_path() {
  TRY_ASSIGN(const SocketPath path, SocketPath::of(options_.unix_path));
  ::unlink(path.text().c_str());
  error_code error = open(boost::asio::local::stream_protocol::endpoint(path.text()));
  if (!error && ::chmod(path.text().c_str(), 0600) != 0) {
    error = error_code(errno, boost::system::system_category());
  }
  if (!error) {
    acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    return base::io_error(fmt::format("cannot listen on {}", options_.unix_path), error.value());
  }
  return {};
}

void Server::Impl::accept() {
  const bool full = connections_.size() >= options_.connections_max;
  const bool closed = reception_ == Reception::refusing || reception_ == Reception::silent;
  if (stopped_ || accepting_ || closed || (full && !options_.displace_idle)) {
    return;
  }
  accepting_ = true;
  acceptor_.async_accept(
      [self = shared_from_this()](error_code error, stream_protocol::socket socket) {
        self->accepted(error, std::move(socket));
      });
}

void Server::Impl::accepted(error_code error, stream_protocol::socket socket) {
  accepting_ = false;
  if (stopped_) {
    return;
  }
  if (error == boost::asio::error::no_descriptors) {
    loop_.at(loop_.now() + kAcceptRetry, [weak = weak_from_this()] {
      if (const std::shared_ptr<Impl> self = weak.lock()) {
        self->accept();
      }
    });
    return;
  }
  if (!error && make_room()) {
    const std::uint64_t number = ++counters_.connections_accepted;
    const auto connection = std::make_shared<Connection>(
        loop_, ServerStream(std::move(socket), tls_.get()), options_, *this, number);
    connections_.emplace(number, connection);
    if (reception_ == Reception::held) {
      held_.push_back(connection);
    } else {
      connection->start();
    }
  }
  accept();
}

void Server::Impl::receive(Reception reception) {
  const Reception before = std::exchange(reception_, reception);
  if (stopped_ || before == reception) {
    return;
  }
  error_code ignored;
  if (reception != Reception::accepting) {
    const auto connections = connections_;
    for (const auto& [number, connection] : connections) {
      connection->make_last();
    }
  }
  if (before == Reception::held) {
    for (const std::weak_ptr<Connection>& held : std::exchange(held_, {})) {
      if (const std::shared_ptr<Connection> connection = held.lock()) {
        connection->start();
      }
    }
  } else if (before == Reception::silent) {
    fillers_.clear();
    acceptor_.listen(boost::asio::socket_base::max_listen_connections, ignored);
  }
  if (reception == Reception::refusing) {
    acceptor_.close(ignored);
  } else if (!acceptor_.is_open()) {
    listen_again();
  } else if (reception == Reception::silent) {
    fall_silent();
  } else {
    accept();
  }
}

/// The queue of those whom nobody accepted is made short and filled: the system drops what comes.
void Server::Impl::fall_silent() {
  error_code ignored;
  acceptor_.cancel(ignored);
  acceptor_.listen(0, ignored);
  const tcp::endpoint own(boost::asio::ip::address_v4::loopback(), port_);
  for (std::size_t i = 0; i < kFillers; ++i) {
    stream_protocol::socket filler(aio::io_context(loop_));
    filler.open(tcp::v4(), ignored);
    filler.non_blocking(true, ignored);
    static_cast<void>(
        ::connect(filler.native_handle(), own.data(), static_cast<socklen_t>(own.size())));
    fillers_.push_back(std::move(filler));
  }
}

void Server::Impl::listen_again() {
  if (stopped_ || reception_ == Reception::refusing || acceptor_.is_open()) {
    return;
  }
  options_.port = port_;
  if (listen_on_port().has_value()) {
    if (reception_ == Reception::silent) {
      fall_silent();
    } else {
      accept();
    }
    return;
  }
  error_code ignored;
  acceptor_.close(ignored);
  loop_.at(loop_.now() + kAcceptRetry, [weak = weak_from_this()] {
    if (const std::shared_ptr<Impl> self = weak.lock()) {
      self->listen_again();
    }
  });
}

/// False if every client is being answered: then the new one has to go.
bool Server::Impl::make_room() {
  if (connections_.size() < options_.connections_max) {
    return true;
  }
  std::shared_ptr<Connection> longest;
  for (const auto& [number, connection] : connections_) {
    if (connection->idle() &&
        (longest == nullptr || connection->idle_until() < longest->idle_until())) {
      longest = connection;
    }
  }
  if (longest == nullptr) {
    return false;
  }
  std::erase_if(connections_, [&](const auto& entry) { return entry.second == longest; });
  longest->shut();
  return true;
}

void Server::Impl::stop() {
  if (std::exchange(stopped_, true)) {
    return;
  }
  error_code ignored;
  acceptor_.close(ignored);
  fillers_.clear();
  if (!options_.unix_path.empty()) {
    ::unlink(options_.unix_path.c_str());
  }
  for (const auto& [number, connection] : std::exchange(connections_, {})) {
    connection->shut();
  }
}

Server::Stats Server::Impl::stats() const {
  Stats stats = counters_;
  stats.connections = connections_.size();
  return stats;
}

void Server::Impl::request_arrived(ServerRequest request, ResponseSlot slot) {
  ++counters_.requests;
  handler_.handle(std::move(request), std::move(slot));
}

void Server::Impl::connection_ended(std::uint64_t number) {
  connections_.erase(number);
  accept();
}

base::Result<std::unique_ptr<Server>> Server::listen(aio::Loop& loop,
                                                     Handler& handler,
                                                     ServerOptions options) {
  auto impl = std::make_shared<Impl>(loop, handler, std::move(options));
  TRY(impl->listen());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  stop();
}

std::uint16_t Server::port() const {
  return impl_->port();
}

std::string Server::url() const {
  return fmt::format("{}://{}:{}", impl_->is_tls() ? "https" : "http", impl_->reached_at(), port());
}

void Server::receive(Reception reception) {
  impl_->receive(reception);
}

void Server::stop() {
  impl_->stop();
}

Server::Stats Server::stats() const {
  return impl_->stats();
}

}  // namespace sortie::http
