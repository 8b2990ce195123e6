#include "sortie/testbed/account.h"

#include "sortie/base/time.h"
#include "sortie/engine/learned_limits.h"
#include "sortie/engine/loss.h"
#include "sortie/engine/speed.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/bound.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

bool is_refusal(quota::SignalClass kind) {
  return kind == quota::SignalClass::throttle || kind == quota::SignalClass::concurrency ||
         kind == quota::SignalClass::daily_cap;
}

}  // namespace

Account::Account(const spec::Topology& topology)
    : pools_(engine::with_pools(topology)),
      meter_(pools_, base::Instant()),
      sums_(topology.models.size()) {}

void Account::asks(const sched::ReadyTurn& turn) {
  if (turn.ticket.value >= open_.size()) {
    open_.resize(turn.ticket.value + std::size_t{1});
  }
  open_[turn.ticket.value] = {.model = turn.model,
                              .size = {.input = turn.input_tokens,
                                       .output = turn.output_tokens,
                                       .max_output = turn.max_output_tokens},
                              .at = {}};
}

void Account::took(const sched::Assignment& assignment, base::Instant now) {
  Open& open = open_[assignment.ticket.value];
  open.at = now;
  meter_.took(assignment.route, open.size, now);
}

void Account::answered(const sched::Assignment& assignment,
                       double input_tokens,
                       double output_tokens,
                       base::Instant now) {
  const Open& open = open_[assignment.ticket.value];
  meter_.answered(
      assignment.route,
      open.size,
      {.input = input_tokens, .output = output_tokens, .max_output = open.size.max_output},
      now);
  sched::WorkClass& sum = sums_[open.model];
  sum.requests += 1;
  sum.input_tokens += input_tokens;
  sum.output_tokens += output_tokens;
  sum.max_output_tokens += open.size.max_output;
  sum.service_seconds += base::seconds(now - open.at);
}

void Account::failed(const sched::Assignment& assignment,
                     const quota::Signal& signal,
                     base::Instant now) {
  const Open& open = open_[assignment.ticket.value];
  meter_.failed(assignment.route,
                open.size,
                now - open.at,
                is_refusal(signal.kind) ? engine::Loss::retry : engine::Loss::fault,
                now);
}

std::optional<engine::SpeedReport> Account::speed(const sched::Scheduler& scheduler,
                                                  double seconds) const {
  std::vector<sched::WorkClass> work;
  for (std::size_t model = 0; model < sums_.size(); ++model) {
    sched::WorkClass mean = sums_[model];
    if (!(mean.requests > 0)) {
      continue;
    }
    mean.model = model;
    mean.input_tokens /= mean.requests;
    mean.output_tokens /= mean.requests;
    mean.max_output_tokens /= mean.requests;
    mean.service_seconds /= mean.requests;
    work.push_back(mean);
  }
  if (work.empty() || !(seconds > 0)) {
    return std::nullopt;
  }
  auto report =
      engine::speed_of(pools_,
                       {.learned = scheduler.learned(), .shared = scheduler.shared_pools()},
                       work,
                       meter_,
                       seconds);
  return report.has_value() ? std::optional(*std::move(report)) : std::nullopt;
}

}  // namespace sortie::testbed
