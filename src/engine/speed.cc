#include "sortie/engine/speed.h"

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

std::optional<Losses> losses_at(const spec::Topology& topology,
                                const LossMeter& meter,
                                const sched::Bottleneck& bottleneck) {
  const auto domain =
      std::ranges::find(topology.domains, bottleneck.domain, &quota::LimitDomain::name);
  const auto kind = kind_named(bottleneck.limit);
  if (domain == topology.domains.end() || !kind.has_value()) {
    return std::nullopt;
  }
  return meter.of(static_cast<std::size_t>(domain - topology.domains.begin()), *kind);
}

}  // namespace

base::Result<SpeedReport> speed_of(const spec::Topology& topology,
                                   const std::vector<sched::WorkClass>& work,
                                   const LossMeter& meter,
                                   double seconds) {
  TRY_ASSIGN(const sched::Bound bound, sched::lower_bound(topology, work));
  SpeedReport report;
  report.seconds = seconds;
  report.bound_seconds = bound.seconds;
  double weights = 0;
  for (const sched::Bottleneck& bottleneck : bound.bottlenecks) {
    const std::optional<Losses> losses = losses_at(topology, meter, bottleneck);
    if (!losses.has_value()) {
      continue;
    }
    if (weights == 0) {
      report.domain = bottleneck.domain;
      report.limit = bottleneck.limit;
    }
    weights += bottleneck.saving_of_ten_percent;
    for (std::size_t i = 0; i < kLossKinds; ++i) {
      report.losses[i] += bottleneck.saving_of_ten_percent * (*losses)[i];
    }
  }
  if (weights == 0) {
    return report;
  }
  report.has_losses = true;
  double known = 0;
  for (double& loss : report.losses) {
    loss /= weights;
    known += loss;
  }
  report.losses[static_cast<std::size_t>(Loss::placement)] = seconds - bound.seconds - known;
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
                      {"lost_seconds", std::move(losses)}};
}

}  // namespace sortie::engine
