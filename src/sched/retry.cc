#include "sortie/sched/retry.h"

#include "sortie/base/time.h"
#include "sortie/quota/signal.h"

#include <algorithm>
#include <cmath>

namespace sortie::sched {

namespace {

using quota::SignalClass;

constexpr int kOverloadsFree = 5;
constexpr int kBrokenMax = 4;
constexpr int kStallsMax = 3;
constexpr int kRefusalsMax = 2;
constexpr double kTransientSecondsMin = 0.5;
constexpr double kTransientSecondsMax = 20;
constexpr double kUnprocessedSecondsMax = 0.2;
constexpr int kUnprocessedAtOnce = 3;
constexpr double kBrokenSecondsMin = 0.2;
constexpr double kBrokenSecondsMax = 2;

base::Duration between(double least, double most, double uniform) {
  return base::from_seconds(least + uniform * (most - least));
}

/// 0.5–1 s at first, then up to twice as long each time.
base::Duration transient_wait(int counted, double uniform) {
  const double most =
      std::min(kTransientSecondsMax, std::ldexp(1.0, std::clamp(counted - 1, 0, 10)));
  return between(kTransientSecondsMin, most, uniform);
}

RetryDecision count_transient(const RetryBudget& budget, TurnHistory& history, double uniform) {
  history.counted += 1;
  return {.give_up = history.counted >= budget.counted_max,
          .wait = transient_wait(history.counted, uniform),
          .next = NextRoute::prefer_other};
}

/// Nothing is wrong with a lost connection; with several in a row something is.
RetryDecision count_unprocessed(const RetryBudget& budget, TurnHistory& history, double uniform) {
  history.uncounted += 1;
  const int late = history.uncounted - kUnprocessedAtOnce;
  return {.give_up = history.uncounted >= budget.uncounted_max,
          .wait = late > 0 ? transient_wait(late, uniform)
                           : between(0, kUnprocessedSecondsMax, uniform),
          .next = NextRoute::any};
}

RetryDecision count_broken(const RetryBudget& budget, TurnHistory& history, double uniform) {
  history.counted += 1;
  history.broken += 1;
  return {.give_up = history.counted >= budget.counted_max || history.broken >= kBrokenMax,
          .wait = between(kBrokenSecondsMin, kBrokenSecondsMax, uniform),
          .next = NextRoute::any};
}

RetryDecision count_stall(const RetryBudget& budget, TurnHistory& history) {
  history.counted += 1;
  history.stalls += 1;
  return {.give_up = history.counted >= budget.counted_max || history.stalls >= kStallsMax,
          .next = NextRoute::prefer_other};
}

/// The endpoint is gated for everybody; the turn itself waits for nothing more.
RetryDecision count_overload(const RetryBudget& budget, TurnHistory& history) {
  history.overloads += 1;
  if (history.overloads > kOverloadsFree) {
    history.counted += 1;
  }
  return {.give_up = history.counted >= budget.counted_max, .next = NextRoute::prefer_other};
}

/// It steps back for a while, so that another turn may be the next probe.
RetryDecision count_probe(const RetryBudget& budget, TurnHistory& history, double uniform) {
  RetryDecision decision = count_unprocessed(budget, history, uniform);
  decision.wait = transient_wait(history.uncounted, uniform);
  decision.next = NextRoute::prefer_other;
  return decision;
}

bool is_failure_of_server(SignalClass kind) {
  return kind == SignalClass::transient || kind == SignalClass::not_processed ||
         kind == SignalClass::broken || kind == SignalClass::stall;
}

}  // namespace

bool is_failure(SignalClass kind) {
  return is_failure_of_server(kind) || kind == SignalClass::bad_request;
}

RetryDecision after_failure(SignalClass kind,
                            bool was_probe,
                            const RetryBudget& budget,
                            TurnHistory& history,
                            double uniform) {
  if (was_probe && is_failure_of_server(kind)) {
    return count_probe(budget, history, uniform);
  }
  switch (kind) {
    case SignalClass::throttle:
    case SignalClass::concurrency:
    case SignalClass::daily_cap:
    case SignalClass::ramp:
    case SignalClass::out_of_money:
    case SignalClass::auth:
    case SignalClass::wrong_name:
    case SignalClass::wrong_model:
      // Gates and disabled routes hold it back as far as needed.
      return {};
    case SignalClass::overload:
      return count_overload(budget, history);
    case SignalClass::transient:
      return count_transient(budget, history, uniform);
    case SignalClass::not_processed:
    case SignalClass::cancelled:
      return count_unprocessed(budget, history, uniform);
    case SignalClass::broken:
      return count_broken(budget, history, uniform);
    case SignalClass::stall:
      return count_stall(budget, history);
    case SignalClass::bad_request:
      history.refusals += 1;
      return {.give_up = history.refusals >= kRefusalsMax, .next = NextRoute::only_other};
  }
  return {.give_up = true};
}

}  // namespace sortie::sched
