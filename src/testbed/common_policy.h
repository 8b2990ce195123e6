#pragma once

#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"
#include "sortie/testbed/policy.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace sortie::testbed {

/// How campaigns are usually run: a fixed number of workers, each with one dialogue at a time, that
/// retry on their own. The options decide how a key is chosen and what holds requests back; see
/// CommonOptions.
class CommonPolicy final : public Policy {
 public:
  CommonPolicy(const CommonOptions& options, const spec::Topology& topology, std::uint64_t seed);

  void opened(sched::Ticket ticket, const DialogueFacts& facts) override;
  void add(const sched::ReadyTurn& turn, base::Instant now) override;
  void decide(base::Instant now, std::vector<sched::Assignment>& out) override;
  [[nodiscard]] std::optional<base::Instant> next_decision(base::Instant now) const override;
  [[nodiscard]] base::Instant departure(const sched::Assignment& assignment,
                                        std::optional<base::Instant> granted,
                                        base::Instant now) override;
  void answered(const sched::Assignment& assignment,
                double input_tokens,
                double output_tokens,
                const quota::LimitHints& hints,
                const sched::AnswerTiming& timing,
                base::Instant now) override;
  sched::FailureVerdict failed(const sched::Assignment& assignment,
                               const quota::Signal& signal,
                               base::Instant now) override;
  [[nodiscard]] std::size_t wants_open(std::size_t model) const override;

 private:
  enum class Phase : std::uint8_t { absent, waiting, resting, in_flight };

  struct Turn {
    sched::ReadyTurn request;
    Phase phase = Phase::absent;
    std::size_t route = 0;  // that it waits for or is bound to; not of a shuffle until bound
    base::Instant until;    // resting
    int attempts = 0;
  };

  /// A minute's tokens or requests, refilled evenly.
  struct Bucket {
    quota::Limit limit;
    double level = 0;
    base::Instant filled_at;
  };

  struct RouteState {
    std::deque<sched::Ticket> queue;  // of a static choice
    std::size_t in_flight = 0;
    base::Instant paused_until;
    double window = 0;  // requests at once; grows and shrinks
    bool is_starting = true;
    base::Instant cut_at;
    std::vector<Bucket> buckets;
  };

  [[nodiscard]] std::size_t static_route(std::size_t model, const DialogueFacts& facts) const;
  [[nodiscard]] base::Instant earliest(const RouteState& route,
                                       const sched::ReadyTurn& turn,
                                       base::Instant now) const;
  [[nodiscard]] std::optional<std::size_t> shuffled(const sched::ReadyTurn& turn,
                                                    base::Instant now);
  void enqueue(Turn& turn);
  void bind(Turn& turn, std::size_t route, base::Instant now, std::vector<sched::Assignment>& out);
  void charge(RouteState& route, const sched::ReadyTurn& turn, base::Instant now);
  void wake(base::Instant now);
  void throttled(Turn& turn, const quota::Signal& signal, base::Instant now);
  void rest(Turn& turn, base::Duration wait, base::Instant now);
  void grow(RouteState& route);
  Turn& land(const sched::Assignment& assignment);

  CommonOptions options_;
  const spec::Topology& topology_;
  std::vector<std::vector<std::size_t>> routes_of_;  // by model
  std::vector<RouteState> routes_;
  std::vector<Turn> turns_;                        // by ticket
  std::vector<std::size_t> own_;                   // by ticket: its static route
  std::vector<std::deque<sched::Ticket>> shared_;  // by model: of a shuffle
  std::set<std::pair<base::Instant, std::uint32_t>> resting_;
  std::vector<std::size_t> open_;  // by model: dialogues here
  base::RandomStream random_;
};

}  // namespace sortie::testbed
