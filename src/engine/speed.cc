#include "sortie/engine/speed.h"

#include "sortie/engine/learned_limits.h"
#include "sortie/engine/loss.h"
#include "sortie/engine/loss_meter.h"
#include "sortie/quota/limit.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sortie::engine {

namespace {

using quota::LimitKind;

std::optional<LimitKind> kind_named(std::string_view name) {
  for (const LimitKind kind : {LimitKind::requests, LimitKind::tokens, LimitKind::concurrency}) {
    if (quota::to_string(kind) == name) {
      return kind;
    }
  }
  return std::nullopt;
}

/// A limit that decides.
struct Decider {
  std::size_t domain = 0;
  quota::Limit limit;
};

/// The tightest of its kind there; nullopt: the longest dialogue.
std::optional<Decider> decider_of(const spec::Topology& topology,
                                  const sched::Bottleneck& bottleneck) {
  const auto domain =
      std::ranges::find(topology.domains, bottleneck.domain, &quota::LimitDomain::name);
  const auto kind = kind_named(bottleneck.limit);
  if (domain == topology.domains.end() || !kind.has_value()) {
    return std::nullopt;
  }
  std::optional<Decider> decider;
  for (const quota::Limit& limit : domain->limits) {
    if (limit.kind == *kind && (!decider || capacity_of(limit) < capacity_of(decider->limit))) {
      decider = {.domain = static_cast<std::size_t>(domain - topology.domains.begin()),
                 .limit = limit};
    }
  }
  return decider;
}

std::optional<Losses> losses_at(const spec::Topology& topology,
                                const LossMeter& meter,
                                const Decider& decider) {
  if (!decider.limit.learn) {
    return meter.of(decider.domain, decider.limit.kind);
  }
  return meter.of_learned(accounts_of(topology, decider.domain, meter), decider.limit);
}

}  // namespace

base::Result<SpeedReport> speed_of(const spec::Topology& pools,
                                   const KnownLimits& known,
                                   const std::vector<sched::WorkClass>& work,
                                   const LossMeter& meter,
                                   double seconds) {
  const spec::Topology topology = with_learned(pools, known, meter, seconds);
  TRY_ASSIGN(const sched::Bound bound, sched::lower_bound(topology, work));
  SpeedReport report;
  report.seconds = seconds;
  report.bound_seconds = bound.seconds;
  double weights = 0;
  for (const sched::Bottleneck& bottleneck : bound.bottlenecks) {
    const std::optional<Decider> decider = decider_of(topology, bottleneck);
    const auto losses = decider ? losses_at(topology, meter, *decider) : std::nullopt;
    if (!losses.has_value()) {
      continue;
    }
    if (weights == 0) {
      report.domain = bottleneck.domain;
      report.limit = bottleneck.limit;
    }
    if (decider->limit.learn) {
      report.is_estimate = true;
      report.confidence =
          std::min(report.confidence, confidence_in(known, bottleneck.domain, decider->limit.kind));
    }
    weights += bottleneck.saving_of_ten_percent;
    for (std::size_t i = 0; i < kLossKinds; ++i) {
      report.losses[i] += bottleneck.saving_of_ten_percent * (*losses)[i];
    }
  }
  if (report.is_estimate) {
    // Mean sizes of requests over unequal routes leave a rest of rounding.
    report.bound_seconds = std::min(report.bound_seconds, seconds);
  }
  if (weights == 0) {
    return report;
  }
  report.has_losses = true;
  double accounted = 0;
  for (double& loss : report.losses) {
    loss /= weights;
    accounted += loss;
  }
  report.losses[static_cast<std::size_t>(Loss::placement)] =
      seconds - report.bound_seconds - accounted;
  return report;
}

json::Value to_json(const SpeedReport& report) {
  json::Object losses;
  for (std::size_t i = 0; report.has_losses && i < kLossKinds; ++i) {
    losses[to_string(static_cast<Loss>(i))] = report.losses[i];
  }
  return json::Object{{"seconds", report.seconds},
                      {"bound_seconds", report.bound_seconds},
                      {"fraction", report.fraction()},
                      {"domain", report.domain},
                      {"limit", report.limit},
                      {"estimated", report.is_estimate},
                      {"confidence", report.confidence},
                      {"lost_seconds", std::move(losses)}};
}

}  // namespace sortie::engine
