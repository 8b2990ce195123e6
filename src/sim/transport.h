#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/time.h"
#include "sortie/sim/body_script.h"
#include "sortie/sim/outage.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/reply.h"
#include "sortie/wire/message.h"
#include "sortie/wire/patience.h"
#include "sortie/wire/transport.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

namespace sortie::sim {

/// Simulated providers behind a Transport: no sockets, and on a virtual loop no waiting. Requests
/// reach their provider at the instant they are started. What a streamed request is answered comes
/// in the provider's pieces, each at its time. Destroy it before its loop; exchanges still open
/// then never complete.
class SimTransport final : public wire::Transport {
 public:
  explicit SimTransport(aio::Loop& loop) : loop_(&loop), epoch_(loop.now()) {}

  ~SimTransport() override;
  SimTransport(const SimTransport&) = delete;
  SimTransport& operator=(const SimTransport&) = delete;

  /// Requests whose URL has this authority ("127.0.0.1:18801") go to `provider`, which must outlive
  /// the transport.
  void add(const std::string& authority, SimulatedProvider& provider);

  /// The same under the provider's own host and port.
  void add(SimulatedProvider& provider);

  /// From now on nobody listens there: new exchanges fail with FailureKind::connect.
  void remove(const std::string& authority);

  void start(wire::ExchangeId id, wire::Request request, wire::CompletionSink& sink) override;
  void cancel(wire::ExchangeId id) override;

  [[nodiscard]] std::size_t in_flight() const { return open_.size(); }

 private:
  /// A body on its way to a streamed request.
  struct Stream {
    BodyScript script;
    wire::Response head;
    wire::Patience patience;
    base::Instant began;
    std::string peer;  // for messages
    std::size_t bytes = 0;
    std::size_t bytes_max = 0;
  };

  struct Open {
    SimulatedProvider* provider = nullptr;  // null: nobody listens
    std::uint64_t request = 0;              // the provider's id
    bool hangs_up = false;                  // it ends by the client's doing
    base::Duration first_byte{};            // from sending, if bytes come
    wire::Completion completion;
    wire::CompletionSink* sink = nullptr;
    aio::TimerId timer;
    bool streamed = false;           // the request's body goes to the sink, as it comes or at once
    std::unique_ptr<Stream> stream;  // only while it comes
  };

  void arm(Open open, base::Duration delay);
  void wait_for_connection(Open open, MetOutage outage, wire::Request request);
  void complete(wire::ExchangeId id);
  void begin_stream(Open open, Reply reply, const wire::Request& request, std::string peer);
  void await_step(wire::ExchangeId id);
  void take_step(wire::ExchangeId id);
  void hand_on(wire::ExchangeId id, const std::string& bytes);
  void end_stream(wire::ExchangeId id, std::expected<wire::Response, wire::Failure> outcome);

  /// Time as the providers see it: zero when the transport was made.
  [[nodiscard]] base::Instant provider_now() const { return base::Instant(loop_->now() - epoch_); }

  aio::Loop* loop_;
  base::Instant epoch_;
  std::map<std::string, SimulatedProvider*, std::less<>> providers_;
  std::unordered_map<wire::ExchangeId, Open> open_;
};

}  // namespace sortie::sim
