#include "sortie/testbed/policy.h"

#include "sortie/base/time.h"
#include "sortie/engine/context.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"
#include "sortie/testbed/account.h"
#include "sortie/testbed/common_policy.h"
#include "sortie/testbed/scenario.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::testbed {

namespace {

/// As the engine begins.
sched::SchedulerOptions options_for(const PolicySpec& spec, std::uint64_t seed) {
  sched::SchedulerOptions options = engine::scheduling_defaults();
  options.shared_limits = spec.shared_limits.value_or(options.shared_limits);
  options.seed = seed;
  return options;
}

class SortiePolicy final : public Policy {
 public:
  SortiePolicy(const PolicySpec& spec, const spec::Topology& topology, std::uint64_t seed)
      : scheduler_(topology, options_for(spec, seed)), account_(topology) {}

  [[nodiscard]] std::vector<sched::SharedPool> shared_pools() const override {
    return scheduler_.shared_pools();
  }

  void opened(sched::Ticket ticket, const DialogueFacts& facts) override {
    if (ticket.value >= cell_of_.size()) {
      cell_of_.resize(ticket.value + std::size_t{1});
    }
    cell_of_[ticket.value] = facts.cell;
  }

  void has_weight(std::size_t model, double weight) override {
    scheduler_.set_share(model, weight);
  }

  void has_backlog(const Backlog& backlog) override {
    scheduler_.set_backlog(backlog.model,
                           backlog.cell,
                           {.dialogues = backlog.dialogues, .turns_each = backlog.turns_each});
  }

  [[nodiscard]] std::optional<std::size_t> opens_next(std::size_t model) const override {
    return scheduler_.opens_next(model);
  }

  void add(const sched::ReadyTurn& turn, base::Instant now) override {
    sched::ReadyTurn of_cell = turn;
    of_cell.group = cell_of_[turn.ticket.value];
    account_.asks(turn);
    scheduler_.add(of_cell, now);
  }

  void decide(base::Instant now, std::vector<sched::Assignment>& out) override {
    const std::size_t before = out.size();
    scheduler_.decide(now, out);
    for (std::size_t i = before; i < out.size(); ++i) {
      account_.took(out[i], now);
    }
  }

  [[nodiscard]] std::optional<base::Instant> next_decision(base::Instant now) const override {
    return scheduler_.next_decision(now);
  }

  base::Instant departure(const sched::Assignment& assignment,
                          std::optional<base::Instant> granted,
                          base::Instant now) override {
    return scheduler_.departure(assignment, granted, now);
  }

  [[nodiscard]] bool awaits_tokens(std::size_t route) const override {
    return scheduler_.awaits_tokens(route);
  }

  void began(const sched::Assignment& assignment, base::Instant now) override {
    scheduler_.began(assignment, now);
  }

  void answered(const sched::Assignment& assignment,
                double input_tokens,
                double output_tokens,
                const quota::LimitHints& hints,
                const sched::AnswerTiming& timing,
                base::Instant now) override {
    account_.answered(assignment, input_tokens, output_tokens, now);
    scheduler_.answered(assignment, input_tokens, output_tokens, hints, now, timing);
  }

  [[nodiscard]] std::optional<base::Duration> silence(
      const sched::Assignment& assignment) const override {
    return scheduler_.silence_limits(assignment, /*shows_life=*/true).first_byte;
  }

  sched::FailureVerdict failed(const sched::Assignment& assignment,
                               const quota::Signal& signal,
                               base::Instant now) override {
    account_.failed(assignment, signal, now);
    return scheduler_.failed(assignment, signal, now);
  }

  [[nodiscard]] std::optional<engine::SpeedReport> speed(double seconds) const override {
    return account_.speed(scheduler_, seconds);
  }

  [[nodiscard]] std::size_t wants_open(std::size_t model) const override {
    return scheduler_.wants_open(model);
  }

