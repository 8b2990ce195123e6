#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/budget.h"
#include "sortie/engine/forecast.h"
#include "sortie/engine/speed.h"
#include "sortie/quota/limit.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What a run looks like at one instant. Counts are sums over the ledger's facts plus what is in
// flight; views show them, nothing is decided by them.

namespace sortie::engine {

struct ModelProgress {
  std::string model;
  bool simulated = false;
  std::uint64_t planned = 0;
  std::uint64_t scored = 0;
  std::uint64_t succeeded = 0;  // of scored
  std::uint64_t reused = 0;     // of scored: other runs paid for them
  std::uint64_t lost = 0;       // final infrastructure outcomes
  std::uint64_t running = 0;    // opened and neither scored nor lost
  std::uint64_t turns = 0;      // recorded in this process
  bool paused = false;          // by a person
  double share = 1;             // where models compete for a limit
};

struct RouteProgress {
  std::string route;
  std::string model;
  bool usable = true;
  std::string reason;  // why it is not usable
  std::uint64_t in_flight = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t throttled = 0;
  std::optional<base::Duration> closed_for;  // gate or breaker
};

/// One limit in force.
struct LimitUse {
  std::string domain;
  quota::Limit limit;
  double used = 0;                           // in the last window; in flight for concurrency
  double allowed = 0;                        // a window at our pace; slots for concurrency
  std::optional<base::Duration> closed_for;  // the domain's gate
  bool learned = false;                      // nobody declared it
  double confidence = 1;                     // 0 to 1
};

/// Routes that nothing is declared about and that seem to share one limit.
struct SharedLimit {
  std::string name;                      // "alpha/key-1/m + alpha/key-2/m"
  std::vector<std::string> members;      // routes
  bool is_over = false;                  // later refusals spoke against it
  bool is_remembered = false;            // an earlier run found it, this one has not tried it again
  std::string subject;                   // "key-1 and key-2 of alpha"
  std::vector<std::string> declaration;  // lines for the endpoint in the endpoints file
};

struct BudgetUse {
  FundLimits limits;
  Funds spent;     // of the whole ledger
  Funds reserved;  // for what is in flight or waits
  std::optional<base::WallTime> deadline;
};

/// What a person changed, when and why.
struct ControlChange {
  base::WallTime at;
  std::string author;
  std::string reason;
  std::string text;
};

struct Problem {
  base::WallTime at;
  std::string text;
};

enum class Phase : std::uint8_t { running, stopping, finished };

struct RunStatus {
  std::string run;
  Phase phase = Phase::running;
  base::WallTime at;
  base::Duration elapsed{};
  std::optional<TimeLeft> time_left;  // nullopt while too little is known, or nothing is sent
  std::vector<ModelProgress> models;
  std::vector<RouteProgress> routes;
  std::vector<LimitUse> limits;
  std::vector<SharedLimit> shared_limits;
  BudgetUse budget;
  bool paused = false;
  bool draining = false;
  std::vector<ControlChange> changes;  // the newest last, at most 50
  std::uint64_t attempts = 0;          // in this process
  std::uint64_t turns = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t waiting = 0;   // ready turns that wait for a limit
  std::uint64_t unfunded = 0;  // that the budget does not cover now
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost_micro_usd = 0;
  std::optional<SpeedReport> speed;  // at the end, if anything was answered
  std::vector<Problem> problems;     // the newest last, at most 16

  [[nodiscard]] std::uint64_t planned() const;
  [[nodiscard]] std::uint64_t scored() const;
  [[nodiscard]] std::uint64_t lost() const;
};

}  // namespace sortie::engine
