#pragma once

#include "sortie/base/hash.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/quota/signal.h"
#include "sortie/sched/scheduler.h"
#include "sortie/sched/test_server.h"
#include "sortie/sched/test_support.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

// Campaigns in virtual time against servers that enforce limits exactly and tell nobody. Used by
// the tests of learning; not by the product.

namespace sortie::sched::test {

struct ServerKey {
  std::vector<ExactLimit> limits;
};

struct Conditions {
  std::uint64_t seed = 1;
  std::size_t dialogues = 1500;
  bool named = true;                   // refusals say which dimension
  bool hints = true;                   // in whole seconds
  std::optional<double> hint_fixed{};  // this long, whatever the limit
  std::optional<double> change_at{};   // seconds: all limits times `change`
  double change = 1;
  double slowness = 1;           // of the last key's service
  double refused_by_chance = 0;  // of all requests, whatever the load
  bool tells_backlog = false;    // how much work is not open yet
};

struct CampaignOutcome {
  double makespan = 0;
  double bound = 0;
  std::size_t answered = 0;
  std::size_t refused = 0;
  std::size_t refused_early = 0;  // in the first minute
  std::size_t given_up = 0;
  std::size_t refused_by_chance = 0;
  std::size_t beyond_gate = 0;     // sent before a hint was over
  std::size_t vain_decisions = 0;  // nothing was bound at the instant that next_decision named
  std::vector<double> refused_at;

  [[nodiscard]] double eta() const { return bound / makespan; }

  [[nodiscard]] double refusals() const {
    return static_cast<double>(refused) / static_cast<double>(answered);
  }
};

/// A dialogue's turns, drawn beforehand.
struct DrawnTurn {
  double input = 0;
  double output = 0;
  double seconds = 0;
};

inline std::vector<std::vector<DrawnTurn>> draw_dialogues(std::size_t count, std::uint64_t seed) {
  base::RandomStream random(base::FieldHasher("sortie.test.campaign")
                                .field("seed", static_cast<std::int64_t>(seed))
                                .finish());
  std::vector<std::vector<DrawnTurn>> result(count);
  for (auto& turns : result) {
    const double length = std::clamp(6 * std::exp(0.8 * random.normal()), 1.0, 24.0);
    double input = 1000 * std::exp(0.3 * random.normal());
    for (int i = 0; i < static_cast<int>(length); ++i) {
      const double output = std::clamp(150 * std::exp(0.8 * random.normal()), 1.0, 4096.0);
      const double seconds = 0.8 * std::exp(0.35 * random.normal()) + 0.03 * output;
      turns.push_back({.input = input, .output = output, .seconds = seconds});
      input += output + 120;
    }
  }
  return result;
}

/// One model behind `keys`, each a route of its own in `topology`.
class LearningCampaign {
 public:
  LearningCampaign(const spec::Topology& topology,
                   std::vector<ServerKey> keys,
                   const Conditions& conditions,
                   const SchedulerOptions& options = {})
      : keys_(std::move(keys)),
        conditions_(conditions),
        scheduler_(topology, options),
        random_(base::FieldHasher("sortie.test.network")
                    .field("seed", static_cast<std::int64_t>(conditions.seed))
                    .finish()),
        dialogues_(draw_dialogues(conditions.dialogues, conditions.seed)),
        next_turn_(dialogues_.size(), 0),
        route_before_(dialogues_.size()),
        gate_(keys_.size(), kStart) {
    std::stable_sort(dialogues_.begin(), dialogues_.end(), [](const auto& a, const auto& b) {
      return a.size() > b.size();
    });
  }

