#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/time.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace sortie::http {

/// HTTP over sockets: libcurl's multi interface on a real Loop. HTTP/2 where TLS negotiates it,
/// else HTTP/1.1 (wire::Access says otherwise); certificates are verified; redirects are not
/// followed; compressed answers arrive decoded (answer_bytes_max counts decoded bytes); proxies
/// come from the environment, except for loopback hosts, which are reached directly, unless the
/// request names one.
///
/// A request is never sent twice, unless nothing of the first sending was written: a connection
/// that broke after that is a FailureKind::reset, a request that the peer refused unread a
/// FailureKind::refused, and asking again is the caller's decision. Connections that the peer
/// closed while idle are shut at once and never reused.
///
/// Time-outs (wire::Timeouts): `connect` runs from when the exchange is given a connection slot
/// until the request can be written (name, TCP, TLS, proxy); `first_byte` from then until the
/// status line is there; `liveness` between two pieces of the answer; `progress` from the sending
/// between two pieces that the reader of a streamed answer calls so; `total` from start(), waiting
/// for a slot included.
class CurlTransport final : public wire::Transport {
 public:
  struct Options {
    /// Exchanges beyond these wait in order of arrival, without a connection.
    std::size_t connections_per_host_max = 1024;
    std::size_t connections_max = 4096;
    /// HTTP/2: further requests get a connection of their own.
    std::size_t streams_per_connection_max = 64;
    /// Waiting exchanges; beyond, they fail with FailureKind::connect.
    std::size_t waiting_max = 100'000;
    /// Below half of the shortest idle limit known of a provider's front end (60 s).
    base::Duration idle_max = std::chrono::seconds(25);
    std::size_t header_bytes_max = 64UL * 1024;
    /// PEM file of the certificates to trust instead of the system's; empty: the system's.
    std::string ca_file;
    std::string user_agent = "sortie/0.1";
    /// A Unix socket that every request goes to, whatever host its URL names; empty: none.
    std::string unix_path = {};
  };

  struct Stats {
    std::size_t in_flight = 0;         // started and not completed, waiting ones included
    std::size_t waiting = 0;           // for a connection slot
    std::size_t open_connections = 0;  // sockets held, busy or idle
    std::size_t idle_connections = 0;
    std::uint64_t connections_opened = 0;
    std::uint64_t exchanges_completed = 0;
  };

  CurlTransport(aio::Loop& loop, Options options);
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  /// Closes every connection. Exchanges in flight are abandoned without a completion. Not to be
  /// called by a completion.
  ~CurlTransport() override;

  void start(wire::ExchangeId id, wire::Request request, wire::CompletionSink& sink) override;
  void cancel(wire::ExchangeId id) override;

  [[nodiscard]] Stats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sortie::http