 private:
  sched::Scheduler scheduler_;
  Account account_;
  std::vector<std::size_t> cell_of_;  // by ticket
};

PolicySpec common(std::string name, std::string summary, const CommonOptions& options) {
  return {.name = std::move(name),
          .summary = std::move(summary),
          .kind = PolicyKind::common,
          .lengths = Lengths::unknown,
          .common = options};
}

std::vector<PolicySpec> all_policies() {
  std::vector<PolicySpec> all;
  all.push_back(common("serial", "one request at a time", {.workers = 1}));
  for (const std::size_t workers : {10U, 30U, 100U, 300U}) {
    all.push_back(common(fmt::format("pool-{}", workers),
                         fmt::format("{} workers, task i has key i mod keys", workers),
                         {.workers = workers}));
  }
  all.push_back(common("cell-100",
                       "100 workers, each cell (a prompt, a flaw group, a rate) has its key",
                       {.choice = KeyChoice::cell, .workers = 100}));
  for (const std::size_t workers : {30U, 100U, 300U}) {
    all.push_back(common(fmt::format("shuffle-{}", workers),
                         fmt::format("{} workers, weighted shuffle, cool-down of 5 s", workers),
                         {.choice = KeyChoice::shuffle, .workers = workers}));
  }
  for (const std::size_t most : {100U, 400U}) {
    all.push_back(common(
        fmt::format("aimd-{}", most),
        fmt::format("connections per key adapted (slow start, ×0.8, +5 %), at most {}", most),
        {.workers = 3 * most, .window_max = most}));
  }
  for (const int percent : {100, 75}) {
    all.push_back(common(fmt::format("bucket-{}", percent),
                         fmt::format("a minute's bucket per key at {} %, pause of 15 s", percent),
                         {.workers = 1000, .bucket_share = percent / 100.0}));
  }
  all.push_back({.name = "sortie-fifo",
                 .summary = "Sortie, limits declared, first come first served",
                 .lengths = Lengths::unknown});
  all.push_back({.name = "sortie-learned",
                 .summary = "Sortie, limits declared, lengths only as the engine learns them",
                 .lengths = Lengths::learned});
  all.push_back({.name = "sortie", .summary = "Sortie, limits declared"});
  all.push_back({.name = "sortie-quotas",
                 .summary = "Sortie, limits declared, but not that they are buckets",
                 .knowledge = Knowledge::quotas});
  all.push_back({.name = "sortie-hidden",
                 .summary = "Sortie, limits neither declared nor in headers",
                 .knowledge = Knowledge::hidden});
  all.push_back({.name = "sortie-apart",
                 .summary = "sortie-hidden without looking for keys that share a limit",
                 .knowledge = Knowledge::hidden,
                 .shared_limits = sched::SharedLimits::ignored});
  all.push_back({.name = "sortie-joined",
                 .summary = "sortie-hidden, keys that share a limit paced as one",
                 .knowledge = Knowledge::hidden,
                 .shared_limits = sched::SharedLimits::paced});
  all.push_back({.name = "sortie-grouped",
                 .summary = "Sortie, limits hidden, but told which routes share one",
                 .knowledge = Knowledge::grouped});
  all.push_back({.name = "sortie-low",
                 .summary = "Sortie, limits declared at 0.7 of the true ones",
                 .knowledge = Knowledge::scaled,
                 .knowledge_factor = 0.7});
  all.push_back({.name = "sortie-high",
                 .summary = "Sortie, limits declared at 1.3 times the true ones",
                 .knowledge = Knowledge::scaled,
                 .knowledge_factor = 1.3});
  all.push_back({.name = "sortie-learn-low",
                 .summary = "sortie-low, but told to learn: limits are only where it starts",
                 .knowledge = Knowledge::scaled,
                 .learns = true,
                 .knowledge_factor = 0.7});
  all.push_back({.name = "sortie-learn-high",
                 .summary = "sortie-high, but told to learn",
                 .knowledge = Knowledge::scaled,
                 .learns = true,
                 .knowledge_factor = 1.3});
  return all;
}

}  // namespace

const std::vector<PolicySpec>& policies() {
  static const std::vector<PolicySpec> all = all_policies();
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
  if (spec.kind == PolicyKind::common) {
    return std::make_unique<CommonPolicy>(spec.common, topology, seed);
  }
  return std::make_unique<SortiePolicy>(spec, topology, seed);
}

}  // namespace sortie::testbed
