#pragma once

#include "sortie/base/time.h"
#include "sortie/quota/signal.h"

#include <cstddef>
#include <cstdint>
#include <optional>

// What a failure means for the turn that failed: the table of docs/design/scheduling.md as a pure
// function. What it means for the route and its limits is RouteTable's business.

namespace sortie::sched {

/// What one turn has been through since it was first ready.
struct TurnHistory {
  int counted = 0;    // attempts that used up the budget
  int uncounted = 0;  // attempts that never reached a healthy server
  int overloads = 0;
  int broken = 0;
  int stalls = 0;
  int refusals = 0;  // 400 and its like
  // Of the last failure that the server or the request itself was to blame for.
  std::optional<quota::SignalClass> failed_as = std::nullopt;
  std::size_t failed_on = 0;  // route
};

struct RetryBudget {
  int counted_max = 6;
  int uncounted_max = 20;
};

/// Where the next attempt of the turn may go.
enum class NextRoute : std::uint8_t {
  any,
  prefer_other,  // than the one that failed; that one again if no other can soon
  only_other,
};

struct RetryDecision {
  bool give_up = false;
  base::Duration wait{};  // before this turn may go again
  NextRoute next = NextRoute::any;
};

/// The server failed, or refused this request: not a limit, and not a key.
[[nodiscard]] bool is_failure(quota::SignalClass kind);

/// Decides, and counts in `history`. `was_probe`: a breaker let this one request through to see
/// whether its server is back; its failure says nothing about the turn, and is counted like a
/// request that was never processed. `uniform` in [0, 1) is the jitter.
[[nodiscard]] RetryDecision after_failure(quota::SignalClass kind,
                                          bool was_probe,
                                          const RetryBudget& budget,
                                          TurnHistory& history,
                                          double uniform);

}  // namespace sortie::sched
