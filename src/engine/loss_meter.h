#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/spec/model.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace sortie::engine {

/// Where the time of a limit went that was not used for answers.
enum class Loss : std::uint8_t {
  ramp,       // nothing had been answered over it yet, or nothing had ever waited for it
  margin,     // something waited for it: requests are spaced wider than the limit
  gate,       // the server had said to wait
  idle,       // nothing was ready to be sent
  tail,       // the same, and no trial was left to begin
  retry,      // used by requests that were rejected
  fault,      // used by requests that failed, or its routes were out
  paused,     // a person paused what uses it
  placement,  // work that the best plan sends over other limits; see SpeedReport
};

inline constexpr std::size_t kLossKinds = 9;

/// Seconds by Loss.
using Losses = std::array<double, kLossKinds>;

[[nodiscard]] std::string_view to_string(Loss loss);

/// Integrates ∫(1 − used/ρ)dt of every declared limit by reason. A request keeps a limit of rate ρ
/// busy for units/ρ from when it was admitted (after what was admitted before), and one of
/// concurrency κ for 1/κ of its time in flight. What is left of each moment is lost for the reason
/// that held then. Pure; `now` never goes backwards.
class LossMeter {
 public:
  /// `topology` must outlive the meter.
  LossMeter(const spec::Topology& topology, base::Instant start);

  /// A request was bound to the route.
  void took(std::size_t route, const quota::RequestSize& size, base::Instant now);

  /// It was never sent, or cancelled: what it took was not used.
  void returned(std::size_t route, const quota::RequestSize& size, base::Instant now);

  void answered(std::size_t route,
                const quota::RequestSize& size,
                const quota::RequestSize& used,
                base::Instant now);

  /// What it took was used up for nothing: `why` is retry or fault.
  void failed(std::size_t route,
              const quota::RequestSize& size,
              base::Duration in_flight,
              Loss why,
              base::Instant now);

  /// Why each domain's time is lost from now on, where it is; by Topology::domains.
  void observe(const std::vector<Loss>& reasons, base::Instant now);

  /// True once a request was answered over the domain.
  [[nodiscard]] bool has_answered(std::size_t domain) const { return domains_[domain].answered; }

  /// Of the tightest limit of that kind; nullopt if there is none. Call observe() before.
  [[nodiscard]] std::optional<Losses> of(std::size_t domain, quota::LimitKind kind) const;

 private:
  struct Account {
    quota::Limit limit;
    double busy = 0;       // seconds that are used from now on (rates)
    double in_flight = 0;  // concurrency
    Losses lost{};
  };

  struct Domain {
    std::vector<Account> accounts;
    Loss reason = Loss::ramp;
    base::Instant at;
    bool answered = false;
  };

  void count(std::size_t route, const quota::RequestSize& size, int requests, base::Instant now);
  static void advance(Domain& domain, base::Instant now);
  static void use(Domain& domain, Account& account, double units);

  const spec::Topology& topology_;
  std::vector<Domain> domains_;
};

}  // namespace sortie::engine
