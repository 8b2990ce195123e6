#pragma once

#include "sortie/base/time.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// HTTP as values: what is asked and what came back, without sockets.

namespace sortie::wire {

enum class Method : std::uint8_t { get, post, put, delete_ };  // "delete" is a keyword

[[nodiscard]] std::string_view to_string(Method method);

struct Header {
  std::string name;
  std::string value;
};

/// Header fields in order; names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value) {
    fields_.push_back({std::move(name), std::move(value)});
  }

  /// The first field of that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;

  [[nodiscard]] const std::vector<Header>& fields() const { return fields_; }

  [[nodiscard]] bool empty() const { return fields_.empty(); }

 private:
  std::vector<Header> fields_;
};

/// Separate limits, by what they watch. Zero: no limit of that kind.
struct Timeouts {
  base::Duration connect = std::chrono::seconds(10);
  base::Duration first_byte =
      std::chrono::seconds(60);  // from sending to the first byte of the answer
  base::Duration liveness = std::chrono::seconds(60);  // between two bytes of the answer
  /// From sending to the first piece that brings the answer forward, and between two of them
  /// (CompletionSink::received says which do). An answer that is not streamed comes forward only by
  /// its end.
  base::Duration progress{};
  base::Duration total{};
};

/// How a request gets to its host.
struct Access {
  enum class HttpVersion : std::uint8_t {
    automatic,  // HTTP/2 where TLS negotiates it, else HTTP/1.1
    http1,
    http2,  // also without TLS, by prior knowledge
  };

  HttpVersion http = HttpVersion::automatic;
  std::string ca_file;  // PEM of the authorities to trust instead of the system's; empty: those
  /// Proxy URL; "none": reached directly; empty: as the environment says, loopback directly.
  std::string proxy;
  std::size_t connections_max = 0;  // open at once; 0: as many as the transport allows
};

struct Request {
  Method method = Method::post;
  std::string url;
  Headers headers;  // may hold credentials: never log them
  std::string body;
  Timeouts timeouts;
  std::size_t answer_bytes_max = 16UL * 1024 * 1024;
  /// The body of a successful answer (2xx) goes to CompletionSink::received as it comes, and is not
  /// kept for the completion.
  bool streamed = false;
  /// Shared by all requests of an endpoint; null: the defaults.
  std::shared_ptr<const Access> access = nullptr;
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
};

/// How far an exchange got before it failed, which decides whether it may have been processed and
/// billed.
enum class FailureKind : std::uint8_t {
  connect,             // no connection: name, route, refused
  tls,                 // the handshake failed
  certificate,         // the peer's is not accepted: of no use to ask again
  connect_timeout,     // no connection in time
  first_byte_timeout,  // sent, nothing came back in time
  liveness_timeout,    // the answer stopped coming
  progress_timeout,    // bytes came, but nothing that brought the answer forward
  total_timeout,
  refused,          // by the peer, unread (HTTP/2: REFUSED_STREAM, above GOAWAY's last)
  reset,            // connection lost before a byte of the answer
  broken,           // connection lost or framing violated after bytes of the answer
  too_large,        // more than answer_bytes_max
  cancelled,        // by us
  invalid_request,  // e.g. a URL that cannot be used; nothing was sent
};

[[nodiscard]] std::string_view to_string(FailureKind kind);

/// True when no byte of the request can have been processed by the peer.
[[nodiscard]] bool certainly_not_processed(FailureKind kind);

struct Failure {
  FailureKind kind = FailureKind::connect;
  std::string message;
};

}  // namespace sortie::wire
