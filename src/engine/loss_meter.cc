#include "sortie/engine/loss_meter.h"

#include "sortie/base/time.h"
#include "sortie/engine/loss.h"
#include "sortie/engine/use_history.h"
#include "sortie/quota/limit.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sortie::engine {

namespace {

using quota::LimitKind;

constexpr std::array<std::string_view, kLossKinds> kNames = {
    "ramp", "margin", "cuts", "gates", "idle", "tail", "retries", "faults", "paused", "placement"};

double& part(Losses& losses, Loss loss) {
  return losses[static_cast<std::size_t>(loss)];
}

}  // namespace

std::string_view to_string(Loss loss) {
  return kNames[static_cast<std::size_t>(loss)];
}

LossMeter::LossMeter(const spec::Topology& topology, base::Instant start) : topology_(topology) {
  for (const quota::LimitDomain& declared : topology.domains) {
    Domain& domain = domains_.emplace_back();
    domain.at = start;
    for (const quota::Limit& limit : declared.limits) {
      domain.accounts.push_back({.limit = limit, .busy = 0, .in_flight = 0, .lost = {}});
    }
  }
}

void LossMeter::advance(Domain& domain, base::Instant now) {
  const double span = base::seconds(now - domain.at);
  if (span <= 0) {
    return;
  }
  domain.at = now;
  domain.history.pass(span, domain.in_flight, domain.reason);
  for (Account& account : domain.accounts) {
    double used = 0;
    if (account.limit.kind == LimitKind::concurrency) {
      used = span * std::min(1.0, account.in_flight / account.limit.quota);
    } else {
      used = std::min(span, account.busy);
      account.busy -= used;
    }
    part(account.lost, domain.reason) += span - used;
  }
}

/// Units may be negative: a correction. What was counted as used and was not is lost now.
void LossMeter::use(Domain& domain, Account& account, double units) {
  account.busy += units / capacity_of(account.limit);
  if (account.busy < 0) {
    part(account.lost, domain.reason) -= account.busy;
    account.busy = 0;
  }
}

void LossMeter::took(std::size_t route, const quota::RequestSize& size, base::Instant now) {
  count(route, size, 1, now);
}

void LossMeter::returned(std::size_t route, const quota::RequestSize& size, base::Instant now) {
  count(route, size, -1, now);
}

/// Adds `requests` of that size, or takes them away.
void LossMeter::count(std::size_t route,
                      const quota::RequestSize& size,
                      int requests,
                      base::Instant now) {
  for (const std::size_t index : topology_.routes[route].domains) {
    Domain& domain = domains_[index];
    advance(domain, now);
    domain.in_flight += requests;
    domain.history.use(requests, size);
    for (Account& account : domain.accounts) {
      if (account.limit.kind == LimitKind::concurrency) {
        account.in_flight += requests;
      } else {
        use(domain, account, requests * quota::cost_of(account.limit, size));
      }
    }
  }
}

void LossMeter::answered(std::size_t route,
                         const quota::RequestSize& size,
                         const quota::RequestSize& used,
                         base::Instant now) {
  for (const std::size_t index : topology_.routes[route].domains) {
    Domain& domain = domains_[index];
    advance(domain, now);
    domain.answered = true;
    --domain.in_flight;
    domain.history.correct(size, used);
    for (Account& account : domain.accounts) {
      if (account.limit.kind == LimitKind::concurrency) {
        --account.in_flight;
      } else {
        use(domain,
            account,
            quota::cost_of(account.limit, used) - quota::cost_of(account.limit, size));
      }
    }
  }
}

void LossMeter::failed(std::size_t route,
                       const quota::RequestSize& size,
                       base::Duration in_flight,
                       Loss why,
                       base::Instant now) {
  for (const std::size_t index : topology_.routes[route].domains) {
    Domain& domain = domains_[index];
    advance(domain, now);
    --domain.in_flight;
    domain.history.waste(size, base::seconds(in_flight), why);
    for (Account& account : domain.accounts) {
      if (account.limit.kind == LimitKind::concurrency) {
        --account.in_flight;
        part(account.lost, why) += base::seconds(in_flight) / account.limit.quota;
      } else {
        part(account.lost, why) += quota::cost_of(account.limit, size) / capacity_of(account.limit);
      }
    }
  }
}

void LossMeter::observe(const std::vector<Loss>& reasons, base::Instant now) {
  for (std::size_t i = 0; i < domains_.size(); ++i) {
    advance(domains_[i], now);
    domains_[i].reason = reasons[i];
  }
}

std::optional<Losses> LossMeter::of(std::size_t domain, LimitKind kind) const {
  const Account* tightest = nullptr;
  for (const Account& account : domains_[domain].accounts) {
    if (account.limit.kind == kind &&
        (tightest == nullptr || capacity_of(account.limit) < capacity_of(tightest->limit))) {
      tightest = &account;
    }
  }
  return tightest == nullptr ? std::nullopt : std::optional(tightest->lost);
}

/// Each domain is held against its part of the limit.
Losses LossMeter::of_learned(std::span<const std::size_t> domains,
                             const quota::Limit& limit) const {
  quota::Limit part = limit;
  part.quota /= static_cast<double>(domains.size());
  Losses result{};
  for (const std::size_t domain : domains) {
    const Losses losses = domains_[domain].history.losses(part);
    for (std::size_t i = 0; i < kLossKinds; ++i) {
      result[i] += losses[i] / static_cast<double>(domains.size());
    }
  }
  return result;
}

double LossMeter::useful(std::span<const std::size_t> domains, const quota::Limit& limit) const {
  double units = 0;
  for (const std::size_t domain : domains) {
    units += domains_[domain].history.useful(limit);
  }
  return units;
}

}  // namespace sortie::engine
