#pragma once

#include "sortie/base/time.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// HTTP as values: what is asked and what came back, without sockets.

namespace sortie::wire {

// "delete" is a keyword.
enum class Method : std::uint8_t {
  get,
  post,
  put,
  delete_
};  // NOLINT(readability-identifier-naming)

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
  base::Duration total{};
};

struct Request {
  Method method = Method::post;
  std::string url;
  Headers headers;  // may hold credentials: never log them
  std::string body;
  Timeouts timeouts;
  std::size_t answer_bytes_max = 16UL * 1024 * 1024;
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
  tls,                 // handshake or certificate
  connect_timeout,     // no connection in time
  first_byte_timeout,  // sent, nothing came back in time
  liveness_timeout,    // the answer stopped coming
  total_timeout,
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