  CampaignOutcome run() {
    outcome_.bound = bound();
    std::optional<base::Instant> promised;
    while (true) {
      for (std::size_t n = scheduler_.wants_open(0); n > 0 && opened_ < dialogues_.size(); --n) {
        add(opened_++);
        tell_backlog();
      }
      decided_.clear();
      scheduler_.decide(now_, decided_);
      outcome_.vain_decisions += promised == now_ && decided_.empty() ? 1 : 0;
      promised.reset();
      for (const Assignment& assignment : decided_) {
        const base::Instant leaves = scheduler_.departure(assignment, std::nullopt, now_);
        if (leaves < gate_[assignment.route]) {
          outcome_.beyond_gate += 1;
        }
        events_.push({.at = leaves + delay(), .assignment = assignment, .kind = Kind::arrival});
      }
      const auto decision = scheduler_.next_decision(now_);
      if (decision && (events_.empty() || *decision < events_.top().at)) {
        now_ = *decision;
        promised = decision;
      } else if (events_.empty()) {
        break;
      } else {
        const Event event = events_.top();
        events_.pop();
        now_ = event.at;
        handle(event);
      }
    }
    outcome_.makespan = base::seconds(now_ - kStart);
    return outcome_;
  }

  [[nodiscard]] const Scheduler& scheduler() const { return scheduler_; }

  [[nodiscard]] base::Instant now() const { return now_; }

  /// Called after each event, for traces.
  void (*observer)(const LearningCampaign&) = nullptr;

 private:
  enum class Kind : std::uint8_t { arrival, answer, refusal };

  struct Event {
    base::Instant at;
    Assignment assignment;
    Kind kind = Kind::arrival;
    quota::Signal signal{};

    bool operator>(const Event& other) const { return at > other.at; }
  };

  base::Duration delay() { return base::from_seconds(0.005 + 0.010 * random_.uniform()); }

  [[nodiscard]] const DrawnTurn& turn_of(std::size_t dialogue) const {
    return dialogues_[dialogue][next_turn_[dialogue]];
  }

  void add(std::size_t dialogue) {
    const DrawnTurn& turn = turn_of(dialogue);
    scheduler_.add(
        {.ticket = {static_cast<std::uint32_t>(dialogue)},
         .model = 0,
         .remaining_turns = static_cast<double>(dialogues_[dialogue].size() - next_turn_[dialogue]),
         .input_tokens = turn.input,
         .output_tokens = 207,
         .max_output_tokens = 4096,
         .route_before = route_before_[dialogue]},
        now_);
  }

  void tell_backlog() {
    if (!conditions_.tells_backlog) {
      return;
    }
    double turns = 0;
    for (std::size_t i = opened_; i < dialogues_.size(); ++i) {
      turns += static_cast<double>(dialogues_[i].size());
    }
    const auto left = static_cast<double>(dialogues_.size() - opened_);
    scheduler_.set_backlog(0, 0, {.dialogues = left, .turns_each = left > 0 ? turns / left : 0});
  }

  void change() {
    if (conditions_.change_at && base::seconds(now_ - kStart) >= *conditions_.change_at) {
      conditions_.change_at.reset();
      for (ServerKey& key : keys_) {
        for (ExactLimit& limit : key.limits) {
          limit.scale(conditions_.change);
        }
      }
    }
  }

  void handle(const Event& event) {
    change();
    switch (event.kind) {
      case Kind::arrival:
        arrive(event.assignment);
        break;
      case Kind::answer:
        answer(event.assignment);
        break;
      case Kind::refusal:
        if (scheduler_.failed(event.assignment, event.signal, now_).verdict == Verdict::give_up) {
          outcome_.given_up += 1;
        }
        if (event.signal.wait) {
          base::Instant& gate = gate_[event.assignment.route];
          gate = std::max(gate, now_ + *event.signal.wait);
        }
        break;
    }
    if (observer != nullptr) {
      observer(*this);
    }
  }

  void arrive(const Assignment& assignment) {
    if (conditions_.refused_by_chance > 0 && random_.uniform() < conditions_.refused_by_chance) {
      outcome_.refused_by_chance += 1;
      quota::Signal signal;
      signal.kind = quota::SignalClass::throttle;
      signal.status = 429;
      reply(assignment, signal);
      return;
    }
    const DrawnTurn& turn = turn_of(assignment.ticket.value);
    ServerKey& key = keys_[assignment.route];
    for (ExactLimit& limit : key.limits) {
      const double cost = limit.cost(turn.input, turn.output, 4096);
      if (!limit.admits(now_, cost)) {
        refuse(assignment, limit, limit.wait(now_, cost));
        return;
      }
    }
    for (ExactLimit& limit : key.limits) {
      limit.take(now_, limit.cost(turn.input, turn.output, 4096));
    }
    const bool is_last = assignment.route + 1 == keys_.size();
    const double seconds = turn.seconds * (is_last ? conditions_.slowness : 1);
    events_.push({.at = now_ + base::from_seconds(seconds) + delay(),
                  .assignment = assignment,
                  .kind = Kind::answer});
  }

