#pragma once

#include "sortie/base/time.h"
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

class Policy {
 public:
  virtual ~Policy() = default;
  virtual void add(const sched::ReadyTurn& turn, base::Instant now) = 0;
  virtual void decide(base::Instant now, std::vector<sched::Assignment>& out) = 0;
  [[nodiscard]] virtual std::optional<base::Instant> next_decision(base::Instant now) const = 0;
  [[nodiscard]] virtual base::Instant departure(const sched::Assignment& assignment,
                                                std::optional<base::Instant> granted,
                                                base::Instant now) = 0;
  virtual void answered(const sched::Assignment& assignment,
                        double input_tokens,
                        double output_tokens,
                        const quota::LimitHints& hints,
                        base::Instant now) = 0;
  virtual sched::FailureVerdict failed(const sched::Assignment& assignment,
                                       const quota::Signal& signal,
                                       base::Instant now) = 0;
  [[nodiscard]] virtual std::size_t wants_open(std::size_t model) const = 0;
};

enum class PolicyKind : std::uint8_t {
  sortie,  // sched::Scheduler
};

/// What is known about the length of a dialogue, which decides what is opened and sent first.
enum class Lengths : std::uint8_t {
  estimated,  // the true length times the dialogue's length_error
  unknown,    // nothing: first come, first served
};

struct PolicySpec {
  std::string name;
  std::string summary;  // one line for people
  PolicyKind kind = PolicyKind::sortie;
  Knowledge knowledge = Knowledge::declared;
  double knowledge_factor = 1;  // Knowledge::scaled: declared ÷ true
  Lengths lengths = Lengths::estimated;
};

/// Every policy that the commands know, in the order of the tables.
[[nodiscard]] const std::vector<PolicySpec>& policies();
[[nodiscard]] const PolicySpec* find_policy(const std::string& name);

/// `topology` must outlive the policy.
[[nodiscard]] std::unique_ptr<Policy> make_policy(const PolicySpec& spec,
                                                  const spec::Topology& topology,
                                                  std::uint64_t seed);

}  // namespace sortie::testbed
