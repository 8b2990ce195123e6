#pragma once

#include "sortie/base/ids.h"
#include "sortie/base/time.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <expected>

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

/// Receives every completion exactly once, on the loop's thread, never from inside start().
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  virtual void completed(Completion completion) = 0;
};

/// Sends requests. `http` implements it over sockets, `sim` in virtual time. All calls on the
/// loop's thread.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Starts an exchange; `sink` must live until its completion arrived.
  virtual void start(ExchangeId id, Request request, CompletionSink& sink) = 0;

  /// Ends an exchange early: it completes with FailureKind::cancelled soon, unless it completed
  /// already.
  virtual void cancel(ExchangeId id) = 0;
};

}  // namespace sortie::wire