  void refuse(const Assignment& assignment, const ExactLimit& limit, double wait) {
    outcome_.refused += 1;
    outcome_.refused_at.push_back(base::seconds(now_ - kStart));
    outcome_.refused_early += base::seconds(now_ - kStart) < 60 ? 1 : 0;
    quota::Signal signal;
    signal.kind = limit.shape() == ExactLimit::Shape::slots && conditions_.named
                      ? quota::SignalClass::concurrency
                      : quota::SignalClass::throttle;
    signal.status = 429;
    if (conditions_.named) {
      signal.dimension = limit.shape() == ExactLimit::Shape::slots ? quota::Dimension::concurrency
                         : limit.units() == Units::requests        ? quota::Dimension::requests
                                                                   : quota::Dimension::tokens;
    }
    if (conditions_.hint_fixed) {
      signal.wait = base::from_seconds(*conditions_.hint_fixed);
    } else if (conditions_.hints) {
      signal.wait = base::from_seconds(std::max(1.0, std::ceil(wait)));
    }
    reply(assignment, signal);
  }

  void reply(const Assignment& assignment, const quota::Signal& signal) {
    events_.push(
        {.at = now_ + delay(), .assignment = assignment, .kind = Kind::refusal, .signal = signal});
  }

  void answer(const Assignment& assignment) {
    const std::size_t dialogue = assignment.ticket.value;
    const DrawnTurn turn = turn_of(dialogue);
    for (ExactLimit& limit : keys_[assignment.route].limits) {
      limit.release();
    }
    scheduler_.answered(assignment, turn.input, turn.output, {}, now_);
    outcome_.answered += 1;
    route_before_[dialogue] = assignment.route;
    if (++next_turn_[dialogue] < dialogues_[dialogue].size()) {
      add(dialogue);
    }
  }

  /// Fluid: all work over the sum of what each key lets through; or the longest dialogue.
  [[nodiscard]] double bound() const {
    double longest = 0;
    double requests = 0;
    double tokens = 0;
    double tokens_and_max = 0;
    double seconds = 0;
    for (const auto& dialogue : dialogues_) {
      double length = 0;
      for (const DrawnTurn& turn : dialogue) {
        length += turn.seconds;
        requests += 1;
        tokens += turn.input + turn.output;
        tokens_and_max += turn.input + 4096;
      }
      seconds += length;
      longest = std::max(longest, length);
    }
    // Shares of the work in proportion: exact when all keys have the same mix of limits.
    double capacity = 0;
    for (const ServerKey& key : keys_) {
      double share = std::numeric_limits<double>::infinity();
      for (const ExactLimit& limit : key.limits) {
        const double work = limit.shape() == ExactLimit::Shape::slots ? seconds
                            : limit.units() == Units::requests        ? requests
                            : limit.units() == Units::tokens          ? tokens
                                                                      : tokens_and_max;
        share = std::min(share, limit.rate() / work);
      }
      capacity += share;
    }
    return std::max(longest, 1 / capacity);
  }

  std::vector<ServerKey> keys_;
  Conditions conditions_;
  Scheduler scheduler_;
  base::RandomStream random_;
  std::vector<std::vector<DrawnTurn>> dialogues_;
  std::vector<std::size_t> next_turn_;
  std::vector<std::optional<std::size_t>> route_before_;
  std::vector<base::Instant> gate_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Assignment> decided_;
  std::size_t opened_ = 0;
  base::Instant now_ = kStart;
  CampaignOutcome outcome_;
};

}  // namespace sortie::sched::test
