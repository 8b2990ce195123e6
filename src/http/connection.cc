#include "sortie/http/connection.h"

#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/http/server.h"
#include "sortie/http/server_stream.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

namespace sortie::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast::http;

constexpr base::Duration kDrainMax = std::chrono::seconds(2);
constexpr std::size_t kDrainBytes = 64UL * 1024;
constexpr std::size_t kWatchBytes = 4096;

bool has_line_break(std::string_view text) {
  using std::string_view_literals::operator""sv;
  return text.find_first_of("\r\n\0"sv) != std::string_view::npos;
}

/// Framing is the connection's business; a line break would forge a field.
bool may_be_sent(const wire::Header& field) {
  return !field.name.empty() && !has_line_break(field.name) && !has_line_break(field.value) &&
         !base::equals_ignoring_case(field.name, "Content-Length") &&
         !base::equals_ignoring_case(field.name, "Transfer-Encoding") &&
         !base::equals_ignoring_case(field.name, "Connection");
}

/// The user that opened the other end of a Unix socket.
std::optional<std::uint32_t> peer_of(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return std::nullopt;
  }
  return credentials.uid;
}

bool has_no_body(int status) {
  return status == 204 || status == 304 || status < 200;
}

std::string_view reason_of(int status) {
  const auto reason =
      beast::obsolete_reason(beast::int_to_status(static_cast<unsigned>(std::max(status, 0))));
  return {reason.data(), reason.size()};
}

}  // namespace

Connection::Connection(aio::Loop& loop,
                       ServerStream stream,
                       const ServerOptions& options,
                       ConnectionOwner& owner,
                       std::uint64_t number)
    : loop_(loop), stream_(std::move(stream)), options_(options), owner_(&owner), number_(number) {
  if (!options_.unix_path.empty()) {
    peer_ = peer_of(stream_.socket().native_handle());
  }
}

void Connection::start() {
  if (state_ == State::closed) {
    return;
  }
  // A Unix socket has no such option and needs none.
  ErrorCode ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  if (!stream_.is_tls()) {
    read_request();
    return;
  }
  idle_until_ = loop_.now() + options_.idle_max;
  arm_idle_timer();
  stream_.async_handshake([self = shared_from_this()](ErrorCode error) {
    if (self->state_ != State::reading) {
      return;
    }
    if (error) {
      self->finish(Ending::close);
    } else {
      self->read_request();
    }
  });
}

void Connection::shut() {
  owner_ = nullptr;
  finish(Ending::close);
}

void Connection::make_last() {
  is_last_ = true;
  if (state_ == State::reading && buffer_.size() == 0) {
    finish(Ending::close);
  }
}

// --- Reading ---

void Connection::read_request() {
  state_ = State::reading;
  then_ = Then::more;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(options_.header_bytes_max));
  parser_->body_limit(options_.body_bytes_max);
  idle_until_ = loop_.now() + options_.idle_max;
  arm_idle_timer();
  if (!bytes_awaited_) {
    read_head();
  }
}

void Connection::read_head() {
  CHECK(parser_.has_value());
  beast::async_read_header(
      stream_, buffer_, *parser_, [self = shared_from_this()](ErrorCode error, std::size_t) {
        self->head_read(error);
      });
}

void Connection::head_read(ErrorCode error) {
  if (state_ != State::reading) {
    return;
  }
  if (error) {
    refuse(error);
    return;
  }
  CHECK(parser_.has_value());
  const auto expect = parser_->get().find(beast::field::expect);
  if (parser_->is_done() || expect == parser_->get().end() ||
      !base::equals_ignoring_case(base::trim({expect->value().data(), expect->value().size()}),
                                  "100-continue")) {
    read_body();
    return;
  }
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_,
                    asio::buffer(kContinue),
                    [self = shared_from_this()](ErrorCode write_error, std::size_t) {
                      if (write_error) {
                        self->refuse(write_error);
                      } else {
                        self->read_body();
                      }
                    });
}

void Connection::read_body() {
  if (state_ != State::reading) {
    return;
  }
  CHECK(parser_.has_value());
  if (parser_->is_done()) {
    hand_out();
    return;
  }
  beast::async_read(
      stream_, buffer_, *parser_, [self = shared_from_this()](ErrorCode error, std::size_t) {
        self->body_read(error);
      });
}

void Connection::body_read(ErrorCode error) {
  if (state_ != State::reading) {
    return;
  }
  if (error) {
    refuse(error);
  } else {
    hand_out();
  }
}

