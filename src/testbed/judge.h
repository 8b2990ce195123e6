#pragma once

#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/sim/pools.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sortie::testbed {

/// One attempt, as the servers see it.
struct Attempt {
  std::size_t route = 0;
  std::uint32_t dialogue = 0;
  std::uint32_t turn = 0;
  std::uint32_t number = 0;  // of this turn, from 0
};

/// What a server does with a request.
struct Ruling {
  enum class Kind : std::uint8_t {
    answer,  // after `seconds` of service
    error,   // `signal`, after `seconds`
    silence  // nothing, until the client hangs up
  };

  Kind kind = Kind::answer;
  double seconds = 0;
  quota::Signal signal;
  quota::LimitHints hints;                // of an answer
  std::optional<std::size_t> refused_by;  // of an error: in true_pools()
  sim::Holding holding;                   // give it back with finish()
  bool is_admitted = false;               // limits were charged
};

/// The servers of a scenario: they enforce its true limits with the simulator's limiters, and let
/// its incidents happen. They share nothing with what paces clients. Chances are drawn from (seed,
/// dialogue, turn, attempt).
class Judge {
 public:
  Judge(const Scenario& scenario,
        const Workload& workload,
        const std::vector<TimedIncident>& incidents,
        std::uint64_t seed);

  /// A request arrives; `now` never goes back.
  [[nodiscard]] Ruling arrive(const Attempt& attempt, base::Instant now);

  /// Its last byte was sent, or the client hung up.
  void finish(const Ruling& ruling, base::Instant now, bool cancelled);

  [[nodiscard]] const std::vector<TruePool>& pools() const { return pools_; }

  [[nodiscard]] const std::vector<std::size_t>& pools_of(std::size_t route) const {
    return pools_of_route_[route];
  }

  [[nodiscard]] std::vector<sim::PoolReport> report() const { return limits_.report(); }

  /// When an incident begins or ends next, so that limits change in time; nullopt: never.
  [[nodiscard]] std::optional<base::Instant> next_change() const;
  void change(base::Instant now);

  /// One-way transport delay, 0 to 10 ms.
  [[nodiscard]] base::Duration delay(const Attempt& attempt, bool to_server) const;

 private:
  /// What is drawn of an attempt.
  enum class Purpose : std::uint8_t { hangs, fails, hint, to_server, to_client };

  [[nodiscard]] double draw(const Attempt& attempt, Purpose purpose) const;
  [[nodiscard]] bool is_struck(const TimedIncident& incident,
                               const Attempt& attempt,
                               base::Instant now) const;
  [[nodiscard]] std::optional<Ruling> strike(const Attempt& attempt, base::Instant now) const;
  [[nodiscard]] double slowness(const Attempt& attempt, base::Instant now) const;
  [[nodiscard]] sim::Demand demand_for(const Attempt& attempt) const;
  [[nodiscard]] Ruling refuse(const Attempt& attempt, const sim::Refusal& refusal) const;

  const Scenario& scenario_;
  const Workload& workload_;
  const std::vector<TimedIncident>& incidents_;
  std::vector<RouteRef> routes_;
  std::vector<TruePool> pools_;
  std::vector<std::vector<std::size_t>> pools_of_route_;
  std::unordered_map<std::string, std::size_t> pool_by_name_;
  sim::LimitPools limits_;
  base::CounterRandom random_;
  std::vector<base::Instant> changes_;  // ascending, those to come
  std::size_t next_change_ = 0;
};

}  // namespace sortie::testbed
