#pragma once

#include "sortie/base/error.h"
#include "sortie/engine/forecast.h"
#include "sortie/engine/speed.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/scenario.h"
#include "sortie/testbed/truth.h"
#include "sortie/testbed/workload.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

// One campaign in virtual time: a policy against the servers of a scenario. Nothing is rendered,
// stored or sent.

namespace sortie::testbed {

/// A scenario with everything drawn, the same for every policy.
struct Instance {
  Scenario scenario;
  std::uint64_t seed = 0;
  Workload workload;
  std::vector<TimedIncident> incidents;
  double bound = 0;  // seconds: truth_bound()
};

/// σ of the logarithm of a client's error about the length of a dialogue.
inline constexpr double kLengthSigma = 0.5;

[[nodiscard]] base::Result<Instance> draw(const Scenario& scenario,
                                          std::uint64_t seed,
                                          double length_sigma = kLengthSigma);

/// Pairs of routes that are one limit, and what the policy found of them.
struct Sharing {
  std::size_t pairs = 0;                // that really are
  std::size_t found = 0;                // of these, at the end
  std::size_t wrong = 0;                // found, but are not
  std::optional<double> first_seconds;  // until something was found that was right
};

/// What a client foretold of its campaign's end while it went on.
struct Foretold {
  double at = 0;  // seconds from the start
  engine::TimeLeft left;
};

struct Outcome {
  double makespan = 0;        // seconds until the last dialogue ended
  double bound = 0;           // seconds
  std::uint64_t planned = 0;  // requests of all dialogues
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;        // requests that a limit refused, those below not among them
  std::uint64_t rejected_first = 0;  // refused by a limit before its first recovery
  std::uint64_t failed = 0;          // other failures
  std::size_t lost = 0;              // dialogues that were given up or never ended
  bool timed_out = false;            // stopped at kMakespanMax times the bound
  double overrun = 0;  // largest share beyond its quota that a limit was ever asked for
  // Requests that left on a route while the wait that its last refusal had named was not over.
  std::uint64_t gate_violations = 0;
  // Refused by a limit whose true value the policy had been told and that no incident had changed.
  std::uint64_t over_declared = 0;
  // What the run itself would report of its speed; Sortie's policies only.
  std::optional<engine::SpeedReport> reported;
  double waste = 0;                   // tokens that were charged for nothing ÷ tokens of answers
  std::uint64_t decisions = 0;        // calls of decide()
  std::uint64_t bound_requests = 0;   // requests that they bound
  std::vector<double> cell_finished;  // seconds
  std::vector<double> model_finished;
  std::vector<std::uint64_t> answered_by_route;
  Sharing sharing;
  std::vector<Foretold> foretold;  // about 64, in order, from when there is something to say

  /// bound ÷ makespan, times the share of the requests that were answered, so that giving work up
  /// is no way to be fast.
  [[nodiscard]] double eta() const;

  /// Everything was answered in less than the bound: the bound or a server is wrong.
  [[nodiscard]] bool is_impossible() const { return lost == 0 && makespan < bound; }

  [[nodiscard]] double rejection_rate() const;  // per accepted request
  [[nodiscard]] double first_rejection_rate() const;
  [[nodiscard]] double spread() const;  // (last cell − first cell) ÷ makespan
};

/// A campaign is stopped when it has taken so many times its bound.
inline constexpr double kMakespanMax = 1000;

[[nodiscard]] Outcome play(const Instance& instance, const PolicySpec& policy);

}  // namespace sortie::testbed
