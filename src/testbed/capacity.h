#pragma once

#include "sortie/sim/limiter.h"
#include "sortie/sim/pools.h"
#include "sortie/sim/profile.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

// How much a true limit lets through in a time, whatever a client does.

namespace sortie::testbed {

/// What a request of this route says of itself; tokens are for the caller to fill in.
[[nodiscard]] sim::Demand demand_of(const Scenario& scenario, const RouteRef& route);

/// One rule of one pool. Units: requests, tokens as the limit counts them, or seconds of service
/// for slots.
class Capacity {
 public:
  struct Segment {
    double from = 0;    // seconds; the next segment begins where this one ends
    double factor = 1;  // of the full rate
  };

  Capacity(std::vector<std::size_t> routes, std::vector<Segment> segments);

  /// Of a window or a bucket; `rule` > 0 are sub-windows.
  void limit_rate(const sim::LimitProfile& limit, const sim::RateRule& rule, bool is_sub_window);
  void limit_slots(double slots);

  [[nodiscard]] bool is_drained_by(std::size_t route) const;

  [[nodiscard]] bool is_of_slots() const { return limit_ == nullptr; }

  /// True when both count requests in the same way.
  [[nodiscard]] bool is_like(const Capacity& other) const;

  /// Units that one request takes.
  [[nodiscard]] double cost(const Turn& turn, std::uint32_t output_max) const;

  /// The most that can be admitted in [0, seconds].
  [[nodiscard]] double until(double seconds) const;

  /// Not less than what can be admitted in [from, to].
  [[nodiscard]] double between(double from, double to) const;

 private:
  [[nodiscard]] double full_seconds(double from, double to) const;

  std::vector<std::size_t> routes_;
  std::vector<Segment> segments_;
  const sim::LimitProfile* limit_ = nullptr;
  bool is_sub_window_ = false;
  bool is_windowed_ = false;  // else a bucket
  double rate_ = 0;           // units a second
  double burst_ = 0;
  double window_seconds_ = 0;
};

/// The capacities of all true limits; a key whose throughput collapses counts as the slots at its
/// peak.
[[nodiscard]] std::vector<Capacity> capacities_of(const Scenario& scenario,
                                                  const std::vector<TimedIncident>& incidents);

/// The head–body–tail bound of each model, over limits that all of the model's routes have.
[[nodiscard]] double head_body_tail(const Scenario& scenario,
                                    const Workload& workload,
                                    const std::vector<Capacity>& capacities);

}  // namespace sortie::testbed