/// A request that cannot be read: its sender is told why if it broke the rules, and gone if it
/// left.
void Connection::refuse(ErrorCode error) {
  if (state_ != State::reading) {
    return;
  }
  int status = 0;
  if (error == beast::error::header_limit) {
    status = 431;
  } else if (error == beast::error::body_limit) {
    status = 413;
  } else if (error.category() == make_error_code(beast::error::bad_method).category() &&
             error != beast::error::end_of_stream && error != beast::error::partial_message) {
    status = 400;
  }
  if (status == 0) {
    finish(Ending::close);
    return;
  }
  keep_alive_ = false;
  is_head_ = false;
  state_ = State::writing;
  wire::Response answer;
  answer.status = status;
  answer.body = fmt::format("{} {}\n", status, reason_of(status));
  answer.headers.add("Content-Type", "text/plain");
  send(head_of(answer, answer.body.size()) + answer.body, Then::drain);
}

/// Closing with unread bytes would send a reset that overtakes the answer.
void Connection::drain() {
  if (state_ != State::draining) {
    state_ = State::draining;
    ErrorCode ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    idle_until_ = loop_.now() + kDrainMax;
    if (idle_timer_) {
      loop_.cancel(*idle_timer_);
      idle_timer_.reset();
    }
    arm_idle_timer();
  }
  buffer_.clear();
  await_bytes(kDrainBytes);
}

void Connection::hand_out() {
  CHECK(parser_.has_value());
  auto message = parser_->release();
  parser_.reset();
  keep_alive_ = message.keep_alive();
  is_head_ = message.method() == beast::verb::head;
  is_http10_ = message.version() < 11;
  ServerRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    request.headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  request.connection = number_;
  request.peer = peer_;
  request.received_at = loop_.now();
  state_ = State::answering;
  const std::uint64_t number = ++requests_;
  if (owner_ == nullptr) {
    return;
  }
  owner_->request_arrived(std::move(request), ResponseSlot(shared_from_this(), number));
  if (state_ == State::answering || state_ == State::streaming) {
    watch_client();
  }
}

// --- The client's presence ---

/// While nobody reads, only this notices that the client left. Bytes that come are those of a next
/// request, read in its turn; until then a FIN behind them cannot be seen.
void Connection::watch_client() {
  if (buffer_.size() == 0) {
    await_bytes(kWatchBytes);
  }
}

void Connection::await_bytes(std::size_t count) {
  if (std::exchange(bytes_awaited_, true)) {
    return;
  }
  stream_.async_read_some(buffer_.prepare(count),
                          [self = shared_from_this()](ErrorCode error, std::size_t size) {
                            self->bytes_read(error, size);
                          });
}

void Connection::bytes_read(ErrorCode error, std::size_t count) {
  bytes_awaited_ = false;
  buffer_.commit(count);
  if (state_ == State::closed) {
    return;
  }
  if (error) {
    finish(Ending::close);
  } else if (state_ == State::reading) {
    read_head();
  } else if (state_ == State::draining) {
    drain();
  }
}

/// One timer per connection, moved only when it rings: most rings find a connection that was used
/// since.
void Connection::arm_idle_timer() {
  if (idle_timer_) {
    return;
  }
  idle_timer_ = loop_.at(idle_until_, [weak = weak_from_this()] {
    const std::shared_ptr<Connection> self = weak.lock();
    if (self == nullptr || self->state_ == State::closed) {
      return;
    }
    self->idle_timer_.reset();
    if (self->state_ != State::reading && self->state_ != State::draining) {
      return;
    }
    if (self->idle_until_ <= self->loop_.now()) {
      self->finish(Ending::close);
    } else {
      self->arm_idle_timer();
    }
  });
}

// --- What the slot says ---

bool Connection::serves(std::uint64_t number) const {
  return number == requests_ && (state_ == State::answering || state_ == State::streaming);
}

void Connection::respond(std::uint64_t number, wire::Response response) {
  if (!serves(number)) {
    return;
  }
  CHECK(state_ == State::answering);
  state_ = State::writing;
  keep_alive_ = keep_alive_ && !is_last_;
  const bool bodiless = has_no_body(response.status);
  std::string bytes =
      head_of(response, bodiless ? std::nullopt : std::optional(response.body.size()));
  if (!is_head_ && !bodiless) {
    bytes += response.body;
  }
  send(std::move(bytes), keep_alive_ ? Then::next_request : Then::close);
}

