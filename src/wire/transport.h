#pragma once

#include "sortie/base/ids.h"
#include "sortie/base/time.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <expected>
#include <string_view>

namespace sortie::wire {

struct ExchangeTag {};

/// Chosen by the caller of Transport::start; unique among its exchanges in flight.
using ExchangeId = base::Id<ExchangeTag, std::uint64_t>;

struct Completion {
  ExchangeId id;
  std::expected<Response, Failure> outcome;
  base::Instant sent_at;  // when the first byte left (approximately: when the exchange was started)
  base::Instant first_byte_at;  // of the answer; sent_at if none came
  base::Instant ended_at;
};

/// What a piece of a streamed answer was, in the judgement of who reads it.
enum class Piece : std::uint8_t {
  life,      // a ping, a comment, a part of something: the peer is there
  progress,  // it brings the answer forward: tokens, those of reasoning included
  stop,      // nothing more is wanted: the exchange completes as cancelled
};

/// Receives every completion exactly once, on the loop's thread, never from inside start().
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  virtual void completed(Completion completion) = 0;

  /// A piece of a streamed answer's body (Request::streamed), as the connection cut it; `head` has
  /// its status and header fields and no body. On the loop's thread, before the completion; never
  /// after cancel(). May start and cancel exchanges.
  virtual Piece received(ExchangeId id, const Response& head, std::string_view piece);
};

inline Piece CompletionSink::received(ExchangeId /*id*/,
                                      const Response& /*head*/,
                                      std::string_view /*piece*/) {
  return Piece::life;
}

/// Sends requests. `http` implements it over sockets, `sim` in virtual time. All calls on the
/// loop's thread.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Starts an exchange; `sink` must live until its completion arrived.
  virtual void start(ExchangeId id, Request request, CompletionSink& sink) = 0;

  /// Ends an exchange early: it completes with FailureKind::cancelled soon, unless it completed
  /// already. Its connection is closed (HTTP/1.1) or its stream reset (HTTP/2); what the peer has
  /// worked until then may be billed.
  virtual void cancel(ExchangeId id) = 0;
};

}  // namespace sortie::wire
