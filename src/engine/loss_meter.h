#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/loss.h"
#include "sortie/engine/use_history.h"
#include "sortie/quota/limit.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace sortie::engine {

/// Integrates ∫(1 − used/ρ)dt of every declared limit by reason. A request keeps a limit of rate ρ
/// busy for units/ρ from when it was admitted (after what was admitted before), and one of
/// concurrency κ for 1/κ of its time in flight. What is left of each moment is lost for the reason
/// that held then. For limits that are known only at the end it keeps the history of every domain.
/// Pure; `now` never goes backwards.
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

  /// Of a limit that these domains turned out to have in common. Call observe() before.
  [[nodiscard]] Losses of_learned(std::span<const std::size_t> domains,
                                  const quota::Limit& limit) const;

  /// Units of it that answers took over these domains; slot seconds for concurrency.
  [[nodiscard]] double useful(std::span<const std::size_t> domains,
                              const quota::Limit& limit) const;

  [[nodiscard]] std::size_t domains() const { return domains_.size(); }

 private:
  struct Account {
    quota::Limit limit;
    double busy = 0;       // seconds that are used from now on (rates)
    double in_flight = 0;  // concurrency
    Losses lost{};
  };

  struct Domain {
    std::vector<Account> accounts;
    UseHistory history;
    double in_flight = 0;
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