void Connection::begin(std::uint64_t number, wire::Response head) {
  if (!serves(number)) {
    return;
  }
  CHECK(state_ == State::answering);
  state_ = State::streaming;
  keep_alive_ = keep_alive_ && !is_http10_ && !is_last_;
  send(head_of(head, std::nullopt), Then::more);
}

/// As HTTP/1.0 streams: without chunks, ended by the connection's end.
void Connection::begin_without_head(std::uint64_t number) {
  if (!serves(number)) {
    return;
  }
  CHECK(state_ == State::answering);
  state_ = State::streaming;
  keep_alive_ = false;
  is_http10_ = true;
}

void Connection::half_close(std::uint64_t number) {
  if (serves(number)) {
    state_ = State::writing;
    send("", Then::drain);
  }
}

void Connection::write(std::uint64_t number, std::string piece) {
  if (!serves(number) || piece.empty()) {
    return;
  }
  CHECK(state_ == State::streaming);
  if (is_head_) {
    return;
  }
  if (is_http10_) {
    send(std::move(piece), Then::more);
    return;
  }
  std::string chunk = fmt::format("{:x}\r\n", piece.size());
  chunk += piece;
  chunk += "\r\n";
  send(std::move(chunk), Then::more);
}

void Connection::end(std::uint64_t number) {
  if (!serves(number)) {
    return;
  }
  CHECK(state_ == State::streaming);
  state_ = State::writing;
  send(is_head_ || is_http10_ ? "" : "0\r\n\r\n", keep_alive_ ? Then::next_request : Then::close);
}

void Connection::close(std::uint64_t number, Ending ending) {
  if (serves(number)) {
    on_disconnect_ = nullptr;
    finish(ending);
  }
}

void Connection::send_truncated(std::uint64_t number,
                                wire::Response response,
                                std::size_t body_bytes,
                                Ending ending) {
  if (!serves(number)) {
    return;
  }
  CHECK(state_ == State::answering);
  state_ = State::writing;
  std::string bytes = head_of(response, response.body.size());
  bytes.append(response.body, 0, body_bytes);
  send(std::move(bytes), ending == Ending::close ? Then::close : Then::reset);
}

void Connection::stall(std::uint64_t number, wire::Response response, std::size_t body_bytes) {
  if (!serves(number)) {
    return;
  }
  CHECK(state_ == State::answering);
  state_ = State::stalled;
  std::string bytes = head_of(response, response.body.size());
  bytes.append(response.body, 0, body_bytes);
  send(std::move(bytes), Then::stall);
  watch_client();
}

void Connection::on_disconnect(std::uint64_t number, std::move_only_function<void()> callback) {
  if (serves(number)) {
    on_disconnect_ = std::move(callback);
  }
}

void Connection::dropped(std::uint64_t number) {
  if (serves(number)) {
    on_disconnect_ = nullptr;
    finish(Ending::close);
  }
}

// --- Writing ---

