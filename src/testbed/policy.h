#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/speed.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"
#include "sortie/testbed/scenario.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// What is compared: a policy takes ready turns and binds them to routes, through the calls of
// sched::Scheduler. Sortie's own scheduler is one of them; the others are how campaigns are run
// elsewhere.

namespace sortie::testbed {

/// Dialogues of a cell that are not open yet.
struct Backlog {
  std::size_t model = 0;
  std::size_t cell = 0;
  double dialogues = 0;
  double turns_each = 0;  // expected
};

/// What is fixed about a dialogue before it begins.
struct DialogueFacts {
  std::size_t model = 0;
  std::size_t number = 0;  // among the model's dialogues
  std::size_t cell = 0;
};

class Policy {
 public:
  virtual ~Policy() = default;

  /// A dialogue begins under this ticket; its first turn follows.
  virtual void opened(sched::Ticket ticket, const DialogueFacts& facts) = 0;

  /// A person's wish, told once before anything else: see ModelSpec::weight.
  virtual void has_weight(std::size_t /*model*/, double /*weight*/) {}

  /// Told whenever it changes.
  virtual void has_backlog(const Backlog& /*backlog*/) {}

  /// The cell whose next dialogue should be opened; nullopt: whichever is next on the list.
  [[nodiscard]] virtual std::optional<std::size_t> opens_next(std::size_t /*model*/) const {
    return std::nullopt;
  }

  virtual void add(const sched::ReadyTurn& turn, base::Instant now) = 0;

  /// Pools that it found to be one limit, by the names of their routes.
  [[nodiscard]] virtual std::vector<sched::SharedPool> shared_pools() const { return {}; }

  virtual void decide(base::Instant now, std::vector<sched::Assignment>& out) = 0;
  [[nodiscard]] virtual std::optional<base::Instant> next_decision(base::Instant now) const = 0;
  [[nodiscard]] virtual base::Instant departure(const sched::Assignment& assignment,
                                                std::optional<base::Instant> granted,
                                                base::Instant now) = 0;

  /// The first token of an answer of the route would tell it something.
  [[nodiscard]] virtual bool awaits_tokens(std::size_t /*route*/) const { return false; }

  virtual void began(const sched::Assignment& /*assignment*/, base::Instant /*now*/) {}

  virtual void answered(const sched::Assignment& assignment,
                        double input_tokens,
                        double output_tokens,
                        const quota::LimitHints& hints,
                        const sched::AnswerTiming& timing,
                        base::Instant now) = 0;

  /// How long an attempt just sent may show no token before it is given up; nullopt: as long as the
  /// scenario says.
  [[nodiscard]] virtual std::optional<base::Duration> silence(
      const sched::Assignment& /*assignment*/) const {
    return std::nullopt;
  }

  virtual sched::FailureVerdict failed(const sched::Assignment& assignment,
                                       const quota::Signal& signal,
                                       base::Instant now) = 0;
  [[nodiscard]] virtual std::size_t wants_open(std::size_t model) const = 0;

  /// What a run of `seconds` reports as its bound, from what the policy knows itself; nullopt: it
  /// reports none.
  [[nodiscard]] virtual std::optional<engine::SpeedReport> speed(double /*seconds*/) const {
    return std::nullopt;
  }
};

enum class PolicyKind : std::uint8_t {
  sortie,  // sched::Scheduler
  common,  // CommonPolicy
};

/// How a dialogue comes by its key.
enum class KeyChoice : std::uint8_t {
  task,     // number mod keys: each key has an equal part of the list, side by side
  cell,     // cell mod keys: each prompt, flaw group or rate has its key
  shuffle,  // each request anew: random by declared limit; a key that refused rests for 5 s
};

struct CommonOptions {
  KeyChoice choice = KeyChoice::task;
  std::size_t workers = 0;     // of each model; a worker keeps its dialogue until that ends
  std::size_t window_max = 0;  // > 0: requests at once per key by slow start, ×0.8, +5 % a round
  double bucket_share = 0;     // > 0: a client's bucket of a minute's quota times this per key
};

/// What is known about the length of a dialogue, which decides what is opened and sent first.
enum class Lengths : std::uint8_t {
  estimated,  // the true length times the dialogue's length_error
  learned,    // as the engine does: the mean of what is left of finished dialogues of the model
  unknown,    // nothing: first come, first served
};

struct PolicySpec {
  std::string name;
  std::string summary;  // one line for people
  PolicyKind kind = PolicyKind::sortie;
  Knowledge knowledge = Knowledge::declared;
  bool learns = false;          // declared ones are only where learning starts
  double knowledge_factor = 1;  // Knowledge::scaled: declared ÷ true
  Lengths lengths = Lengths::estimated;
  std::optional<sched::SharedLimits> shared_limits = {};  // as the engine does, by default
  CommonOptions common = {};                              // PolicyKind::common
};

/// Every policy that the commands know, in the order of the tables.
[[nodiscard]] const std::vector<PolicySpec>& policies();
[[nodiscard]] const PolicySpec* find_policy(const std::string& name);

/// `topology` must outlive the policy.
[[nodiscard]] std::unique_ptr<Policy> make_policy(const PolicySpec& spec,
                                                  const spec::Topology& topology,
                                                  std::uint64_t seed);

}  // namespace sortie::testbed
