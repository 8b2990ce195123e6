#include "sortie/testbed/policy.h"

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

namespace sortie::testbed {

namespace {

class SortiePolicy final : public Policy {
 public:
  SortiePolicy(const spec::Topology& topology, std::uint64_t seed)
      : scheduler_(topology, {.seed = seed}) {}

  void add(const sched::ReadyTurn& turn, base::Instant now) override { scheduler_.add(turn, now); }

  void decide(base::Instant now, std::vector<sched::Assignment>& out) override {
    scheduler_.decide(now, out);
  }

  [[nodiscard]] std::optional<base::Instant> next_decision(base::Instant now) const override {
    return scheduler_.next_decision(now);
  }

  base::Instant departure(const sched::Assignment& assignment,
                          std::optional<base::Instant> granted,
                          base::Instant now) override {
    return scheduler_.departure(assignment, granted, now);
  }

  void answered(const sched::Assignment& assignment,
                double input_tokens,
                double output_tokens,
                const quota::LimitHints& hints,
                base::Instant now) override {
    scheduler_.answered(assignment, input_tokens, output_tokens, hints, now);
  }

  sched::FailureVerdict failed(const sched::Assignment& assignment,
                               const quota::Signal& signal,
                               base::Instant now) override {
    return scheduler_.failed(assignment, signal, now);
  }

  [[nodiscard]] std::size_t wants_open(std::size_t model) const override {
    return scheduler_.wants_open(model);
  }

 private:
  sched::Scheduler scheduler_;
};

}  // namespace

const std::vector<PolicySpec>& policies() {
  static const std::vector<PolicySpec> all = {
      {.name = "sortie-fifo",
       .summary = "Sortie, limits declared, first come first served",
       .lengths = Lengths::unknown},
      {.name = "sortie", .summary = "Sortie, limits declared"},
      {.name = "sortie-hidden",
       .summary = "Sortie, limits neither declared nor in headers",
       .knowledge = Knowledge::hidden},
  };
  return all;
}

const PolicySpec* find_policy(const std::string& name) {
  for (const PolicySpec& policy : policies()) {
    if (policy.name == name) {
      return &policy;
    }
  }
  return nullptr;
}

std::unique_ptr<Policy> make_policy(const PolicySpec& spec,
                                    const spec::Topology& topology,
                                    std::uint64_t seed) {
  switch (spec.kind) {
    case PolicyKind::sortie:
      break;
  }
  return std::make_unique<SortiePolicy>(topology, seed);
}

}  // namespace sortie::testbed