std::string Connection::head_of(const wire::Response& response,
                                std::optional<std::size_t> length) const {
  std::string head;
  head.reserve(256 + (is_head_ ? 0 : response.body.size()));
  fmt::format_to(
      std::back_inserter(head), "HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
  for (const wire::Header& field : response.headers.fields()) {
    if (may_be_sent(field)) {
      head.append(field.name).append(": ").append(field.value).append("\r\n");
    }
  }
  if (length) {
    fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", *length);
  } else if (state_ == State::streaming && !is_http10_) {
    head += "Transfer-Encoding: chunked\r\n";
  }
  if (!keep_alive_) {
    head += "Connection: close\r\n";
  } else if (is_http10_) {
    head += "Connection: keep-alive\r\n";
  }
  head += "\r\n";
  return head;
}

void Connection::send(std::string bytes, Then then) {
  then_ = then;
  if (then != Then::more) {
    on_disconnect_ = nullptr;
  }
  if (unsent_.empty()) {
    unsent_ = std::move(bytes);
  } else {
    unsent_ += bytes;
  }
  if (then == Then::more && unsent_bytes() > options_.unsent_bytes_max) {
    finish(Ending::reset);
    return;
  }
  flush();
}

void Connection::flush() {
  if (write_pending_) {
    return;
  }
  if (unsent_.empty()) {
    go_on();
    return;
  }
  write_pending_ = true;
  writing_ = std::exchange(unsent_, std::string());
  asio::async_write(
      stream_, asio::buffer(writing_), [self = shared_from_this()](ErrorCode error, std::size_t) {
        self->written(error);
      });
}

void Connection::written(ErrorCode error) {
  write_pending_ = false;
  writing_.clear();
  if (state_ == State::closed) {
    return;
  }
  if (error) {
    finish(Ending::close);
    return;
  }
  flush();
}

/// Everything that was said is with the system.
void Connection::go_on() {
  switch (then_) {
    case Then::more:
    case Then::stall:
      return;
    case Then::next_request:
      if (is_last_) {
        finish(Ending::close);
      } else {
        read_request();
      }
      return;
    case Then::close:
      finish(Ending::close);
      return;
    case Then::reset:
      finish(Ending::reset);
      return;
    case Then::drain:
      drain();
      return;
  }
}

void Connection::finish(Ending ending) {
  if (std::exchange(state_, State::closed) == State::closed) {
    return;
  }
  const std::shared_ptr<Connection> self = shared_from_this();
  if (idle_timer_) {
    loop_.cancel(*idle_timer_);
    idle_timer_.reset();
  }
  ErrorCode ignored;
  auto& socket = stream_.socket();
  if (ending == Ending::reset) {
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
  } else {
    if (stream_.is_tls()) {
      stream_.async_goodbye([self](ErrorCode) {});
    }
    socket.shutdown(asio::socket_base::shutdown_send, ignored);
  }
  socket.close(ignored);
  unsent_.clear();
  if (ConnectionOwner* owner = std::exchange(owner_, nullptr)) {
    owner->connection_ended(number_);
  }
  if (auto callback = std::exchange(on_disconnect_, nullptr)) {
    callback();
  }
}

// --- The slot ---

ResponseSlot::ResponseSlot(std::shared_ptr<Connection> connection, std::uint64_t number)
    : connection_(std::move(connection)), number_(number) {}

ResponseSlot::ResponseSlot(ResponseSlot&& other) noexcept = default;

ResponseSlot& ResponseSlot::operator=(ResponseSlot&& other) noexcept {
  if (this != &other) {
    drop();
    connection_ = std::move(other.connection_);
    number_ = other.number_;
  }
  return *this;
}

ResponseSlot::~ResponseSlot() {
  drop();
}

void ResponseSlot::drop() {
  if (const std::shared_ptr<Connection> connection = std::exchange(connection_, nullptr)) {
    connection->dropped(number_);
  }
}

void ResponseSlot::respond(wire::Response response) {
  if (const auto connection = std::exchange(connection_, nullptr)) {
    connection->respond(number_, std::move(response));
  }
}

void ResponseSlot::begin(wire::Response head) {
  if (connection_) {
    connection_->begin(number_, std::move(head));
  }
}

void ResponseSlot::write(std::string piece) {
  if (connection_) {
    connection_->write(number_, std::move(piece));
  }
}

void ResponseSlot::end() {
  if (const auto connection = std::exchange(connection_, nullptr)) {
    connection->end(number_);
  }
}

void ResponseSlot::close(Ending ending) {
  if (const auto connection = std::exchange(connection_, nullptr)) {
    connection->close(number_, ending);
  }
}

void ResponseSlot::begin_without_head() {
  if (connection_) {
    connection_->begin_without_head(number_);
  }
}

void ResponseSlot::half_close() {
  if (const auto connection = std::exchange(connection_, nullptr)) {
    connection->half_close(number_);
  }
}

void ResponseSlot::send_truncated(wire::Response response, std::size_t body_bytes, Ending ending) {
  if (const auto connection = std::exchange(connection_, nullptr)) {
    connection->send_truncated(number_, std::move(response), body_bytes, ending);
  }
}

void ResponseSlot::send_head_then_stall(wire::Response response, std::size_t body_bytes) {
  if (const auto connection = std::exchange(connection_, nullptr)) {
    connection->stall(number_, std::move(response), body_bytes);
  }
}

void ResponseSlot::on_disconnect(std::move_only_function<void()> callback) {
  if (connection_) {
    connection_->on_disconnect(number_, std::move(callback));
  }
}

bool ResponseSlot::connected() const {
  return connection_ != nullptr && connection_->serves(number_);
}

std::size_t ResponseSlot::unsent_bytes() const {
  return connection_ != nullptr ? connection_->unsent_bytes() : 0;
}

}  // namespace sortie::http
