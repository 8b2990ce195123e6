#pragma once

#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/sim/agent.h"
#include "sortie/sim/audit.h"
#include "sortie/sim/dialects.h"
#include "sortie/sim/draws.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/reply.h"
#include "sortie/sim/situation.h"
#include "sortie/suite/suite.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sortie::sim {

/// The header by which clients say which attempt a request is: "trial/turn/attempt".
inline constexpr std::string_view kAttemptHeader = "X-Sortie-Attempt";

/// A request as it arrives.
struct Incoming {
  wire::Method method = wire::Method::post;
  std::string_view target;  // path and query
  const wire::Headers& headers;
  std::string_view body;
};

/// Money and tokens billed.
struct Bill {
  std::uint64_t requests = 0;
  std::uint64_t billed = 0;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  double cost = 0;  // US dollars
};

struct ProviderOptions {
  std::size_t audit_entries_max = 500'000;
};

/// One simulated provider: a pure state machine over the `now` it is given, which never goes back.
/// No I/O but the audit file, if asked for. One thread.
class SimulatedProvider {
 public:
  /// `suite` must outlive the object.
  SimulatedProvider(ProviderProfile profile,
                    std::uint64_t seed,
                    const suite::Suite& suite,
                    ProviderOptions options = {});

  SimulatedProvider(const SimulatedProvider&) = delete;
  SimulatedProvider& operator=(const SimulatedProvider&) = delete;

  /// Judges a request and writes it to the audit. The answer is due after Reply::delay.
  [[nodiscard]] Reply handle(const Incoming& incoming, base::Instant now);

  /// The exchange ended: its last byte was sent, or the client hung up before (`cancelled`); what
  /// was billed stays billed.
  void finished(std::uint64_t id, base::Instant now, bool cancelled);

  [[nodiscard]] const ProviderProfile& profile() const { return profile_; }

  [[nodiscard]] const AuditLog& audit() const { return audit_; }

  [[nodiscard]] AuditLog& audit() { return audit_; }

  [[nodiscard]] const Bill& bill() const { return bill_; }

  [[nodiscard]] const std::map<std::string, Bill>& bill_by_key() const { return bill_by_key_; }

  [[nodiscard]] std::vector<PoolReport> limits() const { return pools_.report(); }

  [[nodiscard]] std::size_t in_flight() const { return open_.size(); }

  /// The documents of GET /sim/audit and GET /sim/bill.
  [[nodiscard]] std::string audit_json() const;
  [[nodiscard]] std::string bill_json() const;

 private:
  struct Exchange;  // one request on its way through handle()

  [[nodiscard]] std::optional<wire::Response> administer(const Incoming& incoming) const;
  [[nodiscard]] const KeyProfile* authorize(Dialect dialect, const wire::Headers& headers) const;
  /// False: the request was refused, and the reply says how.
  [[nodiscard]] bool understand(Exchange& exchange, const Incoming& incoming);
  /// Of a client that does not say which attempt a request is.
  [[nodiscard]] RequestIdentity identify(const ChatRequest& request);
  void compose(Exchange& exchange);
  void write_down(Exchange& exchange, AgentAnswer said) const;
  void distort(Exchange& exchange, FaultKind kind) const;
  void choose_fault(Exchange& exchange);
  [[nodiscard]] bool refuse(Exchange& exchange, base::Instant now);
  void deliver(Exchange& exchange, base::Instant now);
  void stream_out(Exchange& exchange) const;
  void show_limits(Exchange& exchange, base::Instant now);
  /// False if the fault changes an answer instead of replacing it.
  [[nodiscard]] bool deliver_fault(Exchange& exchange);
  void deliver_error(Exchange& exchange, Decision decision, const ApiError& error);
  [[nodiscard]] Reply conclude(Exchange& exchange);
  [[nodiscard]] std::int64_t tokens_of(std::size_t characters) const;

  ProviderProfile profile_;
  std::uint64_t seed_;
  Situations situations_;
  LimitPools pools_;
  AuditLog audit_;
  Bill bill_;
  std::map<std::string, Bill> bill_by_key_;
  std::vector<std::uint64_t> fault_requests_;  // a fault rule: requests that it selected so far
  std::unordered_map<std::uint64_t, Holding> open_;
  std::unordered_map<std::uint64_t, std::uint32_t>
      attempts_seen_;  // of clients that do not say which attempt it is
  std::uint64_t next_id_ = 1;
};

}  // namespace sortie::sim
