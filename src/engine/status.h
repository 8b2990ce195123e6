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

/// Trials by state, of some cells.
struct TrialCounts {
  std::uint64_t planned = 0;
  std::uint64_t scored = 0;
  std::uint64_t succeeded = 0;  // of scored
  std::uint64_t lost = 0;       // final infrastructure outcomes
  std::uint64_t running = 0;    // opened and neither scored nor lost
  std::uint64_t in_flight = 0;  // of running: a request is under way

  TrialCounts& operator+=(const TrialCounts& other);
};

/// The cells of a model that a scenario shows. A cell that several scenarios show counts in each of
/// them, so that the scenarios of a model may have more trials than the model.
struct ScenarioProgress {
  std::string model;
  std::string scenario;
  std::uint64_t cells = 0;
  TrialCounts trials;
};

struct RouteProgress {
  std::string route;
  std::string model;
  std::vector<std::string> domains{};  // of RunStatus::limits: those that it drains
  bool usable = true;
  std::string reason;  // why it is not usable
  std::uint64_t in_flight = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t throttled = 0;
  std::optional<base::Duration> closed_for;  // gate or breaker
  bool breaker_open = false;                 // that one, after failures
  // Half and 95 % of the answers of late (kLatencyRecent) came within; nullopt before the first.
  std::optional<base::Duration> latency_p50{};
  std::optional<base::Duration> latency_p95{};
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

/// Latencies of a route are of its last so many answers, up to twice as many.
inline constexpr std::uint64_t kLatencyRecent = 1000;

enum class Phase : std::uint8_t { running, stopping, finished };

struct RunStatus {
  std::string run;
  Phase phase = Phase::running;
  base::WallTime at;
  base::Duration elapsed{};
  std::optional<TimeLeft> time_left;  // nullopt while too little is known, or nothing is sent
  // The least time in which the limits, as they stand now, would let through what is left; at most
  // the likely time left. Both are estimates. nullopt where time_left is.
  std::optional<base::Duration> bound_left;
  std::vector<ModelProgress> models;
  std::vector<ScenarioProgress> scenarios;  // by model, then as its cells name them
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
  std::uint64_t in_flight_max = 0;  // at once, as the user said; 0: no limit beyond those below
  std::uint64_t open = 0;           // dialogues
  std::uint64_t open_max = 0;       // at once
  std::uint64_t waiting = 0;        // ready turns that wait for a limit
  std::uint64_t unfunded = 0;       // that the budget does not cover now
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
