#pragma once

#include "sortie/base/time.h"

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
  std::uint64_t lost = 0;       // final infrastructure outcomes
  std::uint64_t running = 0;    // opened and neither scored nor lost
  std::uint64_t turns = 0;      // recorded in this process
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
  std::vector<ModelProgress> models;
  std::vector<RouteProgress> routes;
  std::uint64_t attempts = 0;  // in this process
  std::uint64_t turns = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t waiting = 0;  // ready turns that wait for a limit
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t cost_micro_usd = 0;
  std::vector<Problem> problems;  // the newest last, at most 16

  [[nodiscard]] std::uint64_t planned() const;
  [[nodiscard]] std::uint64_t scored() const;
  [[nodiscard]] std::uint64_t lost() const;
};

}  // namespace sortie::engine
