#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/http/server.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/sim/reply.h"
#include "sortie/suite/suite.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sortie::sim {

/// One simulated provider on a socket. Latencies are waited for in real time; faults happen to the
/// connection.
class ProviderServer final : public http::Handler {
 public:
  /// Listens on the profile's port (0: any free one). Where the profile wants TLS it has to have an
  /// identity. `suite` must outlive the server, the server
  /// its loop.
  [[nodiscard]] static base::Result<std::unique_ptr<ProviderServer>> listen(
      aio::Loop& loop, ProviderProfile profile, std::uint64_t seed, const suite::Suite& suite);

  ~ProviderServer() override;
  ProviderServer(const ProviderServer&) = delete;
  ProviderServer& operator=(const ProviderServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }

  /// "http://127.0.0.1:PORT/v1" or "https://…", what an endpoint's base_url says.
  [[nodiscard]] std::string base_url() const { return server_->url() + provider_.profile().path; }

  [[nodiscard]] SimulatedProvider& provider() { return provider_; }

  [[nodiscard]] const SimulatedProvider& provider() const { return provider_; }

  void handle(http::ServerRequest request, http::ResponseSlot slot) override;

  /// Stops listening and drops what is open, at once. Idempotent.
  void stop();

 private:
  /// An answer on its way. Lives until it was delivered or the client left.
  struct Pending {
    Reply reply;
    http::ResponseSlot slot;
    aio::TimerId timer{};
    base::Instant began{};  // of a stream
    std::size_t sent = 0;   // pieces of it
  };

  ProviderServer(aio::Loop& loop,
                 ProviderProfile profile,
                 std::uint64_t seed,
                 const suite::Suite& suite);

  void follow_outages();
  void deliver(std::uint64_t id);
  void torment(std::uint64_t id, Pending pending);
  void go_on(std::uint64_t id, std::size_t said);
  void begin_stream(std::uint64_t id);
  void send_pieces(std::uint64_t id);
  void client_left(std::uint64_t id);

  /// Time as the provider sees it: zero when the server was made.
  [[nodiscard]] base::Instant provider_now() const { return base::Instant(loop_->now() - epoch_); }

  aio::Loop* loop_;
  base::Instant epoch_;
  SimulatedProvider provider_;
  std::unordered_map<std::uint64_t, Pending> pending_;
  std::unique_ptr<http::Server> server_;
  std::optional<aio::TimerId> outage_timer_;
};

struct SimServerOptions {
  std::string audit_path;  // every request is appended there as a JSON line; empty: nowhere
};

/// All providers of one profile file.
class SimServer {
 public:
  /// Certificates that a profile does not have are made, and the authority of all of them is
  /// written to the files that it names.
  [[nodiscard]] static base::Result<std::unique_ptr<SimServer>> start(
      aio::Loop& loop,
      const Profile& profile,
      const suite::Suite& suite,
      const SimServerOptions& options = {});

  [[nodiscard]] const std::vector<std::unique_ptr<ProviderServer>>& providers() const {
    return providers_;
  }

  /// What base_url says in an endpoints file, in the profile's order.
  [[nodiscard]] std::vector<std::string> base_urls() const;

  void stop();

 private:
  std::vector<std::unique_ptr<ProviderServer>> providers_;
};

}  // namespace sortie::sim
